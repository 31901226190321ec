import type { Instant, Percent } from '../lib/units.ts';

/**
 * Requests and bad requests of both arms over one stretch of time; `xc ≤ nc`, `xs ≤ ns`. For
 * restarts: pod-seconds and restarts.
 */
export interface Counts {
  /** Canary requests. */
  readonly nc: number;
  /** Bad canary requests. */
  readonly xc: number;
  /** Stable requests. */
  readonly ns: number;
  /** Bad stable requests. */
  readonly xs: number;
}

export const noCounts: Counts = { nc: 0, xc: 0, ns: 0, xs: 0 };

export const addCounts = (a: Counts, b: Counts): Counts => ({
  nc: a.nc + b.nc,
  xc: a.xc + b.xc,
  ns: a.ns + b.ns,
  xs: a.xs + b.xs,
});

/**
 * One value per pod, e.g. bytes of memory: over the last look's span, the best of each canary pod
 * and the worst of each stable one, so that only what lasts is beyond stable's range.
 */
export interface PodGauges {
  readonly canary: readonly number[];
  readonly stable: readonly number[];
}

/**
 * What one poll brought for one check: one `Counts` for an error ratio or for restarts, one per
 * bucket bound (in the order of the policy's `bounds`) for a histogram, gauges for a gauge.
 */
export type CheckCounts = readonly Counts[] | PodGauges;

/** One canary pod's part of an error check. */
export interface PodCounts {
  readonly requests: number;
  readonly bad: number;
}

/** What is known of a check before a step begins, from stable alone; it only affects speed. */
export interface CheckPrior {
  /** Stable's bad rate per component over the last ≥ 10 min. */
  readonly badRates?: readonly number[];
  /** φ̂ of `dispersion.ts`. */
  readonly dispersion?: number;
  /** Length of the history behind `dispersion`, in milliseconds. */
  readonly history?: number;
}

/**
 * One look at the counters: what was served after `since` and up to `at`, the same span for both
 * arms (a common watermark: the earliest of their last samples). Polls follow each other without
 * overlap; a gap is a stretch that nobody counted.
 */
export interface Poll {
  readonly since: Instant;
  readonly at: Instant;
  /** Weight that the route carried, or carries as soon as the change has settled. */
  readonly weight: Percent;
  /** Ordinal of the step; a change begins a new one. */
  readonly step: number;
  /** Weight of the next step, 100 for promotion. Fixed while a step lasts. */
  readonly next: Percent;
  /**
   * The poll overlaps a change of ours, from the route write until it is known to be in force: the
   * greater weight of the two, which is the most that any of its requests was split by.
   */
  readonly settling?: Percent;
  /** Odds of the split, canary to stable, when told from elsewhere; else they are counted. */
  readonly odds?: number;
  /** A canary pod turned Ready so recently that its latency says nothing. */
  readonly warming?: boolean;
  /** Read in the first poll of a step only, and kept while the step lasts. */
  readonly priors?: Readonly<Record<string, CheckPrior>>;
  /** By the check's name; a check without a fresh answer is left out. */
  readonly checks: Readonly<Record<string, CheckCounts>>;
  /** Canary pods by check and name, where the source tells them apart; for `sickPod` alone. */
  readonly pods?: CheckPods;
}

/** What each canary pod answered, by check and pod; none of checks whose source names no pods. */
export type CheckPods = Readonly<Record<string, Readonly<Record<string, PodCounts>>>>;

export const isGauges = (counts: CheckCounts): counts is PodGauges => 'canary' in counts;
