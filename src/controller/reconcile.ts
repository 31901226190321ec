import type { EvidenceState } from '../analysis/evidence.ts';
import { explainPoll, type PollRecord } from '../analysis/explained.ts';
import { type FlinchAdvice, flinchAdvice } from '../analysis/flinch.ts';
import { judge } from '../analysis/judge.ts';
import type { AnalysisPolicy } from '../analysis/policy.ts';
import type { Verdict } from '../analysis/verdict.ts';
import { invariant } from '../lib/errors.ts';
import { instant, type Millis, millis } from '../lib/units.ts';
import { storedStream } from '../metric-sources/poll-stream.ts';
import type { Action } from '../rollout/action.ts';
import { decide } from '../rollout/decide.ts';
import type { Decision } from '../rollout/decision.ts';
import { brokenBy } from '../rollout/invariants.ts';
import { nextWrite } from '../rollout/mechanism.ts';
import {
  carriedIndex,
  leastWeight,
  marks,
  routeWeight,
  type Snapshot,
  stateOf,
} from '../rollout/snapshot.ts';
import { type RolloutState, rolloutId } from '../rollout/state.ts';
import type { DeploymentView } from '../rollout/views.ts';
import { policyOf } from './analysis-policy.ts';
import { type Carried, evidenceOf, isWarming, seePods, takeReadings } from './evidence.ts';
import { execute } from './execute.ts';
import { ladderChoice } from './ladder.ts';
import type { RolloutMemory } from './memory.ts';
import { observe, pauseModeOf } from './observe.ts';
import type { Parts } from './parts.ts';
import { pollsOf } from './poll-book.ts';
import { readAsked } from './read-annotations.ts';
import { keyOf, sample } from './sample.ts';
import { afterRestart, excused, withEarlier } from './sick-pod.ts';
import { withSummary } from './summary.ts';
import { tell, tellLoss } from './tell.ts';

/** What the worker does with the key next. */
export type Next =
  | { readonly kind: 'again' }
  | { readonly kind: 'later'; readonly after: Millis }
  | { readonly kind: 'idle' };

/**
 * One pass over one Deployment: observe → judge → decide → act. At most one write; the pass after
 * it sees its effect
 * and goes on from there, in this process or in the next.
 */
export async function reconcile(
  deployment: DeploymentView,
  memory: RolloutMemory,
  parts: Parts,
  signal: AbortSignal,
): Promise<Next> {
  memory.restingSince = undefined;
  const pauseMode = await modeOf(deployment, parts, signal);
  const now = parts.clock.now();
  const seen = observe(deployment, parts.cluster, memory, parts.settings, { now, pauseMode });
  const snapshot = judged(seen.snapshot, memory, parts);
  const decision = decide(snapshot);
  const next = nextWrite(snapshot, decision);
  sample(snapshot, decision, memory, parts);
  tell(snapshot, decision, next, seen.requestProblem, memory, parts);
  memory.decision = decision;
  if (next.kind === 'write') {
    const broken = brokenBy(next.action, snapshot);
    invariant(broken === undefined, `${next.action.kind}: ${broken}`);
    const started = parts.clock.monotonic();
    await execute(withSummary(next.action, snapshot, decision), snapshot, parts.effects, signal);
    parts.acted(next.action, snapshot, memory, started);
    return afterWrite(next.action, memory);
  }
  memory.restingSince = parts.clock.monotonic();
  return waitFor(next.kind === 'wait' ? next.lookAgain : undefined, decision, snapshot);
}

/**
 * The answer of a write is in the cache already, but a deletion is seen only by the watch, which
 * wakes the key; so does whatever makes the same write necessary twice.
 */
function afterWrite(action: Action, memory: RolloutMemory): Next {
  const unseen = action.kind.startsWith('delete-') || memory.lastAction === action.kind;
  memory.lastAction = action.kind;
  return unseen ? { kind: 'later', after: watchPatience } : { kind: 'again' };
}

const watchPatience = millis(50);

/**
 * The API server is asked once how it treats a changed template; marks on the Deployment come
 * first.
 */
async function modeOf(deployment: DeploymentView, parts: Parts, signal: AbortSignal) {
  const asked = readAsked(deployment, parts.settings);
  const probed =
    // The policy looks at this very value: `yes` would pass for a cluster without the policy.
    deployment.annotations[marks.enabled] === 'true' &&
    !deployment.paused &&
    deployment.replicas > 0 &&
    asked.spec?.pause === undefined
      ? await parts.probe.ask(deployment, signal)
      : (parts.probe.mode() ?? 'on-change');
  return pauseModeOf(deployment, asked.spec?.pause, probed);
}

