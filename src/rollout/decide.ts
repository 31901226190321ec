import { describeSpan, elapsed, millis, percent } from '../lib/units.ts';
import { awaitsShift, isUnderWay, mostWeight } from './awaited-shift.ts';
import { type Answer, answer, type Decision } from './decision.ts';
import { afterFlinch, isFlinched, isTakenBack } from './flinched.ts';
import { heldBecause, isGuard } from './hold.ts';
import { isOverturned, overturning } from './overturned.ts';
import { requestFor } from './request.ts';
import { awaitRestart, restartOverdue, takeOffSickPod } from './sick-pod.ts';
import {
  carriedIndex,
  isPinnedByUs,
  leastWeight,
  markKeys,
  marks,
  rejectionOf,
  routeCarries,
  routeWeight,
  type Snapshot,
  servesWanted,
  since,
  stateOf,
  wantedRevision,
} from './snapshot.ts';
import type { Outcome, RolloutState } from './state.ts';
import { brokenPods } from './trouble.ts';

/** A rule answers, or passes by saying `undefined`. */
export type Rule = (s: Snapshot) => Answer | undefined;

/**
 * Rules are tried top to bottom; the first answer wins. The order is the policy: what must be
 * finished, then whose Deployment it is, then safety, then what cannot be judged, then progress.
 */
