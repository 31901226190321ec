import { type Millis, minutes, type Percent, percent, seconds } from '../lib/units.ts';

/** Compared as `canary ≤ rho · stable + delta`; `delta` is a ratio, 0.0025 = 0.25 points. */
export interface Margin {
  readonly rho: number;
  readonly delta: number;
}

/**
 * ratio: bad requests of all · histogram: requests slower than each bound · restarts: bad =
 * restarts, requests = pod-seconds · gauge: looks at which the canary's pods lie beyond a line
 * drawn from stable's pods.
 */
export type CheckKind = 'ratio' | 'histogram' | 'restarts' | 'gauge';

export interface CheckPolicy {
  readonly name: string;
  readonly kind: CheckKind;
  /** Share of the money; renormalised over the checks that a rollout has. */
  readonly share: number;
  /** Beyond this the canary is worse: roll back. */
  readonly worse: Margin;
  /**
   * What promotion must exclude, its `delta` for the whole fleet: a step to weight w excludes
   * `delta / w` in the canary. Without it the check only rejects.
   */
  readonly better?: Margin;
  /** Upper bounds in seconds of the buckets compared, ascending; for histograms. */
  readonly bounds?: readonly number[];
  /** For gauges. */
  readonly gauge?: GaugePolicy;
  /** Computed and shown, never acts. */
  readonly dryRun?: boolean;
  /** While it has no answer: promotion waits for it (unless told), or does without it. */
  readonly onEmpty?: 'hold' | 'ignore';
}

/** A look is bad when half of the canary's pods lie beyond the worst of stable's by both. */
export interface GaugePolicy {
  readonly worseWhen: 'higher' | 'lower';
  /** Factor on the worst stable pod, at least 1. */
  readonly ratio: number;
  /** Added to it, in the gauge's own unit. */
  readonly slack: number;
  /** Time between looks: values of one pod closer together say the same thing twice. */
  readonly spacing: Millis;
}

export interface FlinchPolicy {
  readonly on: boolean;
  /** Money at which the weight goes down. */
  readonly lowerAt: number;
  /** Factor of a single poll at which it goes down, however little money there was before. */
  readonly surpriseAt: number;
  /** Money at which it goes back, and the least time it stays down. */
  readonly returnAt: number;
  readonly dwell: Millis;
  /** Canary requests a second that the lowered weight should still give, at least. */
  readonly floorRps: number;
  /** Failed ones that it may still give: a small fault needs more requests to be told. */
  readonly floorBadRps: number;
  readonly leastWeight: Percent;
  readonly leastBad: number;
}

/** Every number of the analysis. A running rollout keeps the policy it began with. */
export interface AnalysisPolicy {
  /** Most probable it may be that a healthy release is rolled back, over the whole rollout. */
  readonly alpha: number;
  /** Most probable it may be that a step is taken which its margin forbids, per step and check. */
  readonly beta: number;
  readonly checks: readonly CheckPolicy[];
  /** Further polls that must agree before a rejection. */
  readonly confirmPolls: number;
  /** Bad requests without which nothing is rejected. */
  readonly leastBad: number;
  /** The cap on gains holds per window of this length, or per poll once the dispersion is known. */
  readonly capWindow: Millis;
  /** History of stable from which on its dispersion counts as known. */
  readonly dispersionHistory: Millis;
  readonly minStep: Millis;
  readonly minPolls: number;
  /** Data older than this many polls (and 10 s) are stale. */
  readonly staleAfterPolls: number;
  /** Bad rate of the canary that is never acceptable, and the extra probability spent on it. */
  readonly limit: { readonly rate: number; readonly alpha: number };
  /** Evidence at which the split counts as wrong. */
  readonly splitEvidence: number;
  readonly flinch: FlinchPolicy;
}

export const errorsCheck: CheckPolicy = {
  name: 'errors',
  kind: 'ratio',
  share: 1 / 2,
  worse: { rho: 1.25, delta: 0.0025 },
  better: { rho: 1.5, delta: 0.005 },
};

