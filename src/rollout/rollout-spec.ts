import type { Millis, Percent } from '../lib/units.ts';

/** A route by kind and name, always in the Deployment's own namespace. */
export interface RouteRef {
  readonly kind: 'httproute';
  readonly name: string;
}

/** What the annotations of one Deployment ask for, with the profile's defaults filled in. */
export interface RolloutSpec {
  /** Absent: the one Service that selects the Deployment's pods. */
  readonly service?: string;
  /** Absent: the one route that names that Service. */
  readonly route?: RouteRef;
  /** Rising weights; promotion to 100 follows the last one. */
  readonly steps: readonly Percent[];
  /** A named policy of the admin's config. */
  readonly profile: string;
  /** Names of checks of the admin's config. */
  readonly checks: readonly string[];
  readonly minStep: Millis;
  readonly maxStep: Millis;
  /** Least time at the last step before promotion. */
  readonly bake: Millis;
  readonly onReject: 'keep' | 'revert';
  /** Names of notifiers of the admin's config; empty: the config's default. */
  readonly notify: readonly string[];
  /** Absent: found out by a probe of the API server. */
  readonly pause?: PauseMode;
  readonly flinch: boolean;
}

/**
 * How a new template is kept from rolling natively: `on-change` by the admission policy that pauses
 * the
 * Deployment in the very request that changes its template (Kubernetes 1.36 and later), `at-rest`
 * by keeping
 * it paused all the time.
 */
export type PauseMode = 'on-change' | 'at-rest';

export const requestVerbs = [
  'promote',
  'rollback',
  'pause',
  'resume',
  'retry',
  'skip-step',
] as const;
export type RequestVerb = (typeof requestVerbs)[number];

/** A human's intent. It names what it was meant for, so that a late one changes nothing. */
export interface RolloutRequest {
  readonly verb: RequestVerb;
  readonly revision: string;
  /**
   * 1-based step the rollout was at; 0 before the first one. Absent where the step does not matter.
   */
  readonly step: number | undefined;
  /** Makes the request take effect once. */
  readonly id: string;
  readonly by: string | undefined;
}

/**
 * Something wrong in a text that people wrote: names the key, quotes the value, says why and what
 * is allowed.
 */
export interface Problem {
  readonly key: string;
  readonly message: string;
}
