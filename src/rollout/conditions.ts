import { type Instant, type Millis, millis, type Percent } from '../lib/units.ts';
import type { Action } from './action.ts';
import type { Decision } from './decision.ts';
import type { Condition, Waiting } from './mechanism.ts';
import {
  isPinnedByUs,
  leastWeight,
  marks,
  pinKey,
  routeWeight,
  type Snapshot,
  since,
  stateOf,
  wantedRevision,
} from './snapshot.ts';
import { startNoticeId } from './state.ts';
import type { ReplicaSetView, Since } from './views.ts';

// Conditions that more than one way shares.

const soon = millis(250);
export const waiting = (until: string, lookAgain: Millis = soon): Waiting => ({ until, lookAgain });
/** Looked at again at the moment when the span has passed, which is all that this waits for. */
export const waitingSince = (until: string, moment: Since, span: Millis, now: Instant): Waiting =>
  waiting(until, moment === undefined ? soon : millis(Math.max(1, moment + span - now)));
/** A watch event ends this wait. */
export const watched = (until: string): Waiting => ({ until });

export const pinnedTo = (s: Snapshot): string | undefined => s.service?.selector[pinKey];

/** The user's Service selects the pods of just one ReplicaSet. */
export const isPinnedTo = (s: Snapshot, to: ReplicaSetView | undefined): boolean =>
  s.service === undefined || to === undefined || pinnedTo(s) === to.podHash;

/**
 * Ties the Service to one ReplicaSet, never to one without ready pods (I3): it would answer nobody.
 */
export function pinTo(s: Snapshot, to: ReplicaSetView | undefined): Action | Waiting {
  const ready = [...s.pods.stable, ...s.pods.canary].some(
    (pod) => pod.podHash === to?.podHash && pod.ready,
  );
  return to !== undefined && ready
    ? { kind: 'pin-service', podHash: to.podHash }
    : watched('a ready pod to lead the Service to');
}

/** The Service's ready endpoints are ready pods of this ReplicaSet only, and all of them. */
export function endpointsAre(s: Snapshot, pods: Snapshot['pods']['stable']): boolean {
  const ready = pods.filter((pod) => pod.ready && !pod.deleting).map((pod) => pod.uid);
  return (
    ready.length > 0 &&
    ready.length === s.endpoints.stable.size &&
    ready.every((uid) => s.endpoints.stable.has(uid))
  );
}

/** No pod of the canary takes requests from the user's Service any more. */
export const canaryPodsGone = (s: Snapshot): boolean => s.pods.canary.every((pod) => !pod.ready);

/** Gateways follow a route some time after they have accepted it. */
export const routeInForce = (s: Snapshot): boolean =>
  s.route === undefined || since(s.routeAcceptedSince, s.limits.propagation, s.now);

export const followed = (s: Snapshot, until: string): Waiting =>
  waitingSince(until, s.routeAcceptedSince, s.limits.propagation, s.now);

/** Requests that were under way when the route stopped naming the canary have ended. */
export const routeDrained = (s: Snapshot): boolean =>
  s.route === undefined || since(s.routeAcceptedSince, s.limits.drain, s.now);

export const drained = (s: Snapshot, until: string): Waiting =>
  waitingSince(until, s.routeAcceptedSince, s.limits.drain, s.now);

/** Canary pods in the wanted number, available, and behind the generated Service. */
export function canaryServes(replicas: (s: Snapshot, d: Decision) => number): readonly Condition[] {
  return [
    {
      name: 'canary is scaled',
      met: (s, d) => s.canary?.replicas === replicas(s, d),
      toward: (s, d): Action => ({ kind: 'scale-canary', replicas: replicas(s, d) }),
    },
    {
      name: 'canary pods are available',
      met: (s, d) => (s.canary?.available ?? 0) >= replicas(s, d),
      toward: (s, d) =>
        watched(`${s.canary?.available ?? 0} of ${replicas(s, d)} canary pods are available`),
    },
    {
      name: 'canary Service has endpoints',
      met: (s, d) => s.endpoints.canary.size >= replicas(s, d),
      toward: () => watched('the endpoints of the canary Service'),
    },
  ];
}

export const canaryServiceExists: Condition = {
  name: 'canary Service exists',
  met: (s) => s.canaryService !== undefined,
  toward: (): Action => ({ kind: 'create-canary-service' }),
};

/** Without our pin it leads to whatever its own selector says. */
export const ownService: Condition = {
  name: 'Service is the user’s own',
  met: (s) => pinnedTo(s) === undefined,
  toward: (): Action => ({ kind: 'unpin-service' }),
};

