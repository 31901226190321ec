import { type Instant } from '../../lib/units.ts';
import {
  availableReplicas,
  maxUnavailable,
  noDeadline,
  specReplicas,
  sum,
} from './deployment-replica-sets.ts';
import {
  type Condition,
  type Deployment,
  type DeploymentStatus,
  momentOf,
  type ReplicaSet,
} from './objects.ts';

export const reasons = {
  available: 'NewReplicaSetAvailable',
  created: 'NewReplicaSetCreated',
  found: 'FoundNewReplicaSet',
  updated: 'ReplicaSetUpdated',
  timedOut: 'ProgressDeadlineExceeded',
  paused: 'DeploymentPaused',
  resumed: 'DeploymentResumed',
} as const;

export const hasDeadline = (d: Deployment): boolean =>
  d.spec.progressDeadlineSeconds !== undefined && d.spec.progressDeadlineSeconds !== noDeadline;

export const progressing = (status: DeploymentStatus): Condition | undefined =>
  status.conditions?.find((condition) => condition.type === 'Progressing');

/** Conditions with one set: a condition with the same status and reason stays as it is. */
export function setCondition(
  conditions: readonly Condition[],
  wanted: Omit<Condition, 'lastTransitionTime' | 'lastUpdateTime'>,
  now: string,
): readonly Condition[] {
  const current = conditions.find((condition) => condition.type === wanted.type);
  if (current?.status === wanted.status && current.reason === wanted.reason) return conditions;
  const changed = {
    ...wanted,
    lastUpdateTime: now,
    lastTransitionTime:
      current?.status === wanted.status ? (current.lastTransitionTime ?? now) : now,
  };
  return [...conditions.filter((condition) => condition.type !== wanted.type), changed];
}

/** Counts and availability as the ReplicaSets report them. */
export function calculateStatus(
  d: Deployment,
  all: readonly ReplicaSet[],
  newSet: ReplicaSet | undefined,
  now: string,
): DeploymentStatus {
  const available = sum(all, availableReplicas);
  const updated = newSet?.status.replicas ?? 0;
  const ready = sum(all, (rs) => rs.status.readyReplicas ?? 0);
  const replicas = sum(all, (rs) => rs.status.replicas);
  const unavailable = Math.max(0, sum(all, specReplicas) - available);
  const enough = available >= d.spec.replicas - maxUnavailable(d);
  const { collisionCount, conditions = [] } = d.status;
  return {
    ...(collisionCount === undefined ? {} : { collisionCount }),
    observedGeneration: d.metadata.generation ?? 0,
    ...positive('replicas', replicas),
    ...positive('updatedReplicas', updated),
    ...positive('readyReplicas', ready),
    ...positive('availableReplicas', available),
    ...positive('unavailableReplicas', unavailable),
    terminatingReplicas: sum(all, (rs) => rs.status.terminatingReplicas ?? 0),
    conditions: setCondition(
      conditions,
      enough
        ? {
            type: 'Available',
            status: 'True',
            reason: 'MinimumReplicasAvailable',
            message: 'Deployment has minimum availability.',
          }
        : {
            type: 'Available',
            status: 'False',
            reason: 'MinimumReplicasUnavailable',
            message: 'Deployment does not have minimum availability.',
          },
      now,
    ),
  };
}

const positive = <Key extends string>(key: Key, value: number) =>
  (value > 0 ? { [key]: value } : {}) as Partial<Record<Key, number>>;

/** Every pod is of the new template and available, and the controller has seen the newest spec. */
export function isComplete(d: Deployment, status: DeploymentStatus): boolean {
  const { replicas } = d.spec;
  return (
    (status.updatedReplicas ?? 0) === replicas &&
    (status.replicas ?? 0) === replicas &&
    (status.availableReplicas ?? 0) === replicas &&
    (status.observedGeneration ?? 0) >= (d.metadata.generation ?? 0)
  );
}

function hasProgressed({ status: old }: Deployment, status: DeploymentStatus): boolean {
  const n = (value: number | undefined) => value ?? 0;
  return (
    n(status.updatedReplicas) > n(old.updatedReplicas) ||
    n(status.replicas) - n(status.updatedReplicas) < n(old.replicas) - n(old.updatedReplicas) ||
    n(status.readyReplicas) > n(old.readyReplicas) ||
    n(status.availableReplicas) > n(old.availableReplicas)
  );
}

/** When the progress deadline runs out; `undefined` when none runs. */
export function deadlineOf(d: Deployment, status: DeploymentStatus): Instant | undefined {
  const condition = progressing(status);
  if (
    !hasDeadline(d) ||
    condition === undefined ||
    condition.reason === reasons.available ||
    condition.reason === reasons.timedOut
  )
    return undefined;
  return (momentOf(condition.lastUpdateTime) +
    (d.spec.progressDeadlineSeconds ?? 0) * 1000) as Instant;
}

function isTimedOut(d: Deployment, status: DeploymentStatus, now: Instant): boolean {
  if (hasDeadline(d) && progressing(status)?.reason === reasons.timedOut) return true;
  const deadline = deadlineOf(d, status);
  return deadline !== undefined && deadline < now;
}

/** The status of a Deployment whose rollout is under way: counts and the Progressing condition. */
export function rolloutStatus(
  d: Deployment,
  all: readonly ReplicaSet[],
  newSet: ReplicaSet | undefined,
  time: { readonly text: string; readonly now: Instant },
): DeploymentStatus {
  const status = calculateStatus(d, all, newSet, time.text);
  const conditions = status.conditions ?? [];
  const others = conditions.filter((condition) => condition.type !== 'Progressing');
  if (!hasDeadline(d)) return { ...status, conditions: others };
  const current = progressing(d.status);
  const settled =
    status.replicas === status.updatedReplicas && current?.reason === reasons.available;
  if (settled) return status;
  const subject =
    newSet === undefined
      ? `Deployment "${d.metadata.name}"`
      : `ReplicaSet "${newSet.metadata.name}"`;
  const set = (state: 'True' | 'False', reason: string, message: string) => ({
    ...status,
    conditions: setCondition(
      conditions,
      { type: 'Progressing', status: state, reason, message },
      time.text,
    ),
  });
  if (isComplete(d, status))
    return set('True', reasons.available, `${subject} has successfully progressed.`);
  if (hasProgressed(d, status)) {
    const since =
      current?.status === 'True' ? (current.lastTransitionTime ?? time.text) : time.text;
    const moved: Condition = {
      type: 'Progressing',
      status: 'True',
      reason: reasons.updated,
      message: `${subject} is progressing.`,
      lastUpdateTime: time.text,
      lastTransitionTime: since,
    };
    return { ...status, conditions: [...others, moved] };
  }
  if (isTimedOut(d, status, time.now))
    return set('False', reasons.timedOut, `${subject} has timed out progressing.`);
  return status;
}