/** Counts what the last ticks brought and says what it means. */
function judged(seen: Snapshot, memory: RolloutMemory, parts: Parts): Snapshot {
  const recorded = stateOf(seen);
  if (recorded === undefined) return seen;
  const rollout = rolloutId(recorded);
  if (memory.rollout !== rollout) parts.forget(memory, rollout);
  const policy = policyOf(recorded, memory, parts);
  const s = afterRestart(seen, policy, memory, parts);
  const state = stateOf(s) ?? recorded;
  const carried = carriedBy(s, state, parts);
  seePods(memory, s, state, policy);
  for (const readings of memory.inbox.splice(0)) {
    takeReadings(memory, readings, policy, carried, (poll, evidence) => {
      parts.polls.add(keyOf(s), pollsOf(state), explainPoll(poll, evidence, policy));
    });
  }
  const evidence = memory.evidence ?? evidenceOf(state, policy);
  const isLost = evidence.alphaShare < (state.alphaShare ?? 1);
  if (isLost) tellLoss(s, evidence, memory, parts);
  const judgement = judge(evidence, policy, { now: s.now, warming: isWarming(s.now, carried) });
  const told = withExcess(explained(judgement, memory), parts.polls.last(keyOf(s), pollsOf(state)));
  const ofStep = withEarlier(ofThisStep(told, evidence, s), state.restartedPod);
  const { verdict, sickPod, isNew } = excused(ofStep, s, evidence, policy, memory);
  if (memory.firstFailureAt === undefined && verdict.failedRequests > 0) {
    memory.firstFailureAt = state.failedRequests > 0 ? null : (evidence.at ?? s.now);
  }
  const choice = ladderChoice(state, memory, policy);
  const current: RolloutState = {
    ...state,
    ...(choice === undefined || state.ladder === null ? {} : { ladder: choice.ladder }),
    bounds: state.bounds ?? memory.bounds ?? null,
    evidence,
    ...(evidence.alphaShare < 1 ? { alphaShare: evidence.alphaShare } : {}),
    stream: memory.stream === undefined ? state.stream : (storedStream(memory.stream) ?? null),
    exposedRequests: verdict.exposedRequests,
    failedRequests: verdict.failedRequests,
    delivered: [...new Set([...state.delivered, ...memory.settledNotices])].slice(-32),
  };
  const flinch = suspicion(s, state, evidence, policy);
  // Another process may have recorded last; a loss is recorded at once, or the next costs no more.
  memory.lastRecordedAt ??= state.summary.updatedAt;
  const lastRecordedAt = isLost || isNew === true ? instant(0) : memory.lastRecordedAt;
  return { ...s, state: current, verdict, flinch, sickPod, ladder: choice, lastRecordedAt };
}

function carriedBy(s: Snapshot, state: RolloutState, parts: Parts): Carried {
  const mark = s.route?.record?.mark;
  return {
    state,
    routeWeight: routeWeight(s),
    leastWeight: leastWeight(s),
    propagation: s.limits.propagation,
    flinchedAt: mark?.kind === 'flinch' ? mark.at : undefined,
    acceptedAt: s.routeAcceptedSince,
    warmUp: parts.settings.config.profiles.get(state.spec.profile)?.warmUp ?? millis(0),
    replicas: s.deployment.replicas,
  };
}

/** Only a step that is in force can be too much. */
function suspicion(
  s: Snapshot,
  state: RolloutState,
  evidence: EvidenceState,
  policy: AnalysisPolicy,
): FlinchAdvice | undefined {
  const { index, to, inForceAt } = state.step;
  if (inForceAt === null || index >= state.spec.steps.length || s.adopted) return undefined;
  return evidence.weight === routeWeight(s) ? flinchAdvice(evidence, policy, to) : undefined;
}

/** Data that are missing have a reason of their own, which says more than that they are missing. */
function explained(verdict: Verdict, memory: RolloutMemory): Verdict {
  const { unusable } = memory;
  if (unusable === undefined || verdict.kind !== 'inconclusive') return verdict;
  if (verdict.reason !== 'stale-data' && verdict.reason !== 'partial-data') return verdict;
  return { ...verdict, because: `${unusable.code}: ${unusable.detail}` };
}

/** What the last poll said of the check that failed, for people. */
function withExcess(verdict: Verdict, poll: PollRecord | undefined): Verdict {
  const { blame } = verdict;
  if (verdict.kind !== 'fail') return verdict;
  const excess = poll?.checks.find(({ check }) => check === blame?.check)?.excess();
  return blame === undefined || !excess ? verdict : { ...verdict, blame: { ...blame, excess } };
}

/** A pass is good for the step it was earned in, and for no other (S2). */
function ofThisStep(verdict: Verdict, evidence: EvidenceState, s: Snapshot): Verdict {
  const inForceAt = stateOf(s)?.step.inForceAt;
  const earnedHere =
    evidence.step === carriedIndex(s) &&
    evidence.weight === routeWeight(s) &&
    evidence.inForceSince !== null &&
    (!inForceAt || evidence.inForceSince >= inForceAt);
  if (verdict.kind !== 'pass' || earnedHere) return verdict;
  const because = 'no samples of this weight yet';
  return { ...verdict, kind: 'inconclusive', reason: 'settling', because };
}

/**
 * A rollout under way is looked at so often even if nothing is heard: guards and deadlines pass by
 * time alone. A little more than the shortest scrape interval: where polls come once a second, they
 * alone wake it.
 */
const longestUnseen = millis(1250);

function waitFor(asked: Millis | undefined, decision: Decision, s: Snapshot): Next {
  const spans = [asked, decision.lookAgain, stateOf(s) === undefined ? undefined : longestUnseen];
  const known = spans.filter((span) => span !== undefined);
  return known.length === 0
    ? { kind: 'idle' }
    : { kind: 'later', after: Math.min(...known) as Millis };
}