/**
 * As above where no rollout is under way: a deposed leader may have pinned it after all was over,
 * to pods that go. What somebody else has pinned is theirs.
 */
export const noLatePin: Condition = {
  ...ownService,
  met: (s, d) => !isPinnedByUs(s) || ownService.met(s, d),
};

export const noLeftover: Condition = {
  name: 'no leftover of an earlier rollout',
  met: (s) => s.leftovers.length === 0,
  toward: (s): Action => ({
    kind: 'delete-replica-set',
    name: s.leftovers[0]?.name ?? '',
    uid: s.leftovers[0]?.uid ?? '',
  }),
};

export const noLeftoverService: Condition = {
  name: 'no Service of an earlier canary',
  met: (s) => s.leftoverServices.length === 0,
  toward: (s): Action => ({
    kind: 'delete-canary-service',
    name: s.leftoverServices[0]?.name ?? '',
  }),
};

/** `kubectl rollout status` fails, and says why. */
export const tellsRejection = (s: Snapshot): boolean =>
  s.deployment.conditions.some(
    ({ type, status, reason }) =>
      type === 'Progressing' && status === 'False' && reason === 'ProgressDeadlineExceeded',
  );

export const progressingRejected = (revision: string, because: string): Action => ({
  kind: 'set-progressing',
  progressing: {
    status: 'False',
    reason: 'ProgressDeadlineExceeded',
    message: `canary of revision ${revision} was rolled back: ${because}`,
  },
});

/**
 * Paused for good, the Deployment has no controller that would say so (T16). Before the mark goes,
 * with which the rollout is over.
 */
export const tellsSuccess: Condition = {
  name: 'Progressing tells of the success',
  met: (s) =>
    s.pauseMode === 'on-change' ||
    s.deployment.annotations[marks.rollout] === undefined ||
    s.deployment.conditions.some(
      ({ type, status, reason, message = '' }) =>
        type === 'Progressing' &&
        status === 'True' &&
        reason === 'NewReplicaSetAvailable' &&
        message.includes(wantedRevision(s)),
    ),
  toward: (s): Action => ({
    kind: 'set-progressing',
    progressing: {
      status: 'True',
      reason: 'NewReplicaSetAvailable',
      message: `revision ${wantedRevision(s)} serves all requests`,
    },
  }),
};

/**
 * Before anything else is awaited, so that a restart does not tell people twice. That it started is
 * worth no write of its own: the next record says so, and at worst it is told again.
 */
export const deliveryRecorded: Condition = {
  name: 'delivery is recorded',
  met: (s) => {
    const state = stateOf(s);
    if (s.canary === undefined || state === undefined) return true;
    const recorded = new Set([...s.recordedNotices, startNoticeId(state)]);
    return state.delivered.every((id) => recorded.has(id));
  },
  toward: (s): Action | Waiting => {
    const state = stateOf(s);
    return state === undefined ? watched('the state') : { kind: 'record', state };
  },
};

/** Down from the rules that give more, or all rules up. */
export const shiftTo = (s: Snapshot, to: Percent): Action => ({
  kind: 'shift-route',
  from: routeWeight(s) > to ? routeWeight(s) : leastWeight(s),
  to,
});

export const routeAccepted: Condition = {
  name: 'route is accepted',
  met: (s) => s.route === undefined || s.route.accepted,
  toward: (s) => watched(s.route?.refusal ?? 'the gateway to accept the route'),
};

/** The route as its user had it, and followed by the gateway. */
export const ownRoute: readonly Condition[] = [
  {
    name: 'route is the user’s own',
    met: (s) => s.route?.record === undefined,
    toward: (): Action => ({ kind: 'restore-route' }),
  },
  routeAccepted,
  {
    name: 'restored route is in force',
    met: routeInForce,
    toward: (s) => followed(s, 'the data plane to follow the restored route'),
  },
];

export const canaryServiceGone: Condition = {
  name: 'canary Service is gone',
  met: (s) => s.canaryService === undefined,
  toward: (s): Action => ({ kind: 'delete-canary-service', name: s.canaryService?.name ?? '' }),
};

export const canarySetGone: Condition = {
  name: 'canary ReplicaSet is gone',
  met: (s) => s.canary === undefined,
  toward: (s): Action => ({
    kind: 'delete-replica-set',
    name: s.canary?.name ?? '',
    uid: s.canary?.uid ?? '',
  }),
};
