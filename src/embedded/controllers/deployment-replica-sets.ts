import { asNumber, type Json } from '../json.ts';
import {
  annotation,
  byCreation,
  type Deployment,
  equalTemplates,
  type ReplicaSet,
} from './objects.ts';

export const revisionAnnotation = 'deployment.kubernetes.io/revision';
export const revisionHistoryAnnotation = 'deployment.kubernetes.io/revision-history';
export const desiredAnnotation = 'deployment.kubernetes.io/desired-replicas';
export const maxAnnotation = 'deployment.kubernetes.io/max-replicas';
/** "No deadline": the controller then leaves the Progressing condition alone. */
export const noDeadline = 2_147_483_647;

/** The oldest ReplicaSet with the Deployment's template, whatever its name. */
export const findNew = (d: Deployment, sets: readonly ReplicaSet[]): ReplicaSet | undefined =>
  [...sets].sort(byCreation).find((rs) => equalTemplates(rs.spec.template, d.spec.template));

export const isActive = (rs: ReplicaSet): boolean => rs.spec.replicas > 0;

export const sum = (sets: readonly ReplicaSet[], of: (rs: ReplicaSet) => number): number =>
  sets.reduce((total, rs) => total + of(rs), 0);

export const specReplicas = (rs: ReplicaSet): number => rs.spec.replicas;
export const availableReplicas = (rs: ReplicaSet): number => rs.status.availableReplicas ?? 0;

/**
 * The one that scaling concerns: the only active one, or the newest when none is; none when
 * several are active.
 */
export function findActiveOrLatest(
  newSet: ReplicaSet | undefined,
  old: readonly ReplicaSet[],
): ReplicaSet | undefined {
  const all = newSet === undefined ? old : [...old, newSet];
  const active = all.filter(isActive);
  if (active.length === 1) return active[0];
  if (active.length > 1) return undefined;
  return newSet ?? [...old].sort(byCreation).at(-1);
}

const numberIn = (rs: ReplicaSet, key: string): number | undefined => {
  const text = annotation(rs, key);
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;
};

export const desiredIn = (rs: ReplicaSet) => numberIn(rs, desiredAnnotation);

/** The new ReplicaSet carries everything: the old ones may go. */
export const isSaturated = (d: Deployment, rs: ReplicaSet | undefined): rs is ReplicaSet =>
  rs !== undefined &&
  rs.spec.replicas === d.spec.replicas &&
  desiredIn(rs) === d.spec.replicas &&
  availableReplicas(rs) === d.spec.replicas;

export const revisionOf = (rs: ReplicaSet): number =>
  Number(annotation(rs, revisionAnnotation) ?? 0) || 0;

const isRolling = (d: Deployment) => d.spec.strategy.type === 'RollingUpdate';

function resolve(value: Json | undefined, total: number, round: (n: number) => number): number {
  if (typeof value === 'string') return round((Number.parseInt(value, 10) * total) / 100);
  return asNumber(value);
}

/** How far a rolling update may go over and under the wanted number of pods. */
export function fenceposts(d: Deployment): {
  readonly surge: number;
  readonly unavailable: number;
} {
  if (!isRolling(d)) return { surge: 0, unavailable: 0 };
  const { replicas, strategy } = d.spec;
  const surge = resolve(strategy.rollingUpdate?.maxSurge, replicas, Math.ceil);
  const unavailable = resolve(strategy.rollingUpdate?.maxUnavailable, replicas, Math.floor);
  return { surge, unavailable: surge === 0 && unavailable === 0 ? 1 : unavailable };
}

export const maxSurge = (d: Deployment): number => fenceposts(d).surge;
export const maxUnavailable = (d: Deployment): number =>
  isRolling(d) && d.spec.replicas > 0 ? Math.min(fenceposts(d).unavailable, d.spec.replicas) : 0;

/** Share of a ReplicaSet in a change of the whole Deployment's size. */
export function proportion(rs: ReplicaSet, d: Deployment, toAdd: number, added: number): number {
  if (rs.spec.replicas === 0 || toAdd === 0 || toAdd === added) return 0;
  const fraction = fractionOf(rs, d);
  const allowed = toAdd - added;
  return toAdd > 0 ? Math.min(fraction, allowed) : Math.max(fraction, allowed);
}

function fractionOf(rs: ReplicaSet, d: Deployment): number {
  if (d.spec.replicas === 0) return -rs.spec.replicas;
  const before = numberIn(rs, maxAnnotation) ?? d.status.replicas ?? 0;
  if (before === 0) return 0;
  const size = (rs.spec.replicas * (d.spec.replicas + maxSurge(d))) / before;
  return Math.round(size) - rs.spec.replicas;
}

/** Size of the new ReplicaSet that a rollout may have now. */
export function newSetSize(d: Deployment, all: readonly ReplicaSet[], newReplicas: number): number {
  if (!isRolling(d)) return d.spec.replicas;
  const room = d.spec.replicas + maxSurge(d) - sum(all, specReplicas);
  if (room <= 0) return newReplicas;
  return newReplicas + Math.min(room, d.spec.replicas - newReplicas);
}

/** Biggest first; equal sizes: the newer (or older) first. */
export const bySize =
  (newerFirst: boolean) =>
  (a: ReplicaSet, b: ReplicaSet): number =>
    b.spec.replicas - a.spec.replicas || (newerFirst ? byCreation(b, a) : byCreation(a, b));

export const byRevision = (a: ReplicaSet, b: ReplicaSet): number =>
  revisionOf(a) - revisionOf(b) || byCreation(a, b);
