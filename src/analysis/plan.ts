import { seededRandom } from '../lib/random.ts';
import { type Percent, percent, type Ratio } from '../lib/units.ts';
import { type AnalysisPolicy, defaultPolicy, errorsCheck } from './policy.ts';
import { type SimulatedOutcome, type SimulatedRollout, simulateRollout } from './simulate.ts';

export interface PlanOptions {
  /** Requests a second of the whole service. */
  readonly rps: number;
  /** Rising weights; promotion follows the last. */
  readonly steps: readonly Percent[];
  /** Stable's share of failed requests; 0.001 when absent. */
  readonly baseRate?: Ratio;
  /** Error rates of bad releases to look at. */
  readonly faults?: readonly Ratio[];
  /** Seconds between scrapes. */
  readonly interval?: number;
  /** Only its error check is simulated. */
  readonly policy?: AnalysisPolicy;
  readonly runs?: number;
  readonly seed?: number;
}

export interface Spread {
  readonly median: number;
  readonly p90: number;
}

/** What to expect of rollouts at this traffic, from simulated ones with the code that judges. */
export interface Plan {
  readonly rps: number;
  readonly baseRate: number;
  /** Share of healthy releases that were promoted within a day. */
  readonly promoted: number;
  readonly rolledBack: number;
  readonly totalSeconds: Spread;
  readonly steps: readonly PlanStep[];
  readonly faults: readonly PlanFault[];
}

export interface PlanStep {
  readonly weight: number;
  readonly next: number;
  readonly canaryRps: number;
  readonly seconds: Spread;
}

/** A release that fails this share of its requests from its first one on. */
export interface PlanFault {
  readonly rate: number;
  /** Share that was rolled back; the others were promoted or not decided within a day. */
  readonly found: number;
  readonly promoted: number;
  readonly seconds: Spread;
  /** Mean over the runs, until the route was cut. */
  readonly failedRequests: number;
  readonly canaryRequests: number;
}

const day = 86_400;

/** Pure for a seed; about a second of computing at 100 runs. */
export function planRollout(options: PlanOptions): Plan {
  const { rps, steps, baseRate = 0.001, faults = [0.01, 0.05, 0.5, 1], interval = 5 } = options;
  const policy = errorsOnly(options.policy ?? defaultPolicy);
  const { runs = 100, seed = 1 } = options;
  const outcomes = (canaryRate: number): readonly SimulatedOutcome[] => {
    const service = { rps, stableRate: baseRate, canaryRate };
    const rollout: SimulatedRollout = { service, steps, interval, settling: 2, horizon: day };
    return Array.from({ length: runs }, (_, i) =>
      simulateRollout(rollout, policy, seededRandom(seed + i)),
    );
  };
  const healthy = outcomes(baseRate);
  const promoted = healthy.filter(({ kind }) => kind === 'promoted');
  return {
    rps,
    baseRate,
    promoted: promoted.length / runs,
    rolledBack: healthy.filter(({ kind }) => kind === 'rolled-back').length / runs,
    totalSeconds: spread(promoted.map(({ seconds }) => seconds)),
    steps: steps.map((weight, i) => ({
      weight,
      next: steps[i + 1] ?? 100,
      canaryRps: (rps * weight) / 100,
      seconds: spread(promoted.map(({ stepSeconds }) => stepSeconds[i] ?? 0)),
    })),
    faults: faults.map((rate) => faultOf(rate, outcomes(rate))),
  };
}

function errorsOnly(policy: AnalysisPolicy): AnalysisPolicy {
  const check = policy.checks.find(({ kind }) => kind === 'ratio') ?? errorsCheck;
  return { ...policy, checks: [{ ...check, name: errorsCheck.name }] };
}

function faultOf(rate: number, outcomes: readonly SimulatedOutcome[]): PlanFault {
  const found = outcomes.filter(({ kind }) => kind === 'rolled-back');
  const mean = (of: (outcome: SimulatedOutcome) => number) =>
    outcomes.reduce((sum, outcome) => sum + of(outcome), 0) / Math.max(1, outcomes.length);
  return {
    rate,
    found: found.length / outcomes.length,
    promoted: outcomes.filter(({ kind }) => kind === 'promoted').length / outcomes.length,
    seconds: spread(found.map(({ seconds }) => seconds)),
    failedRequests: mean(({ failedRequests }) => failedRequests),
    canaryRequests: mean(({ canaryRequests }) => canaryRequests),
  };
}

/** NaN where there is nothing to look at. */
export function spread(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.floor(share * (sorted.length - 1))] ?? Number.NaN;
  return { median: at(0.5), p90: at(0.9) };
}

/** The ladder for who gave none: below 20 requests a second 1 % tells too little. */
export const defaultSteps = (rps: number): readonly Percent[] =>
  (rps < 20 ? [10, 25, 50] : [1, 5, 10, 25, 50]).map(percent);
