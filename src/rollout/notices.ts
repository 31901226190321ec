import { ladderWords, stepWords } from '../analysis/ladder-words.ts';
import { shortHash } from '../lib/hash.ts';
import { elapsed, millis, percent } from '../lib/units.ts';
import type { Decision } from './decision.ts';
import type { ImageChange, Notice, NoticeKind } from './notice.ts';
import { isPromoted } from './overturned.ts';
import {
  carriedIndex,
  marks,
  noticePending,
  rejectionOf,
  routeWeight,
  type Snapshot,
  since,
  stateOf,
  wantedRevision,
} from './snapshot.ts';
import { noticeId, type RolloutState, startNoticeId } from './state.ts';

/**
 * What people should be told now, by what is so and not by what happens: asked again after a
 * restart it says the same,
 * with the same id, and nobody is told twice.
 */
export function noticesFor(s: Snapshot, decision: Decision, heldFor: number): readonly Notice[] {
  return [
    ...started(s, decision),
    ...ended(s, decision),
    ...held(s, decision, heldFor),
    ...invalid(s, decision),
  ].filter(
    (notice) =>
      !s.settledNotices.has(notice.id) && stateOf(s)?.delivered.includes(notice.id) !== true,
  );
}

/** While the first weight is in force, and only then: later it is no news. */
function started(s: Snapshot, decision: Decision): readonly Notice[] {
  const state = stateOf(s);
  if (state === undefined || state.step.index !== 0 || state.step.inForceAt === null) return [];
  if (decision.goal.kind === 'roll-back' || state.outcome !== null) return [];
  if (!noticePending(s, 'started')) return [];
  const { steps } = state.spec;
  const because = (state.ladder ? ladderWords(state.ladder, steps) : undefined) ?? stepWords(steps);
  const { metric: _none, ...notice } = noticeOf(s, decision, 'started', startNoticeId(state));
  return [{ ...notice, because }];
}

/** The cut is made and the rejection is on record: whoever is told now can rely on it. */
function rolledBack(s: Snapshot, { revision }: RolloutState, { goal }: Decision) {
  const isTold = routeWeight(s) === 0 && rejectionOf(s, revision) !== undefined;
  return goal.kind === 'roll-back' && isTold ? goal.outcome : undefined;
}

/** After the write that matters to users: the cut, or the adoption. */
function ended(s: Snapshot, decision: Decision): readonly Notice[] {
  const state = stateOf(s);
  if (state === undefined) return endedWithoutCanary(s, decision);
  const outcome = rolledBack(s, state, decision);
  if (outcome !== undefined) {
    const notice = noticeOf(s, decision, 'rollback', noticeId(state, 'rollback'));
    const metric = outcome.metric ?? s.verdict?.blame;
    return [
      {
        ...notice,
        rule: outcome.rule,
        because: outcome.because,
        weight: outcome.weight,
        step: outcome.step,
        ...(metric === undefined ? {} : { metric }),
      },
    ];
  }
  if (isPromoted(s) && state.step.index >= state.spec.steps.length) {
    const because = 'every step passed';
    const notice = noticeOf(s, decision, 'promotion', noticeId(state, 'promotion'));
    return [{ ...notice, because, weight: percent(100), step: state.spec.steps.length }];
  }
  return [];
}

/**
 * Somebody has deleted the canary, and the state with it, before people could be told: the mark on
 * the route says why it was cut, and when.
 */
