import { instant, type Percent, percent } from '../lib/units.ts';
import type { Action } from './action.ts';
import { fenceOf, isStillAt, mostWeight } from './awaited-shift.ts';
import { attemptOf, firstState } from './begin.ts';
import {
  canaryServes,
  canaryServiceExists,
  deliveryRecorded,
  endpointsAre,
  isPinnedTo,
  noLeftover,
  noLeftoverService,
  pinTo,
  routeAccepted,
  shiftTo,
  waiting,
  watched,
} from './conditions.ts';
import type { Decision, Goal } from './decision.ts';
import { listing } from './listing.ts';
import type { Condition, Waiting } from './mechanism.ts';
import {
  canaryReplicas,
  carriedIndex,
  leastWeight,
  marks,
  routeCarries,
  type Snapshot,
  stateOf,
  wantedRevision,
} from './snapshot.ts';
import type { RolloutState } from './state.ts';

const indexOf = (d: Decision): number => (d.goal.kind === 'carry' ? d.goal.index : 0);
const weightOf = (s: Snapshot, d: Decision): Percent => s.spec?.steps[indexOf(d)] ?? percent(0);
/**
 * Pods for the weight wanted or carried, whichever is larger: pods come before traffic and go after
 * it (I10).
 */
const replicasFor = (s: Snapshot, weight: Percent): number =>
  canaryReplicas(s.deployment.replicas, percent(Math.max(weight, s.route?.weight ?? 0)));

/** From nothing to a canary that could take traffic: nothing here is visible to users. */
export const prepare: readonly Condition[] = [
  {
    // T2: the Deployment would take such a ReplicaSet for its new one and ours for an old one.
    name: 'no other ReplicaSet with this template',
    met: (s) => s.adopted || s.twins.length === 0,
    toward: (s): Action | Waiting => {
      const empty = s.twins.find((twin) => twin.statusReplicas === 0);
      return empty === undefined
        ? watched('the last pods of an earlier ReplicaSet with this template to end')
        : { kind: 'delete-replica-set', name: empty.name, uid: empty.uid };
    },
  },
  noLeftover,
  noLeftoverService,
  {
    // An earlier rejection would make `kubectl rollout status` fail at once for the new template.
    name: 'Progressing tells of no earlier rejection',
    met: (s) =>
      !s.deployment.conditions.some((c) => c.type === 'Progressing' && c.status === 'False'),
    toward: (s): Action => ({
      kind: 'set-progressing',
      progressing: {
        status: 'Unknown',
        reason: 'DeploymentPaused',
        message: `canary of revision ${wantedRevision(s)} is under way`,
      },
    }),
  },
  {
    name: 'Deployment is marked',
    met: (s) => marked(s) === wantedRevision(s),
    toward: (s): Action => ({
      kind: 'mark-rollout',
      revision: wantedRevision(s),
      attempt: attemptOf(s),
    }),
  },
  {
    name: 'Deployment is paused',
    met: (s) => s.deployment.paused,
    toward: () => watched('the Deployment to be paused'),
  },
  {
    name: 'canary ReplicaSet exists',
    met: (s) => s.canary !== undefined,
    toward: (s): Action => ({ kind: 'create-canary', state: firstState(s) }),
  },
  canaryServiceExists,
  {
    // Before any canary pod exists, or the user's Service would send it requests.
    name: 'Service is pinned to stable',
    met: (s) => isPinnedTo(s, s.stable),
    toward: (s) => pinTo(s, s.stable),
  },
  {
    name: 'Service has the endpoints of stable',
    met: (s) => (s.canary?.replicas ?? 0) > 0 || endpointsAre(s, s.pods.stable),
    toward: () => watched('the endpoints of the Service to be the stable pods'),
  },
];

/** Back up after a flinch: a raise like any other, so it is recorded before it is made. */
const returning = (s: Snapshot, d: Decision): boolean =>
  stateOf(s)?.step.inForceAt !== null && (s.route?.weight ?? 0) < weightOf(s, d);

