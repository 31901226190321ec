import { percent } from '../lib/units.ts';
import type { Action } from './action.ts';
import { attemptOf } from './begin.ts';
import {
  canaryPodsGone,
  canaryServiceGone,
  canarySetGone,
  deliveryRecorded,
  drained,
  endpointsAre,
  ownRoute,
  ownService,
  pinnedTo,
  pinTo,
  progressingRejected,
  routeAccepted,
  routeDrained,
  tellsRejection,
  tellsSuccess,
  watched,
} from './conditions.ts';
import type { Decision } from './decision.ts';
import type { Condition, Waiting } from './mechanism.ts';
import { isReason, lasting } from './route-mark.ts';
import {
  imagesKey,
  isPinnedByUs,
  marks,
  noticePending,
  rejectionOf,
  type Snapshot,
  servesWanted,
  stateOf,
  wantedRevision,
} from './snapshot.ts';
import type { Outcome } from './state.ts';
import type { RouteMark } from './views.ts';

const outcomeOf = (d: Decision): Outcome | undefined =>
  d.goal.kind === 'roll-back' || d.goal.kind === 'withdraw' ? d.goal.outcome : undefined;
/** An opt-out blames nobody either. */
const ended = (s: Snapshot, d: Decision): Outcome => {
  const { rule, because } = d;
  const weight = s.route?.weight ?? percent(0);
  return outcomeOf(d) ?? { kind: 'superseded', rule, because, at: s.now, weight, step: 0 };
};
function recordEnd(s: Snapshot, d: Decision): Action | Waiting {
  const state = stateOf(s);
  return state === undefined
    ? watched('the state')
    : { kind: 'record', state: { ...state, outcome: ended(s, d) } };
}
const rejects = (d: Decision): boolean => d.goal.kind === 'roll-back';

function markFor(s: Snapshot, d: Decision): RouteMark {
  const record = s.route?.record;
  const revision = s.canary?.podHash ?? record?.revision ?? '';
  return lasting(s.route, {
    // The route may carry another canary than this one, which a stale list alone has in its place.
    kind: rejects(d) && record?.revision === revision ? 'rejected' : 'withdrawn',
    revision,
    rule: outcomeOf(d)?.rule ?? d.rule,
    because: (outcomeOf(d)?.because ?? d.because).slice(0, 512),
    at: s.now,
    startedAt: stateOf(s)?.startedAt,
  });
}

/**
 * Cut, then record, then scale: nothing can delay the cut, and a crash after it finds the reason on
 * the route.
 */
export const takeTrafficOff: readonly Condition[] = [
  {
    // An adoption whose answer never came may still be under way, and would end the pods that the
    // Service is led back to: it is a compare-and-swap, so any write of the canary's ReplicaSet
    // keeps it from that.
    name: 'no adoption is under way',
    met: (s) =>
      s.canary === undefined ||
      s.stable === undefined ||
      pinnedTo(s) !== s.canary.podHash ||
      stateOf(s)?.outcome !== null,
    toward: recordEnd,
  },
  {
    // Between the flip and the adoption both Services lead to the canary: the flip must be undone
    // first. And somebody may have resumed the Deployment: the pods that were stable go (T5). Or
    // the canary was deleted after the flip: nobody answers until the Service is led back.
    name: 'Service leads to stable',
    met: (s) =>
      (s.canary === undefined && !isPinnedByUs(s)) ||
      s.stable === undefined ||
      [undefined, s.stable.podHash].includes(pinnedTo(s)),
    toward: (s) => pinTo(s, s.stable),
  },
  {
    name: 'Service has ready endpoints of stable',
    met: (s) =>
      (s.route?.weight ?? 0) < 100 || s.stable === undefined || endpointsAre(s, s.pods.stable),
    toward: () => watched('the stable pods behind the Service'),
  },
  {
    // Never to a backend that cannot answer: the canary may be the only healthy copy.
    name: 'stable can take the requests',
    met: (s) =>
      (s.route?.weight ?? 0) === 0 ||
      s.endpoints.stable.size > 0 ||
      s.endpoints.canary.size === 0 ||
      s.stable === undefined,
    toward: () => watched('a ready pod of stable'),
  },
  {
    name: 'route carries nothing for the canary',
    met: (s) =>
      s.route?.record === undefined ||
      (s.route.weight === 0 && (isReason(s.route.record.mark) || stateOf(s)?.step.index === -1)),
    toward: (s, d): Action => ({ kind: 'cut-route', mark: markFor(s, d) }),
  },
];

