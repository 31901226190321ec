import type { Instant } from '../lib/units.ts';
import { advance } from './advance.ts';
import type { Poll } from './counts.ts';
import { beginEvidence } from './evidence.ts';
import { type PollRecord, remember } from './history.ts';
import { judge } from './judge.ts';
import type { AnalysisPolicy } from './policy.ts';
import type { Verdict } from './verdict.ts';

/** What a recording was judged by, for its first check. */
export interface PolicyAdjustment {
  readonly alpha?: number;
  readonly rho?: number;
  readonly delta?: number;
}

export interface ReplayInput {
  readonly polls: readonly Poll[];
  readonly policy: AnalysisPolicy;
  /** Changes to the policy that the file itself asks for. */
  readonly adjust?: PolicyAdjustment;
  /** Log of the money after each poll as it was when it happened, to compare with. */
  readonly recorded?: readonly number[];
}

export interface ReplayResult {
  /** As of the last poll. */
  readonly verdict: Verdict;
  readonly polls: readonly PollRecord[];
  readonly rejectedAt: Instant | undefined;
  /** First pass of each step, in order. */
  readonly passes: readonly {
    readonly step: number;
    readonly weight: number;
    readonly at: Instant;
  }[];
  /** First poll, from 0, whose money differs from what was recorded, if any does. */
  readonly firstDifference: number | undefined;
}

/** The judgement again, from its polls alone: as it was, or as another policy would have it. */
export function replayPolls(input: ReplayInput): ReplayResult {
  const { polls, recorded } = input;
  const policy = adjusted(input.policy, input.adjust ?? {});
  let state = beginEvidence(policy);
  const records: PollRecord[] = [];
  const passes: { step: number; weight: number; at: Instant }[] = [];
  let rejectedAt: Instant | undefined;
  for (const poll of polls) {
    state = advance(state, poll, policy);
    records.push(...remember([], poll, state, policy));
    rejectedAt ??= state.rejected?.at;
    const passed = judge(state, policy, { now: poll.at }).kind === 'pass';
    if (passed && passes.at(-1)?.step !== poll.step) {
      passes.push({ step: poll.step, weight: poll.weight, at: poll.at });
    }
  }
  const last = polls.at(-1)?.at ?? (0 as Instant);
  const differs = records.findIndex(({ lnE }, i) => differ(lnE, recorded?.[i]));
  return {
    verdict: judge(state, policy, { now: last }),
    polls: records,
    rejectedAt,
    passes,
    firstDifference: differs < 0 ? undefined : differs,
  };
}

/** Recordings may come from another program: alike to a relative 10⁻⁹. */
const differ = (now: number, then: number | undefined): boolean =>
  then !== undefined && Math.abs(now - then) > 1e-9 * Math.max(1, Math.abs(then));

function adjusted(policy: AnalysisPolicy, adjust: PolicyAdjustment): AnalysisPolicy {
  const checks = policy.checks.map((check, i) => {
    const { rho = check.worse.rho, delta = check.worse.delta } = i === 0 ? adjust : {};
    return { ...check, worse: { rho, delta } };
  });
  return { ...policy, alpha: adjust.alpha ?? policy.alpha, checks };
}
