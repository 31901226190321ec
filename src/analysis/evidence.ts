import type { Instant, Percent } from '../lib/units.ts';
import { betterOdds, worseTilts } from './bets.ts';
import { type Counts, noCounts } from './counts.ts';
import { type AnalysisPolicy, type CheckPolicy, componentsOf } from './policy.ts';
import { openSplit, type SplitEvidence } from './split.ts';
import { openWealth, type Wealth } from './wealth.ts';

/** Evidence on one bad rate: one per check, or one per bucket bound of a histogram. */
export interface ComponentEvidence {
  /** Money on "worse", over the whole rollout. */
  readonly worse: Wealth;
  /** Log growth of each bet on "better" since the step began, in the order of `betterOdds`. */
  readonly better: readonly number[];
  /** Counted in the present step at its weight, in force. */
  readonly step: Counts;
  /** Counted since the rollout began. */
  readonly total: Counts;
  /** Stable's bad rate before the step, when known. */
  readonly prior: number | null;
  /** Bad stable requests since the rollout began, without surges; 0 where `prior` is known. */
  readonly usual: number;
}

export interface CheckEvidence {
  readonly components: readonly ComponentEvidence[];
  /** Last watermark at which this check had an answer. */
  readonly at: Instant | null;
  /** Last watermark at which its answer was counted. */
  readonly countedAt: Instant | null;
  /** Polls counted. */
  readonly polls: number;
  /** Step of the last counted poll. */
  readonly step: number | null;
  /** Cap window of the last counted poll. */
  readonly window: number | null;
  readonly dispersion: number;
  readonly dispersionKnown: boolean;
  /**
   * Factor by which fresh money would have grown in the last poll alone, without the cap; by what
   * stable is known to do, if that tells more.
   */
  readonly surprise: number;
}

/** Money on "the canary's bad rate is beyond the absolute limit". */
export interface LimitEvidence {
  readonly wealth: Wealth;
  readonly polls: number;
  readonly window: number | null;
  /** Polls in a row with enough money. */
  readonly agreeing: number;
}

/** Counts that fade with a half-life of 10 s: what the arms do right now. */
export interface RecentCounts extends Counts {
  /** Time behind the counts, faded like them, in milliseconds: counts / span is a rate. */
  readonly span: number;
  /** By how much the canary's bad rate exceeded stable's in the last poll alone; a ratio. */
  readonly excess: number;
  readonly at: Instant | null;
}

export interface Rejection {
  readonly check: string;
  readonly cause: 'worse' | 'limit';
  readonly at: Instant;
}

/**
 * All that the analysis remembers of one rollout: plain JSON, changed only by `advance`. The same
 * polls in the same order give the same state bit for bit, however often they were interrupted.
 */
export interface EvidenceState {
  readonly version: 1;
  /** 1, or 1/2, 1/4, … after the history was lost: a second start must not spend α twice. */
  readonly alphaShare: number;
  readonly startedAt: Instant | null;
  /** Watermark of the last poll. */
  readonly at: Instant | null;
  /** Length of the last poll: the interval, as seen. */
  readonly interval: number;
  readonly step: number | null;
  readonly weight: Percent | null;
  readonly next: Percent | null;
  /** Since when the weight has been in force; null while it settles. */
  readonly inForceSince: Instant | null;
  readonly pollsInForce: number;
  /** Polls in a row with enough money to reject. */
  readonly agreeing: number;
  readonly rejected: Rejection | null;
  readonly checks: Readonly<Record<string, CheckEvidence>>;
  readonly limit: LimitEvidence;
  readonly split: SplitEvidence;
  readonly recent: RecentCounts;
}

export interface EvidenceStart {
  /** `alphaShare` of the evidence that was lost, halved once more here. */
  readonly afterLoss?: number;
}

/** Evidence of a rollout before its first poll. */
export function beginEvidence(policy: AnalysisPolicy, start: EvidenceStart = {}): EvidenceState {
  return {
    version: 1,
    alphaShare: start.afterLoss === undefined ? 1 : start.afterLoss / 2,
    startedAt: null,
    at: null,
    interval: 0,
    step: null,
    weight: null,
    next: null,
    inForceSince: null,
    pollsInForce: 0,
    agreeing: 0,
    rejected: null,
    checks: Object.fromEntries(policy.checks.map((check) => [check.name, openCheck(check)])),
    limit: { wealth: openWealth(worseTilts.length, true), polls: 0, window: null, agreeing: 0 },
    split: openSplit,
    recent: { ...noCounts, span: 0, excess: 0, at: null },
  };
}

function openCheck(check: CheckPolicy): CheckEvidence {
  const component: ComponentEvidence = {
    worse: openWealth(worseTilts.length, check.kind === 'histogram'),
    better: betterOdds.map(() => 0),
    step: noCounts,
    total: noCounts,
    prior: null,
    usual: 0,
  };
  return {
    components: Array.from({ length: componentsOf(check) }, () => component),
    at: null,
    countedAt: null,
    polls: 0,
    step: null,
    window: null,
    dispersion: 1,
    dispersionKnown: false,
    surprise: 1,
  };
}
