import type { Action } from './action.ts';
import { marked } from './ascend.ts';
import {
  noLatePin,
  noLeftover,
  noLeftoverService,
  progressingRejected,
  tellsRejection,
  waiting,
} from './conditions.ts';
import type { Condition, Waiting } from './mechanism.ts';
import { invalidMark, invalidNoticeId } from './notices.ts';
import { marks, type Snapshot, wantedRevision } from './snapshot.ts';

/**
 * Largest deadline the API allows: with it the Deployment controller leaves `Progressing` to us
 * (T16).
 */
export const endlessDeadline = 2_147_483_647;

/** Nothing to do at rest, but in `at-rest` mode to keep the Deployment paused. */
export const rest: readonly Condition[] = [
  {
    name: 'rejection is forgiven',
    met: (_s, d) => d.goal.kind !== 'retry',
    toward: (_s, d): Action => ({
      kind: 'forget-rejection',
      attempt: d.goal.kind === 'retry' ? d.goal.attempt : 1,
    }),
  },
  {
    name: 'a ReplicaSet serves the template',
    met: (_s, d) => d.goal.kind !== 'bootstrap',
    toward: (): Action => ({ kind: 'bootstrap' }),
  },
  {
    // The same problem, should it come back, is worth a notice again.
    name: 'no mark of a problem that is over',
    met: (s) => s.problems.length > 0 || s.deployment.annotations[marks.notified] === undefined,
    toward: (): Action => ({ kind: 'mark-notified', id: null }),
  },
  noLeftover,
  noLeftoverService,
  noLatePin,
  {
    name: 'Deployment is paused at rest',
    met: (s) => s.pauseMode === 'on-change' || s.problems.length > 0 || pausedAtRest(s),
    toward: (s): Action | ReturnType<typeof waiting> =>
      isComplete(s) ? { kind: 'pause-at-rest' } : { until: 'the Deployment to be complete' },
  },
];

/** Nothing changes while the annotations are invalid, but people are told once. */
export const tellInvalid: readonly Condition[] = [
  {
    name: 'people were told',
    met: (s) => s.deployment.annotations[marks.notified] === invalidMark(s),
    toward: (s): Action | Waiting =>
      s.settledNotices.has(invalidNoticeId(s))
        ? { kind: 'mark-notified', id: invalidMark(s) }
        : waiting('the notice to be delivered', s.limits.problemNotice),
  },
];

/**
 * Git may bring a rejected template back, also after the stable one was written in its place: it is
 * told as on the day it was rejected, and kept from rolling out.
 */
export const stayRejected: readonly Condition[] = [
  noLeftover,
  noLeftoverService,
  noLatePin,
  {
    name: 'Deployment is marked',
    met: (s) => !s.deployment.paused || marked(s) === wantedRevision(s),
    toward: (s, d): Action => ({
      kind: 'mark-rollout',
      revision: wantedRevision(s),
      attempt: d.goal.kind === 'rejected' ? d.goal.rejection.attempt : 1,
    }),
  },
  {
    name: 'Progressing tells of the rejection',
    met: (s) => !s.deployment.paused || tellsRejection(s),
    toward: (s, d): Action => progressingRejected(wantedRevision(s), d.because),
  },
];

const pausedAtRest = (s: Snapshot): boolean =>
  s.deployment.paused && s.deployment.annotations[marks.originalProgressDeadline] !== undefined;

/** One active ReplicaSet with the Deployment's template, all pods updated and available. */
const isComplete = (s: Snapshot): boolean =>
  s.deployment.observedGeneration >= s.deployment.generation &&
  s.stable !== undefined &&
  s.active.length === 1 &&
  s.stable.templateHash === s.deployment.templateHash &&
  s.deployment.available === s.deployment.replicas;
