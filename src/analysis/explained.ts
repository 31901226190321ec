import type { Instant, Percent } from '../lib/units.ts';
import type { Poll } from './counts.ts';
import type { EvidenceState } from './evidence.ts';
import { checkInterval, type Interval } from './interval.ts';
import { judge } from './judge.ts';
import { type AnalysisPolicy, countsRequests } from './policy.ts';
import { type CheckWealth, totalWealth } from './total.ts';
import type { CheckReport, Verdict } from './verdict.ts';

/**
 * Bad requests, or slow ones, of all; counted in the present step. Of restarts: so many in so many
 * pod-seconds, since the rollout began.
 */
export interface Share {
  readonly bad: number;
  readonly total: number;
}

/** One check after one poll, for people. Every number is finite. */
export interface ExplainedCheck {
  readonly check: string;
  readonly dryRun: boolean;
  /** Bucket bound of the component shown, the one with most against the canary. */
  readonly boundSeconds: number | null;
  /** Restarts: the totals are pod-seconds. Else requests, or looks at a gauge. */
  readonly per?: 'pod-second' | undefined;
  readonly canary: Share;
  readonly stable: Share;
  /** Money of this check alone, started at 1. */
  readonly evidence: number;
  /** Evidence that the next weight is safe; null for a check that only rejects. */
  readonly promotion: number | null;
  readonly promotionNeeded: number;
  /** Anytime-valid, as ratios: 0.01 is one point more than stable; null while nothing is told. */
  readonly excess: Interval | null;
}

/** As it is kept: the interval costs more than the poll itself, and few look at it. */
export interface CheckRecord extends Omit<ExplainedCheck, 'excess'> {
  /** Computed when it is first asked for. */
  readonly excess: () => Interval | null;
}

/** What one poll said, as plain JSON with units in the names. */
export interface ExplainedPoll {
  readonly atMillis: Instant;
  readonly weightPercent: Percent;
  /** 1-based; 0 before the first. */
  readonly step: number;
  /** The poll overlaps a change of the weight. */
  readonly settling: boolean;
  readonly verdict: Verdict['kind'];
  readonly because: string;
  /** Money of the rollback test over all checks, and where it rejects: "7 of 100". */
  readonly evidence: number;
  readonly evidenceNeeded: number;
  /** The check that tells most against the canary. */
  readonly blame: string | null;
  /** Canary requests until the next step if the canary is as good as stable; null: not known. */
  readonly requestsNeeded: number | null;
  /** At the traffic of this step; null: not known, or a guard holds. */
  readonly secondsToNextStep: number | null;
  readonly checks: readonly ExplainedCheck[];
}

export interface PollRecord extends Omit<ExplainedPoll, 'checks'> {
  readonly checks: readonly CheckRecord[];
}

export const plainPoll = (poll: PollRecord): ExplainedPoll => ({
  ...poll,
  checks: poll.checks.map((check) => ({ ...check, excess: check.excess() })),
});

/** Describes `poll`, which led to `state`. */
export function explainPoll(poll: Poll, state: EvidenceState, policy: AnalysisPolicy): PollRecord {
  const verdict = judge(state, policy, { now: poll.at, warming: poll.warming === true });
  const { checks } = totalWealth(state, policy);
  return {
    atMillis: poll.at,
    weightPercent: poll.weight,
    step: poll.step + 1,
    settling: poll.settling !== undefined,
    verdict: verdict.kind,
    because: verdict.because,
    evidence: finite(verdict.evidence),
    evidenceNeeded: verdict.threshold,
    blame: verdict.blame?.check ?? null,
    ...untilNextStep(poll, state, policy, verdict),
    checks: verdict.checks.map((report, i) => recordOf(report, state, checks[i])),
  };
}

/** Checks that count no requests have no share of bad ones, and no interval. */
function recordOf(
  report: CheckReport,
  state: EvidenceState,
  one: CheckWealth | undefined,
): CheckRecord {
  return {
    check: report.check,
    dryRun: report.dryRun,
    boundSeconds: report.bound ?? null,
    per: report.per,
    canary: report.canary,
    stable: report.stable,
    evidence: finite(report.evidence),
    promotion: report.promotion === undefined ? null : finite(report.promotion),
    promotionNeeded: report.promotionNeeded,
    excess: one !== undefined && countsRequests(one.check) ? checkInterval(state, one) : () => null,
  };
}

/** The evidence may be complete before the step is old enough, or the other way about. */
function untilNextStep(
  poll: Poll,
  state: EvidenceState,
  policy: AnalysisPolicy,
  verdict: Verdict,
): Pick<ExplainedPoll, 'requestsNeeded' | 'secondsToNextStep'> {
  if (verdict.kind === 'pass') return { requestsNeeded: 0, secondsToNextStep: 0 };
  if (verdict.kind === 'fail') return { requestsNeeded: null, secondsToNextStep: null };
  const young = verdict.reason === 'min-step';
  const requestsNeeded = young ? 0 : (verdict.requestsNeeded ?? null);
  if (verdict.secondsNeeded === undefined || state.inForceSince === null) {
    return { requestsNeeded, secondsToNextStep: null };
  }
  const left = (policy.minStep - (poll.at - state.inForceSince)) / 1000;
  const secondsToNextStep = Math.max(verdict.secondsNeeded, Math.ceil(left));
  return { requestsNeeded, secondsToNextStep };
}

/** JSON knows no infinity, and nobody reads beyond this. */
const finite = (value: number): number => Math.min(value, 1e15);
