import { millis, percent } from '../lib/units.ts';
import type { Action } from './action.ts';
import { noRaiseUnderWay, raised } from './ascend.ts';
import {
  canaryServes,
  canaryServiceExists,
  canaryServiceGone,
  deliveryRecorded,
  drained,
  endpointsAre,
  followed,
  isPinnedTo,
  ownRoute,
  ownService,
  pinnedTo,
  pinTo,
  routeAccepted,
  routeDrained,
  routeInForce,
  shiftTo,
  tellsSuccess,
  waiting,
  waitingSince,
  watched,
} from './conditions.ts';
import { listing } from './listing.ts';
import type { Condition } from './mechanism.ts';
import {
  isPinnedByUs,
  marks,
  noticePending,
  routeCarries,
  type Snapshot,
  servesWanted,
  since,
  stateOf,
  wantedRevision,
} from './snapshot.ts';

const whole = percent(100);
/**
 * A Deployment that is not saturated keeps the old ReplicaSet alive (T1): after this time we finish
 * for it.
 */
const unsaturated = millis(5000);

const promotionIndex = (s: Snapshot): number => s.spec?.steps.length ?? 0;

/** Before the adoption everything can still be taken back. */
const handOver: readonly Condition[] = [
  // A person may ask for promotion before the first weight: then none of this is there yet.
  canaryServiceExists,
  {
    name: 'Service is pinned',
    met: (s) =>
      [s.stable?.podHash, s.canary?.podHash].includes(pinnedTo(s)) || s.service === undefined,
    toward: (s) => pinTo(s, s.stable),
  },
  ...canaryServes((s) => s.deployment.replicas),
  ...listing,
  // A person may ask for it while a step is being raised.
  noRaiseUnderWay((s) => stateOf(s)?.step.index !== promotionIndex(s)),
  {
    name: 'promotion is recorded',
    // An end that was recorded to keep an adoption from landing is over with its reason, and a
    // pause with the request to promote all the same.
    met: (s, d) => {
      const state = stateOf(s);
      const asked = d.goal.kind === 'promote' ? d.goal.requestId : undefined;
      const isHeard = asked === undefined || state?.requestId === asked;
      return isHeard && state?.step.index === promotionIndex(s) && state.outcome === null;
    },
    toward: (s, d): Action => ({
      kind: 'record',
      state: raised(s, promotionIndex(s), whole, d),
    }),
  },
  {
    name: 'route carries 100 %',
    met: (s) => routeCarries(s, whole),
    toward: (s) => shiftTo(s, whole),
  },
  routeAccepted,
  {
    name: 'route to the canary is in force',
    met: routeInForce,
    toward: (s) => followed(s, 'the data plane to follow the route'),
  },
  {
    name: 'Service is pinned to the canary',
    met: (s) => isPinnedTo(s, s.canary),
    toward: (s) => pinTo(s, s.canary),
  },
  {
    name: 'Service has the endpoints of the canary',
    met: (s) => endpointsAre(s, s.pods.canary),
    toward: () => watched('the endpoints of the Service to be the canary pods'),
  },
  {
    name: 'stable pods have drained',
    met: (s) => since(s.endpointsSettledSince, s.limits.drain, s.now),
    toward: (s) =>
      waitingSince(
        'requests to the stable pods to end',
        s.endpointsSettledSince,
        s.limits.drain,
        s.now,
      ),
  },
  {
    name: 'canary is adopted',
    met: (s) => s.adopted,
    toward: (s): Action | ReturnType<typeof waiting> => {
      const state = stateOf(s);
      return state === undefined ? waiting('the state') : { kind: 'adopt-canary', state };
    },
  },
];

/** After the adoption there is only the way forward. */
const settle: readonly Condition[] = [
  {
    // It may have been led back when the adoption landed; the old pods go. Those of the canary are
    // next where the template is the stable one again.
    name: 'Service leads to the adopted pods',
    met: (s) => !isPinnedByUs(s) || isPinnedTo(s, s.canary) || servesWanted(s),
    toward: (s) => pinTo(s, s.canary),
  },
  deliveryRecorded,
  {
    name: 'old ReplicaSet is at 0',
    met: (s) => s.active.length === 0,
    toward: (s): Action | ReturnType<typeof waiting> => {
      const [old] = s.active;
      return since(s.adoptedSince, unsaturated, s.now)
        ? { kind: 'scale-replica-set', name: old?.name ?? '', replicas: 0 }
        : waitingSince(
            'the Deployment to scale down the old ReplicaSet',
            s.adoptedSince,
            unsaturated,
            s.now,
          );
    },
  },
  ...ownRoute,
  {
    name: 'no pod of the old ReplicaSet is ready',
    met: (s) => s.pods.stable.every((pod) => !pod.ready || pod.deleting),
    toward: () => watched('the old pods to go'),
  },
  ownService,
  {
    name: 'canary Service has drained',
    met: routeDrained,
    toward: (s) => drained(s, 'requests through the canary Service to end'),
  },
  canaryServiceGone,
  {
    ...tellsSuccess,
    met: (s, d) => templateMovedOn(s) || tellsSuccess.met(s, d),
  },
  {
    name: 'rollout is over',
    met: (s) => s.deployment.annotations[marks.rollout] === undefined || templateMovedOn(s),
    toward: (): Action => ({ kind: 'finish-rollout' }),
  },
  {
    name: 'people were told',
    met: (s) => !noticePending(s, 'promotion'),
    toward: () => watched('the notice to be delivered'),
  },
  {
    name: 'state is cleared',
    met: (s) => s.state === undefined,
    toward: (): Action => ({ kind: 'clear-state' }),
  },
];

/**
 * T25: the template changed while the canary was being adopted; the next rollout takes over the
 * mark.
 */
const templateMovedOn = (s: Snapshot): boolean => s.canary?.templateHash !== wantedRevision(s);

export const promote: readonly Condition[] = [
  ...handOver.map(
    (condition): Condition => ({
      ...condition,
      met: (s, d) => s.adopted || condition.met(s, d),
    }),
  ),
  ...settle,
];