export const rules = {
  promotionOverturned: (s) =>
    isOverturned(s)
      ? withdraw(
          s,
          overturning,
          'the template was the stable one again before the canary was adopted',
        )
      : undefined,
  // Once the Deployment has adopted the canary there is no way back: roll forward.
  promotionUnderWay: (s) =>
    s.adopted
      ? answer('promoting', { kind: 'promote' }, 'the Deployment has adopted the canary')
      : undefined,
  rollbackUnderWay: (s) => finishRollback(s),
  optedOut: (s) => (s.optedIn ? undefined : leave(s)),
  canaryLost: (s) =>
    s.canary === undefined && s.route?.record !== undefined
      ? withdraw(s, 'canaryLost', 'the canary ReplicaSet is gone while the route still names it')
      : undefined,
  retryRequested: (s) => retry(s),
  // I12: a rejected revision is never tried again by itself, whoever brings it back.
  rejectedBefore: (s) => {
    const rejection = rejectionOf(s, wantedRevision(s));
    if (s.canary !== undefined || rejection === undefined || servesWanted(s)) return undefined;
    return answer('rejected', { kind: 'rejected', rejection }, rejection.because);
  },
  nothingToCompare: (s) => withoutStable(s),
  // T5: a native rollout has begun beside the canary; the pinned Service would run empty.
  resumedByHand: (s) =>
    s.canary !== undefined && !s.deployment.paused
      ? withdraw(
          s,
          'resumedByHand',
          'the Deployment was resumed by somebody else and rolls natively',
        )
      : undefined,
  templateReverted: (s) =>
    servesWanted(s) && hasTraces(s)
      ? withdraw(s, 'templateReverted', 'the template is the stable one again')
      : undefined,
  // T8: something in the API server changed our copy, so what was tested would not be what runs.
  templateMutated: (s) =>
    s.canary !== undefined && s.canary.templateHash !== s.canary.podHash
      ? rollBack(
          s,
          'templateMutated',
          'the canary ReplicaSet does not have the template of the Deployment',
        )
      : undefined,
  templateChanged: (s) =>
    s.canary !== undefined && s.canary.podHash !== wantedRevision(s)
      ? withdraw(s, 'templateChanged', `revision ${wantedRevision(s)} takes the place of this one`)
      : undefined,
  // Its end is recorded before the route is its user's own: from then on it is taken away, whatever
  // is asked for by now.
  withdrawalUnderWay: (s) => {
    const isLeaving = s.canary?.replicas === 0 || s.route?.record === undefined;
    const end = isLeaving ? stateOf(s)?.outcome : undefined;
    return end?.kind === 'superseded' ? withdraw(s, end.rule, end.because) : undefined;
  },
  unchanged: (s) =>
    s.canary === undefined && servesWanted(s) && s.problems.length === 0
      ? answer('rest', { kind: 'rest' }, 'the template has not changed')
      : undefined,
  invalid: (s) =>
    s.canary === undefined && s.problems.length > 0
      ? answer('invalid', { kind: 'invalid' }, s.problems.map((p) => p.message).join('; '))
      : undefined,
  rolledNatively: (s) =>
    s.canary === undefined && (s.active.length > 1 || !s.deployment.paused)
      ? answer(
          'rest',
          { kind: 'rest' },
          'a native rollout is under way; the next template is a canary',
        )
      : undefined,
  stateUnreadable: (s) =>
    s.state === 'unreadable'
      ? rollBack(s, 'stateUnreadable', 'the state annotation was changed or cannot be read')
      : undefined,
  rollbackRequested: (s) =>
    onRequest(s, 'rollback', (by) => rollBack(s, 'rollbackRequested', `${by} asked for it`)),
  podsBroken: (s) => {
    const broken = brokenPods(s);
    return broken === undefined ? undefined : rollBack(s, 'podsBroken', broken);
  },
  evidenceWorse: (s) =>
    s.verdict?.kind === 'fail' ? rollBack(s, 'evidenceWorse', s.verdict.because) : undefined,
  sickPod: (s) => takeOffSickPod(s),
  flinch: (s) =>
    s.flinch?.kind === 'lower'
      ? answer(
          'holding',
          { kind: 'flinch', to: s.flinch.to, because: s.flinch.because },
          s.flinch.because,
        )
      : undefined,
  podsNotReady: (s) =>
    since(s.canaryUnavailableSince, s.limits.canaryReady, s.now)
      ? rollBack(
          s,
          'podsNotReady',
          `canary pods are not ready after ${describeSpan(s.limits.canaryReady)}`,
        )
      : undefined,
  routeRefused: (s) => refusedRoute(s),
  weightChangedByHand: (s) => handOnRoute(s),
  pauseRequested: (s) =>
    onRequest(s, 'pause', (by, state) => pause(s, state, by, `${by} asked for it`)),
  resumeRequested: (s) => onRequest(s, 'resume', (_by, state) => resume(s, state)),
  promoteRequested: (s) =>
    onRequest(s, 'promote', (by, { requestId }) =>
      answer('promoting', { kind: 'promote', requestId }, `${by} asked for it`),
    ),
  // After a resume at the end of the ladder a hand may lower it again: then the pause holds.
  promoting: (s) =>
    carriedIndex(s) >= (s.spec?.steps.length ?? 0) && !(isPaused(s) && leastWeight(s) < 100)
      ? answer('promoting', { kind: 'promote' }, 'all steps have passed')
      : undefined,
  paused: (s) => {
    const held = stateOf(s)?.pause;
    return held ? answer('paused', { kind: 'hold' }, `paused: ${held.because}`) : undefined;
  },
  restartAwaited: (s) => {
    const late = restartOverdue(s);
    return late === undefined ? awaitRestart(s) : rollBack(s, 'restartAwaited', late);
  },
  flinched: (s) => afterFlinch(s),
  skipRequested: (s) =>
    onRequest(s, 'skip-step', (by, state) =>
      advance(s, `${by} asked to skip the step`, state.requestId),
    ),
  firstStep: (s) =>
    carriedIndex(s) < 0
      ? answer(
          'preparing',
          { kind: 'carry', index: 0 },
          'bringing up the canary for its first step',
        )
      : undefined,
  weightNotInForce: (s) =>
    isUnderWay(s)
      ? answer(
          'progressing',
          { kind: 'carry', index: carriedIndex(s) },
          'waiting for the route to be in force',
        )
      : undefined,
  cannotJudge: (s) => {
    const verdict = s.verdict;
    if (verdict?.kind !== 'inconclusive' || !isGuard(verdict.reason)) return undefined;
    return answer('holding', { kind: 'hold' }, `${verdict.reason}: ${verdict.because}`);
  },
  stepTooLong: (s) => overdue(s),
  baking: (s) => bake(s),
  stepPassed: (s) =>
    s.verdict?.kind === 'pass' ? advance(s, s.verdict.because, undefined) : undefined,
  gathering: (s) => answer('progressing', { kind: 'hold' }, heldBecause(s.verdict)),
} satisfies Record<string, Rule>;

export type RuleName = keyof typeof rules;
export const ruleNames = Object.keys(rules) as RuleName[];