function endedWithoutCanary(s: Snapshot, decision: Decision): readonly Notice[] {
  const mark = s.route?.record?.mark;
  if (decision.goal.kind !== 'roll-back' || mark === undefined || routeWeight(s) > 0) return [];
  const { revision, rule, because, at, startedAt } = mark;
  const rejection = rejectionOf(s, revision);
  if (s.canary !== undefined || rejection === undefined) return [];
  const { attempt } = rejection;
  const ofAttempt = [s.deployment.uid, revision, attempt, ''].join('/');
  // Who never saw the state could not say when the rollout began: any of the attempt is this one.
  const isTold =
    startedAt === undefined &&
    [...s.settledNotices].some((id) => id.startsWith(ofAttempt) && id.endsWith('/rollback'));
  if (isTold) return [];
  const rollout = {
    deploymentUid: s.deployment.uid,
    revision,
    attempt,
    startedAt: startedAt ?? at,
  };
  const { metric: _none, ...notice } = noticeOf(
    s,
    decision,
    'rollback',
    noticeId(rollout, 'rollback'),
  );
  return [{ ...notice, revision, attempt, rule, because }];
}

function held(s: Snapshot, decision: Decision, heldFor: number): readonly Notice[] {
  const state = stateOf(s);
  if (state === undefined) return [];
  const step = carriedIndex(s) + 1;
  // Who is to restart a pod has to know at once.
  const isUrgent = decision.rule === 'restartAwaited';
  if (decision.phase === 'holding' && (isUrgent || heldFor >= s.limits.holdNotice)) {
    const reason = s.verdict?.kind === 'inconclusive' ? s.verdict.reason : decision.rule;
    return [noticeOf(s, decision, 'hold', noticeId(state, 'hold', `${step}-${reason}`))];
  }
  if (decision.phase === 'paused' && state.pause !== null) {
    const detail = `${step}-${state.pause.at}`;
    return [noticeOf(s, decision, 'paused', noticeId(state, 'paused', detail))];
  }
  return [];
}

/** Without live state, the Deployment itself remembers that people were told. */
function invalid(s: Snapshot, decision: Decision): readonly Notice[] {
  if (decision.goal.kind !== 'invalid') return [];
  if (!since(s.problemsSince, s.limits.problemNotice, s.now)) return [];
  const id = invalidNoticeId(s);
  if (s.deployment.annotations[marks.notified] === invalidMark(s)) return [];
  return [noticeOf(s, decision, 'invalid', id)];
}

/** Longest reason kept on the Deployment, in characters. */
const longestReason = 900;

/**
 * What the Deployment keeps of it: people who cannot read our configuration find the reason here.
 */
export const invalidMark = (s: Snapshot): string => {
  const reason = s.problems.map((problem) => problem.message).join('; ');
  return `${invalidNoticeId(s)} ${reason.slice(0, longestReason)}`;
};

export const invalidNoticeId = (s: Snapshot): string =>
  [
    s.deployment.uid,
    'invalid',
    shortHash(s.problems.map((problem) => problem.message).join('\n')),
  ].join('/');

function noticeOf(s: Snapshot, decision: Decision, kind: NoticeKind, id: string): Notice {
  const state = stateOf(s);
  const metric = s.verdict?.blame;
  return {
    id,
    kind,
    at: s.now,
    namespace: s.deployment.namespace,
    deployment: s.deployment.name,
    revision: state?.revision ?? wantedRevision(s),
    attempt: state?.attempt ?? 1,
    images: imageChanges(s),
    rule: decision.rule,
    because: decision.because,
    weight: routeWeight(s),
    step: Math.max(0, carriedIndex(s) + 1),
    steps: state?.spec.steps.length ?? s.spec?.steps.length ?? 0,
    ...(metric === undefined ? {} : { metric }),
    exposedRequests: s.verdict?.exposedRequests ?? state?.exposedRequests ?? 0,
    failedRequests: s.verdict?.failedRequests ?? state?.failedRequests ?? 0,
    duration: state === undefined ? millis(0) : elapsed(state.startedAt, s.now),
    notifiers: state?.spec.notify ?? s.spec?.notify ?? [],
  };
}

/** Containers whose image differs between stable and canary. */
function imageChanges(s: Snapshot): readonly ImageChange[] {
  const to = s.canary?.images ?? s.deployment.images;
  const from = s.stable?.images ?? {};
  return Object.entries(to)
    .filter(([container, image]) => from[container] !== image)
    .map(([container, image]) => ({ container, from: from[container] ?? 'none', to: image }));
}
