import type { Instant, Percent } from '../lib/units.ts';
import type { RouteRef } from '../rollout/rollout-spec.ts';
import type { RouteMark, RouteView } from '../rollout/views.ts';

/** JSON as the API server sent it. */
export type RawObject = Readonly<Record<string, unknown>>;

/** Whom a route is read or written for. */
export interface RouteBinding {
  readonly deploymentUid: string;
  readonly revision: string;
  /** The user's Service, which carries stable. */
  readonly service: string;
  readonly canaryService: string;
}

/**
 * Splits one route between the stable and the canary Service. Pure: it reads a raw object and
 * answers with the
 * body of a JSON merge patch; the executor sends it with the resourceVersion it was made from, so
 * every change
 * is a compare-and-swap. `test/contract/traffic-provider.test.ts` checks that each implementation
 *  - changes nothing but the share of the stable Service and one annotation of ours
 *  - keeps the ratio between the user's other backends, their filters and their order
 *  - restores what the user had, byte for byte
 *  - is safe to repeat, and says why when it cannot steer a route
 */
export interface TrafficProvider {
  readonly kind: RouteRef['kind'];
  /** Names of the Services that the route sends requests to. */
  services(raw: RawObject): readonly string[];
  read(raw: RawObject, deploymentUid: string, service: string): RouteView;
  /** Lists the canary with weight 0 behind the stable Service and saves the user's rules. */
  attach(raw: RawObject, binding: RouteBinding): RawObject;
  /**
   * Gives the canary `weight` percent of the stable Service's share in every rule, or where one
   * gives more takes those down to it, as `lower` does; clears an earlier mark. `recordedAt`
   * names the raise that this makes, if it makes one.
   */
  shift(raw: RawObject, deploymentUid: string, weight: Percent, recordedAt?: Instant): RawObject;
  /**
   * Gives the canary `weight` percent, and no more than before in any rule, and records why it was
   * lowered, in the same patch.
   */
  lower(raw: RawObject, deploymentUid: string, weight: Percent, mark: RouteMark): RawObject;
  /** Takes our Service and our record off; the user's rules are as they were. */
  restore(raw: RawObject, deploymentUid: string): RawObject;
}