/** Once, before the first weight: a restart or another traffic later changes nothing. */
const laddered: Condition = {
  name: 'steps are chosen',
  met: (s) => stateOf(s)?.ladder !== null || (stateOf(s)?.step.index ?? 0) >= 0,
  toward: (s): Action | ReturnType<typeof waiting> => {
    const state = stateOf(s);
    if (state === undefined || s.ladder === undefined) {
      return waiting('the traffic of stable to be known, which the first weight depends on');
    }
    const { ladder, steps } = s.ladder;
    return { kind: 'record', state: { ...state, ladder, spec: { ...state.spec, steps } } };
  },
};

/** Up to the weight of one step: pods, then a record, then traffic. */
const climb: readonly Condition[] = [
  ...listing,
  {
    // Record, then shift: a deposed leader's raise fails on the record, and a crash in between asks
    // for new evidence.
    name: 'raise is recorded',
    met: (s, d) => stateOf(s)?.step.index === indexOf(d) && !returning(s, d),
    toward: (s, d): Action => ({ kind: 'record', state: raised(s, indexOf(d), weightOf(s, d), d) }),
  },
  {
    name: 'route carries the weight',
    met: (s, d) => routeCarries(s, weightOf(s, d)),
    toward: (s, d) => shiftTo(s, weightOf(s, d)),
  },
  routeAccepted,
  {
    // A step begins when its weight is seen in force, not when it was ordered.
    name: 'step is in force',
    met: (s) => stateOf(s)?.step.inForceAt !== null,
    toward: (s): Action | ReturnType<typeof waiting> => {
      const state = stateOf(s);
      if (state === undefined || s.routeAcceptedSince === undefined) return waiting('the route');
      const step = { ...state.step, inForceAt: s.routeAcceptedSince };
      return { kind: 'record', state: { ...state, step } };
    },
  },
];

const mostOf = (s: Snapshot): Percent | undefined => {
  const state = stateOf(s);
  return state === undefined ? undefined : mostWeight(s, state);
};

/** What somebody else has raised is undone first: pods for it may never come. */
const noMoreThanStep: Condition = {
  name: 'route carries no more than its step',
  met: (s) =>
    s.route?.record?.canaryService !== s.canaryServiceName || s.route.weight <= (mostOf(s) ?? 100),
  toward: (s) => shiftTo(s, mostOf(s) ?? percent(0)),
};

export const ascend: readonly Condition[] = [
  noMoreThanStep,
  ...prepare,
  ...canaryServes((s, d) => replicasFor(s, weightOf(s, d))),
  laddered,
  ...climb,
];

/**
 * A raise whose answer never came may still be under way, and would land on a paused rollout, or on
 * one that somebody has asked to promote meanwhile: it is a compare-and-swap, so any write of the
 * route keeps it from that.
 */
export const noRaiseUnderWay = (matters: (s: Snapshot, d: Decision) => boolean): Condition => ({
  name: 'no raise is under way',
  met: (s, d) => !matters(s, d) || !isRaising(s),
  toward: (s, d): Action => {
    const revision = s.canary?.podHash ?? '';
    const { rule, because } = d;
    // Another leader's clock, by which the raise was recorded, may be ahead of ours.
    const at = instant(Math.max(s.now, stateOf(s)?.step.raisedAt ?? s.now));
    return { kind: 'fence-route', mark: { kind: 'fenced', revision, rule, because, at } };
  },
});

const pauses = (s: Snapshot, { goal }: Decision): boolean =>
  goal.kind === 'record' && goal.state.pause !== null && stateOf(s)?.pause === null;

/**
 * A hold keeps pods in step with the Deployment's replicas and records what must survive a crash.
 */