/** The whole distribution; `bounds` are chosen at the start of a rollout by `usableBounds`. */
export const latencyCheck: CheckPolicy = {
  name: 'latency',
  kind: 'histogram',
  share: 1 / 4,
  worse: { rho: 1.25, delta: 0.01 },
  better: { rho: 1.5, delta: 0.02 },
};

/** The one bound that the service's objective names. */
export const latencyObjectiveCheck: CheckPolicy = {
  ...latencyCheck,
  name: 'latency-objective',
  share: 1 / 8,
};

/**
 * One restart per pod and hour is tolerated beyond stable's own. It only rejects: that a canary
 * does not restart would take hours to show.
 */
export const restartsCheck: CheckPolicy = {
  name: 'restarts',
  kind: 'restarts',
  share: 1 / 8,
  worse: { rho: 1.25, delta: 1 / 3600 },
};

export const defaultGauge: GaugePolicy = {
  worseWhen: 'higher',
  ratio: 1.25,
  slack: 0,
  spacing: seconds(30),
};

/**
 * Looks at a gauge, one canary against few pods. The rate of bad looks is compared with `delta` and
 * with what stable's pods do among themselves; see `gauge.ts`.
 */
export const gaugeCheck: CheckPolicy = {
  name: 'gauge',
  kind: 'gauge',
  share: 1 / 8,
  worse: { rho: 1, delta: 0.25 },
  better: { rho: 1, delta: 0.5 },
  gauge: defaultGauge,
};

export const defaultPolicy: AnalysisPolicy = {
  alpha: 0.01,
  beta: 0.05,
  checks: [errorsCheck],
  confirmPolls: 1,
  leastBad: 3,
  capWindow: seconds(5),
  dispersionHistory: minutes(30),
  minStep: seconds(15),
  minPolls: 3,
  staleAfterPolls: 3,
  limit: { rate: 0.05, alpha: 0.001 },
  splitEvidence: 100,
  flinch: {
    on: true,
    lowerAt: 10,
    surpriseAt: 1000,
    returnAt: 0.7,
    dwell: seconds(20),
    floorRps: 1,
    floorBadRps: 0.5,
    leastWeight: percent(1),
    leastBad: 2,
  },
};

/** For objectives of 99.95 % and more: small excesses count; proving their absence takes longer. */
export const strictPolicy: AnalysisPolicy = {
  ...defaultPolicy,
  checks: [
    { ...errorsCheck, worse: { rho: 1.1, delta: 0.0005 }, better: { rho: 1.25, delta: 0.0015 } },
  ],
  limit: { rate: 0.02, alpha: 0.001 },
};

/** For services whose errors are cheap: only clear harm counts, and promotion is quick. */
export const lenientPolicy: AnalysisPolicy = {
  ...defaultPolicy,
  checks: [{ ...errorsCheck, worse: { rho: 1.5, delta: 0.01 }, better: { rho: 2, delta: 0.02 } }],
  limit: { rate: 0.2, alpha: 0.001 },
};

/** Whether its counts are requests of users: others are pod-seconds, or looks at a gauge. */
export const countsRequests = ({ kind }: Pick<CheckPolicy, 'kind'>): boolean =>
  kind === 'ratio' || kind === 'histogram';

/** Rates that a check compares; none for a histogram without a usable bound, which then is idle. */
export const componentsOf = (check: CheckPolicy): number =>
  check.kind === 'histogram' ? (check.bounds?.length ?? 0) : 1;

/** Money of each check that acts, in the order of `checks`; dry-run and idle ones have none. */
export function checkShares(checks: readonly CheckPolicy[]): readonly number[] {
  const own = checks.map((check) =>
    check.dryRun === true || componentsOf(check) === 0 ? 0 : check.share,
  );
  const sum = own.reduce((a, b) => a + b, 0);
  return own.map((share) => (sum > 0 ? share / sum : 0));
}
