import type { Action } from '../rollout/action.ts';
import type { Decision } from '../rollout/decision.ts';
import { carriedIndex, routeWeight, type Snapshot, stateOf } from '../rollout/snapshot.ts';
import type { CheckSummary, RolloutState, StatusSummary } from '../rollout/state.ts';

/** Every state that is written carries what people may want to read without asking us. */
export function withSummary(action: Action, s: Snapshot, decision: Decision): Action {
  switch (action.kind) {
    case 'record':
    case 'create-canary':
    case 'adopt-canary':
      return {
        ...action,
        state: { ...action.state, summary: summaryOf(s, decision, action.state) },
      };
    default:
      return action;
  }
}

export function summaryOf(s: Snapshot, decision: Decision, state: RolloutState): StatusSummary {
  const [rule, because] = wordsOf(s, decision, state);
  const step = state.step.inForceAt === null ? carriedIndex(s) : state.step.index;
  return {
    phase: decision.phase,
    rule,
    because: because.slice(0, 512),
    weight: routeWeight(s),
    step: Math.max(0, Math.min(step + 1, state.spec.steps.length)),
    checks: checkSummaries(s),
    updatedAt: s.now,
  };
}

/** A step that is just recorded as in force is what people will read about for a while. */
function wordsOf(s: Snapshot, decision: Decision, state: RolloutState): readonly [string, string] {
  const begins = state.step.inForceAt !== null && stateOf(s)?.step.inForceAt === null;
  return begins && decision.rule === 'weightNotInForce'
    ? ['gathering', `gathering evidence at ${state.step.to} %`]
    : [decision.rule, decision.because];
}

export function checkSummaries(s: Snapshot): readonly CheckSummary[] {
  return (s.verdict?.checks ?? []).map((report) => ({
    check: report.check,
    canaryRatio: share(report.canary),
    stableRatio: share(report.stable),
    ...(report.per === undefined ? {} : { per: report.per }),
    evidence: rounded(report.evidence),
    promotion: rounded(report.promotion ?? 0),
    // Most checks act, and the annotation has little room.
    ...(report.dryRun ? { dryRun: true } : {}),
  }));
}

const share = ({ bad, total }: { readonly bad: number; readonly total: number }): number =>
  total > 0 ? bad / total : 0;

/** For people; and a number that JSON can hold. */
const rounded = (value: number): number => Number(Math.min(value, 1e15).toPrecision(4));