export const sustain: readonly Condition[] = [
  noRaiseUnderWay(pauses),
  {
    name: 'state is recorded',
    met: (_s, d) =>
      d.goal.kind !== 'record' ||
      (stateOf(_s)?.requestId === d.goal.state.requestId &&
        (stateOf(_s)?.pause === null) === (d.goal.state.pause === null)),
    toward: (_s, d): Action => ({
      kind: 'record',
      state: (d.goal as { readonly state: RolloutState }).state,
    }),
  },
  {
    name: 'weight is lowered for now',
    met: (s, d) => d.goal.kind !== 'flinch' || (s.route?.weight ?? 0) <= d.goal.to,
    toward: (s, d): Action => {
      const goal = d.goal as Extract<Goal, { readonly kind: 'flinch' }>;
      const revision = s.canary?.podHash ?? '';
      const mark = {
        kind: 'flinch',
        revision,
        rule: d.rule,
        because: goal.because,
        at: s.now,
        ...(goal.pod === undefined ? {} : { pod: goal.pod }),
      } as const;
      return { kind: 'flinch-route', to: goal.to, mark };
    },
  },
  {
    // T13: a forced server-side apply resets the whole selector, and canary pods would get
    // in-cluster requests. Where these are led to it with all others its adoption may be under
    // way, which would end the pods that they were led back to.
    name: 'Service stays pinned',
    met: (s) =>
      s.canary === undefined ||
      s.canary.replicas === 0 ||
      isPinnedTo(s, s.stable) ||
      (isPinnedTo(s, s.canary) && routeCarries(s, percent(100))),
    toward: (s) => pinTo(s, s.stable),
  },
  {
    name: 'canary follows the Deployment',
    met: (s) => s.canary === undefined || s.canary.replicas === heldReplicas(s),
    toward: (s): Action => ({ kind: 'scale-canary', replicas: heldReplicas(s) }),
  },
  {
    name: 'Deployment stays marked',
    met: (s) => s.canary === undefined || marked(s) === s.canary.podHash,
    toward: (s): Action => ({
      kind: 'mark-rollout',
      revision: s.canary?.podHash ?? '',
      attempt: stateOf(s)?.attempt ?? 1,
    }),
  },
  deliveryRecorded,
  {
    name: 'evidence is checkpointed',
    met: (s) =>
      s.lastRecordedAt === undefined ||
      s.now - s.lastRecordedAt < s.limits.checkpoint ||
      stateOf(s) === undefined,
    toward: (s): Action => ({ kind: 'record', state: stateOf(s) as RolloutState }),
  },
];

/**
 * Recorded, and the route is as it was then. Also where it is recorded as in force: that record may
 * have been late, and the raise asked for again meanwhile, after somebody's hand. A suspicion that
 * has lowered it since was a write of the route, too.
 */
function isRaising(s: Snapshot): boolean {
  const step = stateOf(s)?.step;
  const record = s.route?.record;
  if (step === undefined || record === undefined) return false;
  const written = step.inForceAt === null ? fenceOf(s, step) : record.mark;
  return step.from < step.to && isStillAt(s, step) && written === undefined;
}

/**
 * Pods for the weight that is held. Those that the next step will need may be there already, when
 * its raise was cut short: they stay, or they would be started twice.
 */
function heldReplicas(s: Snapshot): number {
  const running = s.canary?.replicas ?? 0;
  if (running === 0) return 0;
  const step = stateOf(s)?.step;
  const least = replicasFor(s, step?.to ?? percent(0));
  const most = replicasFor(s, s.spec?.steps[(step?.index ?? -1) + 1] ?? percent(100));
  return Math.min(Math.max(running, least), most);
}

/** The state in which the raise to step `index` is recorded, before the route is touched. */
export function raised(s: Snapshot, index: number, to: Percent, d: Decision): RolloutState {
  const state = stateOf(s) ?? firstState(s);
  const raises = d.goal.kind === 'carry' || d.goal.kind === 'promote';
  const asked = raises ? d.goal.requestId : undefined;
  const from = leastWeight(s);
  // By the weight that is carried: a person may ask for more before it is in force.
  const fromIndex = carriedIndex(s);
  return {
    ...state,
    ...(asked ? { requestId: asked, pause: null } : {}),
    // An end that was recorded is over with its reason.
    outcome: null,
    step: { index, fromIndex, from, to, raisedAt: s.now, inForceAt: null },
  };
}

/** Revision named by the mark on the Deployment; the attempt follows it. */
export const marked = (s: Snapshot): string | undefined =>
  s.deployment.annotations[marks.rollout]?.split(' ')[0];