/** What should be true now, and which rule says so. */
export function decide(s: Snapshot): Decision {
  for (const rule of ruleNames) {
    const found: Answer | undefined = rules[rule](s);
    if (found !== undefined) return { rule, ...found };
  }
  // The last rule always answers.
  return { rule: 'gathering', ...answer('progressing', { kind: 'hold' }, 'gathering evidence') };
}

/** Anything of ours beside the annotations the user wrote. */
const hasTraces = (s: Snapshot): boolean =>
  s.canary !== undefined || s.route?.record !== undefined || s.leftovers.length > 0 || isMarked(s);

const isMarked = (s: Snapshot): boolean => s.deployment.annotations[marks.rollout] !== undefined;

/** The pause is ours and not the user's. */
const isPausedByUs = (s: Snapshot): boolean =>
  s.deployment.paused &&
  (isMarked(s) || s.deployment.annotations[marks.originalProgressDeadline] !== undefined);

const isPaused = (s: Snapshot): boolean => (stateOf(s)?.pause ?? null) !== null;

function leave(s: Snapshot): Answer {
  const marked =
    hasTraces(s) ||
    s.leftoverServices.length > 0 ||
    isPinnedByUs(s) ||
    markKeys.some((key) => s.deployment.annotations[key] !== undefined);
  return marked
    ? answer('opting-out', { kind: 'opt-out' }, 'the opt-in annotation was removed')
    : answer('rest', { kind: 'ignore' }, 'not opted in');
}

/** A rejected mark on the route or the Deployment is durable: nobody raises it again (S4). */
function finishRollback(s: Snapshot): Answer | undefined {
  const mark = s.route?.record?.mark;
  const revision = s.canary?.podHash ?? s.route?.record?.revision;
  if (mark?.kind === 'rejected' && mark.revision === revision) {
    return rollBack(s, mark.rule, mark.because);
  }
  const rejection = s.canary === undefined ? undefined : rejectionOf(s, s.canary.podHash);
  return rejection === undefined ? undefined : rollBack(s, rejection.rule, rejection.because);
}

/** No ReplicaSet serves: there is nothing to canary against. */
function withoutStable(s: Snapshot): Answer | undefined {
  const emptied = s.deployment.replicas === 0 && s.canary !== undefined;
  if (s.stable !== undefined && !emptied) return undefined;
  if (s.canary !== undefined || s.route?.record !== undefined) {
    return withdraw(s, 'nothingToCompare', 'no stable ReplicaSet is left to compare with');
  }
  // One that is scaled to zero is enough, whether or not its pods have ended: the Deployment scales
  // it by itself (T4), and a second one with the same template would be a twin (T2).
  return isPausedByUs(s) && s.active.length === 0 && s.twins.length === 0
    ? answer('rest', { kind: 'bootstrap' }, 'no ReplicaSet serves yet: the template is stable')
    : answer('rest', { kind: 'rest' }, 'waiting for a first ReplicaSet');
}

function retry(s: Snapshot): Answer | undefined {
  const { request } = s;
  const rejection = rejectionOf(s, wantedRevision(s));
  if (request?.verb !== 'retry' || rejection === undefined || s.canary !== undefined)
    return undefined;
  if (request.revision !== rejection.revision) return undefined;
  const attempt = rejection.attempt + 1;
  return answer(
    'preparing',
    { kind: 'retry', attempt },
    `${request.by ?? 'somebody'} asked for attempt ${attempt}`,
  );
}

function onRequest(
  s: Snapshot,
  verb: string,
  act: (by: string, state: RolloutState & { readonly requestId: string }) => Answer | undefined,
): Answer | undefined {
  const found = requestFor(s, verb);
  return found === undefined ? undefined : act(found.by, found.state);
}

const pause = (s: Snapshot, state: RolloutState, by: string, because: string): Answer =>
  answer(
    'paused',
    { kind: 'record', state: { ...state, pause: { by, at: s.now, because } } },
    because,
  );

/**
 * A weight that somebody lowered meanwhile goes back to the step's: that is what resuming asks for.
 * A raise that was only recorded is not made by it: it needs a fresh pass, or is asked for anew.
 */
