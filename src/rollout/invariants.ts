import type { Action } from './action.ts';
import { rejectionOf, type Snapshot, stateOf } from './snapshot.ts';

/**
 * What must hold before a write, whatever rule asked for it: the mechanism study's I1–I13, asserted
 * in every pass.
 * The tables are built so that none of these can happen; this is the second lock.
 * @returns the first invariant that the write would break, in words; undefined when all hold
 */
export function brokenBy(action: Action, s: Snapshot): string | undefined {
  switch (action.kind) {
    case 'shift-route':
      if (isMarkedRejected(s))
        return action.to > 0 ? 'S4: a rejected mark is never overwritten' : undefined;
      return action.to > action.from ? brokenByWeight(action.to, s) : undefined;
    case 'create-canary':
      return rejectionOf(s, action.state.revision) === undefined
        ? undefined
        : 'I12: a rejected revision is not canaried again without a retry';
    case 'scale-canary':
      return brokenByScale(action.replicas, s);
    case 'pin-service':
      return brokenByPin(action.podHash, s);
    case 'delete-canary-service':
      return s.route?.canaryService === action.name
        ? 'I2: the canary Service exists as long as the route names it'
        : undefined;
    case 'adopt-canary':
      return brokenByAdoption(s);
    case 'scale-replica-set':
      return s.adopted ? undefined : 'I7: stable keeps its replicas while it carries requests';
    case 'delete-replica-set':
      return brokenByDeletion(action.name, s);
    case 'restore-route':
      return !s.adopted && (s.route?.weight ?? 0) > 0
        ? 'I10: traffic is taken off, with its reason, before the route is restored'
        : undefined;
    default:
      return undefined;
  }
}

/** A mark in the name of another revision, which a list that was behind had shown, is no reason. */
function isMarkedRejected({ route, canary }: Snapshot): boolean {
  const mark = route?.record?.mark;
  return mark?.kind === 'rejected' && mark.revision === canary?.podHash;
}

function brokenByWeight(to: number, s: Snapshot): string | undefined {
  const state = stateOf(s);
  if (s.canaryService === undefined) return 'I2: no weight for a Service that does not exist';
  if (s.route?.canaryService !== s.canaryService.name)
    return 'I2: no weight for the Service of another revision';
  if (s.endpoints.canary.size === 0) return 'I1: no weight for a Service without ready endpoints';
  if (state === undefined) return 'S1: no weight without recorded state';
  if (to > state.step.to) return 'S1: no weight above the recorded step';
  if (s.canary?.templateHash !== state.revision) return 'I6: the canary has the recorded template';
  if (rejectionOf(s, state.revision) !== undefined)
    return 'S4: a rejected revision is never raised';
  if (s.pauseMode === 'on-change' && !s.deployment.paused) return 'I8: the Deployment is paused';
  return undefined;
}

function brokenByScale(replicas: number, s: Snapshot): string | undefined {
  if (replicas < (s.canary?.replicas ?? 0) && replicas === 0 && (s.route?.weight ?? 0) > 0) {
    return 'I10: traffic goes down before pods do';
  }
  if (replicas > s.deployment.replicas) return 'T1: a canary is never larger than the Deployment';
  const pinned = s.service?.selector['pod-template-hash'] !== undefined;
  return replicas > 0 && s.service !== undefined && !pinned
    ? 'the Service is pinned before any canary pod exists'
    : undefined;
}

function brokenByPin(podHash: string, s: Snapshot): string | undefined {
  const pods = podHash === s.canary?.podHash ? s.pods.canary : s.pods.stable;
  const ready = pods.some((pod) => pod.podHash === podHash && pod.ready);
  return ready ? undefined : 'I3: a Service is never pinned to a hash without ready pods';
}

function brokenByAdoption(s: Snapshot): string | undefined {
  if (s.canary?.templateHash !== s.deployment.templateHash) {
    return 'I6: what is adopted is what the Deployment asks for';
  }
  if (s.twins.length > 0) return 'I9: no other owned ReplicaSet has this template';
  if (s.canary.replicas !== s.deployment.replicas) return 'T1: adoption of a saturated canary only';
  if (!s.deployment.paused) return 'I8: the Deployment is paused';
  return s.route?.leastWeight === 100 ? undefined : 'adoption follows the traffic';
}

function brokenByDeletion(name: string, s: Snapshot): string | undefined {
  const target = [
    s.canary,
    ...s.leftovers,
    ...s.twins.filter((twin) => twin.statusReplicas === 0),
  ].find((set) => set?.name === name);
  if (target === undefined) return 'only what is ours to delete is deleted';
  const carries = target.name === s.canary?.name && (s.route?.weight ?? 0) > 0;
  if (carries) return 'I1: a ReplicaSet that carries requests is not deleted';
  return s.stable?.name === name ? 'I7: stable is never deleted' : undefined;
}
