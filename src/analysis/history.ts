import { type Instant, type Percent, toRatio } from '../lib/units.ts';
import { smoothedOdds } from './advance-check.ts';
import { noCounts, type Poll } from './counts.ts';
import type { EvidenceState } from './evidence.ts';
import { lnPromotion } from './forecast.ts';
import type { AnalysisPolicy } from './policy.ts';
import { totalWealth } from './total.ts';

/** One poll as people look at it afterwards. */
export interface PollRecord {
  readonly at: Instant;
  readonly weight: Percent;
  readonly step: number;
  readonly settling: boolean;
  /** Money of the rollback test after the poll, and its natural logarithm. */
  readonly evidence: number;
  readonly lnE: number;
  /** Odds of the split that the first check was judged by. */
  readonly kappa: number;
  readonly checks: Readonly<Record<string, PollRecordCheck>>;
  /** As it was counted, so that the decision can be replayed. */
  readonly poll: Poll;
}

export interface PollRecordCheck {
  readonly evidence: number;
  /** Least promotion evidence F of its components; absent for a check that only rejects. */
  readonly promotion?: number;
}

/** The last polls of a rollout, oldest first; held beside the evidence, not in it. */
export type PollHistory = readonly PollRecord[];

export const historyLength = 200;

/** The history after `poll` led to `state`. */
export function remember(
  history: PollHistory,
  poll: Poll,
  state: EvidenceState,
  policy: AnalysisPolicy,
): PollHistory {
  const total = totalWealth(state, policy);
  const checks = total.checks.map(({ check, wealth }): [string, PollRecordCheck] => {
    const components = state.checks[check.name]?.components ?? [];
    const promotion = Math.exp(Math.min(...components.map(lnPromotion)));
    const rejectsOnly = check.better === undefined || components.length === 0;
    return [check.name, { evidence: wealth, ...(rejectsOnly ? {} : { promotion }) }];
  });
  const record: PollRecord = {
    at: poll.at,
    weight: poll.weight,
    step: poll.step,
    settling: poll.settling !== undefined,
    evidence: total.wealth,
    lnE: Math.log(total.wealth),
    kappa: oddsOf(poll, state, policy),
    checks: Object.fromEntries(checks),
    poll,
  };
  return [...history, record].slice(-historyLength);
}

function oddsOf(poll: Poll, state: EvidenceState, policy: AnalysisPolicy): number {
  const w = toRatio(poll.settling ?? poll.weight);
  const step = state.checks[policy.checks[0]?.name ?? '']?.components[0]?.step ?? noCounts;
  if (w >= 1) return 0;
  if (poll.settling !== undefined) return w / (1 - w);
  return poll.odds ?? smoothedOdds(step, w);
}