function resume(s: Snapshot, state: RolloutState): Answer {
  const { step } = state;
  const from = leastWeight(s);
  const again = { ...step, fromIndex: step.index, from, raisedAt: s.now, inForceAt: null };
  const lowered = step.index >= 0 && from < step.to && !awaitsShift(s, state);
  const next = { ...state, pause: null, step: lowered ? again : step };
  return answer('progressing', { kind: 'record', state: next }, 'resumed');
}

function refusedRoute(s: Snapshot): Answer | undefined {
  const refusal = s.route?.refusal;
  if (refusal === undefined || s.route?.record === undefined) return undefined;
  const waited = s.routeRefusedSince === undefined ? 0 : elapsed(s.routeRefusedSince, s.now);
  return waited >= s.limits.routeAccepted
    ? rollBack(s, 'routeRefused', `the gateway refuses the route: ${refusal}`)
    : answer(
        'holding',
        { kind: 'hold' },
        `the gateway refuses the route: ${refusal}`,
        millis(1000),
      );
}

/**
 * A lower weight without a mark of ours, in one rule or in all, is somebody's hand: keep it, pause,
 * report. A higher one is undone.
 */
function handOnRoute(s: Snapshot): Answer | undefined {
  const state = stateOf(s);
  if (state === undefined || s.route === undefined || state.step.index < 0) return undefined;
  const to = mostWeight(s, state);
  const weight = routeWeight(s);
  const isAbove = weight > to;
  const awaits = awaitsShift(s, state);
  if (routeCarries(s, state.step.to) || isFlinched(s, to) || (awaits && !isAbove)) return undefined;
  if (state.pause !== null && !isAbove) return undefined;
  if (isTakenBack(s)) return undefined;
  const carried = isAbove ? weight : leastWeight(s);
  const said = `the route carries ${carried} % and not ${to} %: changed by somebody else`;
  if (!isAbove) return pause(s, state, 'route', said);
  const index = awaits ? carriedIndex(s) : state.step.index;
  return answer('progressing', { kind: 'carry', index }, said);
}

function overdue(s: Snapshot): Answer | undefined {
  const inForceAt = stateOf(s)?.step.inForceAt;
  const limit = s.spec?.maxStep;
  if (!inForceAt || limit === undefined || s.verdict?.kind === 'pass') return undefined;
  return elapsed(inForceAt, s.now) >= limit
    ? answer(
        'holding',
        { kind: 'hold' },
        `no verdict within ${describeSpan(limit)}; a person must decide`,
      )
    : undefined;
}

function bake(s: Snapshot): Answer | undefined {
  const state = stateOf(s);
  if (s.spec === undefined || !state?.step.inForceAt) return undefined;
  if (state.step.index !== s.spec.steps.length - 1) return undefined;
  const left = s.spec.bake - elapsed(state.step.inForceAt, s.now);
  return left > 0
    ? answer(
        'progressing',
        { kind: 'hold' },
        `baking for another ${describeSpan(millis(left))}`,
        millis(left),
      )
    : undefined;
}

/** A raise needs a fresh pass for the step in force; the last step's leads to promotion. */
function advance(s: Snapshot, because: string, requestId: string | null | undefined): Answer {
  const next = carriedIndex(s) + 1;
  const by = requestId ? { requestId } : {};
  return next >= (s.spec?.steps.length ?? 0)
    ? answer('promoting', { kind: 'promote', ...by }, because)
    : answer('progressing', { kind: 'carry', index: next, ...by }, because);
}

const rollBack = (s: Snapshot, rule: string, because: string): Answer =>
  answer(
    'rolling-back',
    { kind: 'roll-back', outcome: outcome(s, 'rollback', rule, because) },
    because,
  );

const withdraw = (s: Snapshot, rule: string, because: string): Answer =>
  answer(
    'rolling-back',
    { kind: 'withdraw', outcome: outcome(s, 'superseded', rule, because) },
    because,
  );

function outcome(s: Snapshot, kind: Outcome['kind'], rule: string, because: string): Outcome {
  const state = stateOf(s);
  if (state?.outcome?.kind === kind) return state.outcome;
  const metric = s.verdict?.blame;
  return {
    kind,
    rule,
    because,
    at: s.now,
    weight: percent(Math.max(routeWeight(s), state?.summary.weight ?? 0)),
    step: Math.max(0, carriedIndex(s) + 1),
    ...(metric === undefined ? {} : { metric }),
  };
}