/** Revision that is rejected; the route tells of it where somebody has deleted the canary. */
const blamed = (s: Snapshot): string => s.canary?.podHash ?? s.route?.record?.revision ?? '';

/** What people and `kubectl rollout status` must find, before anything is taken away. */
const recordRejection: readonly Condition[] = [
  {
    name: 'rejection is recorded',
    met: (s, d) => !rejects(d) || blamed(s) === '' || rejectionOf(s, blamed(s)) !== undefined,
    toward: (s, d): Action => ({
      kind: 'mark-rejected',
      rejection: {
        revision: blamed(s),
        attempt: stateOf(s)?.attempt ?? attemptOf(s),
        rule: outcomeOf(d)?.rule ?? d.rule,
        because: (outcomeOf(d)?.because ?? d.because).slice(0, 512),
        ...(s.canary === undefined ? {} : { images: imagesKey(s.canary.images) }),
      },
    }),
  },
  deliveryRecorded,
  {
    name: 'Progressing tells of the rejection',
    met: (s, d) => !rejects(d) || s.spec?.onReject === 'revert' || tellsRejection(s),
    toward: (s, d): Action => progressingRejected(blamed(s), d.because),
  },
];

/**
 * A listing that was under way for long may come after its canary was taken away. The gateway
 * refuses such a route until it is restored, and no request is left to wait for.
 */
const namesGoneService = (s: Snapshot): boolean =>
  s.route?.record !== undefined && s.route.weight === 0 && s.listedService === undefined;

/** Traffic goes down before pods do. */
export const takeCanaryAway: readonly Condition[] = [
  {
    ...routeAccepted,
    met: (s, d) => namesGoneService(s) || routeAccepted.met(s, d),
  },
  deliveryRecorded,
  {
    name: 'canary has drained',
    met: (s) => s.route?.record === undefined || namesGoneService(s) || routeDrained(s),
    toward: (s) => drained(s, 'requests to the canary to end'),
  },
  {
    // Of a withdrawal the route alone tells, which is about to be as its user had it.
    name: 'withdrawal is recorded',
    met: (s, d) => rejects(d) || s.canary === undefined || stateOf(s)?.outcome !== null,
    toward: recordEnd,
  },
  ...ownRoute,
  {
    // The end is recorded even where there are no pods: it outdates the state that a deposed leader
    // may have seen, who would scale the canary up when the Service is the user’s own again.
    name: 'canary is scaled to 0',
    met: (s) => s.canary === undefined || (s.canary.replicas === 0 && stateOf(s)?.outcome !== null),
    toward: (s, d): Action => ({ kind: 'scale-canary', replicas: 0, outcome: ended(s, d) }),
  },
  {
    name: 'canary pods are gone',
    met: canaryPodsGone,
    toward: () => watched('the canary pods to go'),
  },
  ownService,
  canaryServiceGone,
];

const conclude: readonly Condition[] = [
  {
    name: 'template is not the rejected one',
    met: (s, d) =>
      !rejects(d) ||
      s.spec?.onReject !== 'revert' ||
      rejectionOf(s, wantedRevision(s)) === undefined,
    toward: (): Action => ({ kind: 'revert-template' }),
  },
  {
    name: 'people were told',
    met: (s, d) => !rejects(d) || s.canary === undefined || !noticePending(s, 'rollback'),
    toward: () => watched('the notice to be delivered'),
  },
  canarySetGone,
  {
    ...tellsSuccess,
    met: (s, d) => !servesWanted(s) || tellsSuccess.met(s, d),
  },
  {
    name: 'rollout is over',
    met: (s) => !servesWanted(s) || s.deployment.annotations[marks.rollout] === undefined,
    toward: (): Action => ({ kind: 'finish-rollout' }),
  },
];

export const descend: readonly Condition[] = [
  ...takeTrafficOff,
  ...recordRejection,
  ...takeCanaryAway,
  ...conclude,
];
