import type { Ratio } from '../lib/units.ts';
import type { Interval } from './interval.ts';

/** Why nothing can be said yet. Each holds the rollout; none ever promotes or rejects. */
export type InconclusiveReason =
  | 'not-enough-evidence' // more canary requests will tell
  | 'min-step' // the step is too young
  | 'settling' // a weight change of ours is not in force yet
  | 'warming-up' // latency of fresh pods is not judged yet
  | 'sick-pod' // all the evidence rests upon one canary pod, which is to be restarted
  | 'suspicious' // the evidence against the canary is too strong to give it more traffic
  | 'stale-data' // no poll, or the last one is too old
  | 'partial-data' // a check that promotion needs has no fresh answer
  | 'no-requests' // nobody asks the service
  | 'no-canary-traffic' // the route says the weight, the canary gets none of it
  | 'split-mismatch' // the canary gets far less, or far more, than its weight
  | 'stable-outage' // stable is beyond the absolute limit itself
  | 'worse-at-full-weight'; // at 100 % the canary is worse than stable was

/** The metric that tells most; for a failure, the one to blame. */
export interface Blame {
  readonly check: string;
  readonly canary: Ratio;
  readonly stable: Ratio;
  /** Restarts are rates in time; absent: shares of requests, or of looks. */
  readonly per?: 'pod-second';
  /** Money of the rollback test, shown as "7 of 100". */
  readonly evidence: number;
  readonly threshold: number;
  /** By how much the canary's bad share exceeds stable's, anytime-valid; absent while unknown. */
  readonly excess?: Interval;
}

/** One check as of the last poll. */
export interface CheckReport {
  readonly check: string;
  readonly dryRun: boolean;
  /** Of restarts, whose totals are pod-seconds; absent: requests, or looks at a gauge. */
  readonly per?: 'pod-second' | undefined;
  /** Bucket bound in seconds of the component shown, the one with most against the canary. */
  readonly bound?: number | undefined;
  /** Counted in the present step; restarts since the rollout began. */
  readonly canary: { readonly bad: number; readonly total: number };
  readonly stable: { readonly bad: number; readonly total: number };
  /** Money of this check alone, started at 1. */
  readonly evidence: number;
  /** Money that this check adds to the rollback test: `evidence` times its share. */
  readonly adds: number;
  /** Promotion evidence F, of `promotionNeeded` (1/β); undefined for a check that only rejects. */
  readonly promotion?: number;
  readonly promotionNeeded: number;
  /** Canary requests still needed if it is as good as stable; absent when no number is enough. */
  readonly requestsNeeded?: number;
  /** Likewise in seconds, for a gauge: it is looked at by the clock and not by requests. */
  readonly secondsNeeded?: number;
}

interface Judgement {
  readonly because: string;
  readonly checks: readonly CheckReport[];
  /** Money of the rollback test over all checks, and where it rejects. */
  readonly evidence: number;
  readonly threshold: number;
  /** Canary requests since the rollout began, and those of them that failed. */
  readonly exposedRequests: number;
  readonly failedRequests: number;
  readonly blame?: Blame | undefined;
}

export interface Pass extends Judgement {
  readonly kind: 'pass';
}

export interface Fail extends Judgement {
  readonly kind: 'fail';
  readonly check: string;
}

export interface Inconclusive extends Judgement {
  readonly kind: 'inconclusive';
  readonly reason: InconclusiveReason;
  /** Canary requests, and seconds at the present traffic, until the next step. */
  readonly requestsNeeded?: number | undefined;
  readonly secondsNeeded?: number | undefined;
}

export type Verdict = Pass | Fail | Inconclusive;
