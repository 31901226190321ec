import type { KubernetesClient } from '../kubernetes/client.ts';
import type { RawObject } from '../kubernetes/raw-object.ts';
import type { GoneObject } from '../kubernetes/store.ts';
import type { Clock } from '../lib/clock.ts';
import type { RouteRef } from '../rollout/rollout-spec.ts';
import type { TrafficProvider } from '../traffic-providers/traffic-provider.ts';

/** The outside world as the executor reaches it. */
export interface Effects {
  readonly client: KubernetesClient;
  readonly clock: Clock;
  /** Feeds the answer of a write back, so that the next pass sees it at once. */
  readonly accept: (raw: RawObject) => void;
  /**
   * Begins a read of an object that is surely there, whose answer goes to the returned function:
   * what the watch has lost of it is known then, too.
   */
  readonly beginRead: (kind: string) => (raw: RawObject) => void;
  /** The API server has answered that this object is gone. */
  forget(kind: string, gone: GoneObject): void;
  /** The version of the Deployment that was seen last. */
  deploymentVersion(namespace: string, name: string): string | undefined;
  /** The route as last seen, raw. */
  rawRoute(kind: RouteRef['kind'], namespace: string, name: string): RawObject | undefined;
  readonly providers: Readonly<Record<RouteRef['kind'], TrafficProvider>>;
}
