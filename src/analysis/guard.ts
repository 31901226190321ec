import { describeSpan, millis, seconds } from '../lib/units.ts';
import type { EvidenceState } from './evidence.ts';
import type { JudgeContext } from './judge.ts';
import { stableOutage } from './outage.ts';
import { type AnalysisPolicy, type CheckPolicy, componentsOf } from './policy.ts';
import type { TotalWealth } from './total.ts';
import type { InconclusiveReason } from './verdict.ts';
import { percentWords } from './words.ts';

/** A reason that no step may be taken now, and what would end it. */
export interface Held {
  readonly reason: InconclusiveReason;
  readonly because: string;
  readonly requestsNeeded?: number;
  readonly secondsNeeded?: number;
}

type Guard = (
  state: EvidenceState,
  policy: AnalysisPolicy,
  context: JudgeContext,
  total: TotalWealth,
) => Held | undefined;

/** The first guard that holds, by name. They forbid a raise; a lowering needs no permission. */
export const guard: Guard = (state, policy, context, total) => {
  for (const one of guards) {
    const held = one(state, policy, context, total);
    if (held !== undefined) return held;
  }
  return undefined;
};

const staleData: Guard = (state, policy, context) => {
  if (state.at === null) return { reason: 'stale-data', because: 'no poll has been counted yet' };
  const age = context.now - state.at;
  const interval = context.interval ?? state.interval;
  if (age <= Math.max(policy.staleAfterPolls * interval, seconds(10))) return undefined;
  const because = `the last samples of both arms are ${describeSpan(millis(age))} old`;
  return { reason: 'stale-data', because };
};

const settling: Guard = (state) =>
  state.inForceSince === null
    ? { reason: 'settling', because: 'no samples yet of a weight in force' }
    : undefined;

/** Whether the last answer of a check, or the beginning, is longer ago than data may be old. */
export function isSilent(
  state: EvidenceState,
  { name }: CheckPolicy,
  policy: AnalysisPolicy,
  context: JudgeContext,
): boolean {
  const interval = context.interval ?? state.interval;
  const slack = Math.max(policy.staleAfterPolls * interval, seconds(10));
  const at = state.checks[name]?.at ?? state.startedAt;
  return at === null || (state.at ?? at) - at > slack;
}

const partialData: Guard = (state, policy, context) => {
  const silent = policy.checks.find((check) => {
    const { better, dryRun, onEmpty } = check;
    if (better === undefined || dryRun === true || onEmpty === 'ignore') return false;
    return componentsOf(check) > 0 && isSilent(state, check, policy, context);
  });
  return silent === undefined
    ? undefined
    : { reason: 'partial-data', because: `check ${silent.name} has no fresh answer` };
};

const noRequests: Guard = ({ recent }) =>
  recent.nc + recent.ns < 0.5
    ? { reason: 'no-requests', because: 'neither version gets requests; any traffic ends this' }
    : undefined;

const split: Guard = ({ split: evidence, recent, weight }, policy) => {
  const limit = Math.log(policy.splitEvidence);
  if (Math.max(evidence.less, evidence.more) < limit) return undefined;
  const share = recent.nc / (recent.nc + recent.ns);
  if (recent.nc < 0.5) {
    const of = Math.round(recent.ns);
    const because = `the route gives the canary ${weight} %, but it gets no request of ${of}`;
    return { reason: 'no-canary-traffic', because };
  }
  const because = `the canary gets ${percentWords(share)} of the requests and not ${weight} %`;
  return { reason: 'split-mismatch', because };
};

const outage: Guard = ({ recent }, policy) => {
  if (!stableOutage(recent, policy)) return undefined;
  const failing = `stable itself fails ${percentWords(recent.xs / recent.ns)} of its requests`;
  const because = `${failing} (limit ${percentWords(policy.limit.rate)})`;
  return { reason: 'stable-outage', because };
};

const suspicious: Guard = (state, policy, _context, total) => {
  const of = `${Math.floor(total.wealth)} of ${Math.round(total.needed)}`;
  const said = `evidence against the canary is ${of}`;
  if ((state.weight ?? 0) >= 100 && total.wealth >= total.needed) {
    const because = `${said}: worse than stable was, which no longer serves`;
    return { reason: 'worse-at-full-weight', because };
  }
  return total.wealth < policy.flinch.lowerAt
    ? undefined
    : { reason: 'suspicious', because: `${said}; it must fall below ${policy.flinch.lowerAt}` };
};

/** In the order in which they answer. */
const guards: readonly Guard[] = [
  staleData,
  settling,
  noRequests,
  split,
  outage,
  partialData,
  suspicious,
];
