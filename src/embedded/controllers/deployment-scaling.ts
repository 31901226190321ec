import type { Resource } from '../resource.ts';
import { type ControllerContext, managerOptions, targetOf } from './context.ts';
import {
  availableReplicas,
  bySize,
  desiredAnnotation,
  desiredIn,
  findActiveOrLatest,
  isActive,
  isSaturated,
  maxAnnotation,
  maxSurge,
  maxUnavailable,
  newSetSize,
  proportion,
  specReplicas,
  sum,
} from './deployment-replica-sets.ts';
import {
  annotation,
  asJson,
  asReplicaSet,
  asStored,
  byCreation,
  type Deployment,
  type ReplicaSet,
  withAnnotations,
} from './objects.ts';

const source = 'deployment-controller';

/**
 * Everything by which a Deployment changes the sizes of its ReplicaSets. Each method tells
 * whether it did.
 */
export class DeploymentScaling {
  readonly #context: ControllerContext;
  readonly #sets: Resource;

  constructor(context: ControllerContext) {
    this.#context = context;
    this.#sets = context.server.resource('apps/v1', 'replicasets');
  }

  /** Size and size annotations in one write; an Event when the size changes. */
  resize(d: Deployment, rs: ReplicaSet, size: number): ReplicaSet {
    const wanted = {
      [desiredAnnotation]: String(d.spec.replicas),
      [maxAnnotation]: String(d.spec.replicas + maxSurge(d)),
    };
    const annotated = Object.entries(wanted).every(([key, value]) => annotation(rs, key) === value);
    if (rs.spec.replicas === size && annotated) return rs;
    const { server, events } = this.#context;
    const target = targetOf(this.#sets, asStored(rs));
    const stored = server.objects.update(
      target,
      asJson(withAnnotations({ ...rs, spec: { ...rs.spec, replicas: size } }, wanted)),
      managerOptions,
    );
    if (rs.spec.replicas !== size) {
      const direction = rs.spec.replicas < size ? 'up' : 'down';
      events.record(
        asStored(d),
        'ScalingReplicaSet',
        `Scaled ${direction} replica set ${rs.metadata.name} from ${rs.spec.replicas} to ${size}`,
        source,
      );
    }
    return asReplicaSet(stored);
  }

  /** Like `resize`, but annotations alone are no reason to write. */
  resizeIfNeeded(d: Deployment, rs: ReplicaSet, size: number): boolean {
    if (rs.spec.replicas === size) return false;
    this.resize(d, rs, size);
    return true;
  }

  /**
   * Scaling without a rollout: the only active ReplicaSet follows the Deployment; once the new
   * one carries
   * everything the old ones go to 0; else the difference is spread in proportion.
   */
  scale(d: Deployment, newSet: ReplicaSet | undefined, old: readonly ReplicaSet[]): void {
    const only = findActiveOrLatest(newSet, old);
    if (only !== undefined) {
      this.resizeIfNeeded(d, only, d.spec.replicas);
      return;
    }
    if (isSaturated(d, newSet)) {
      for (const rs of old.filter(isActive)) this.resizeIfNeeded(d, rs, 0);
      return;
    }
    if (d.spec.strategy.type === 'RollingUpdate')
      this.#spread(d, newSet === undefined ? old : [...old, newSet]);
  }

  #spread(d: Deployment, all: readonly ReplicaSet[]): void {
    const active = all.filter(isActive);
    const allowed = d.spec.replicas > 0 ? d.spec.replicas + maxSurge(d) : 0;
    const toAdd = allowed - sum(active, specReplicas);
    active.sort(bySize(toAdd > 0));
    let added = 0;
    const sizes = active.map((rs) => {
      const share = proportion(rs, d, toAdd, added);
      added += share;
      return rs.spec.replicas + share;
    });
    active.forEach((rs, i) => {
      const leftover = i === 0 && toAdd !== 0 ? toAdd - added : 0;
      this.resize(d, rs, Math.max(0, (sizes[i] ?? 0) + leftover));
    });
  }

  /** Rolling update, upwards: as many new pods as the surge allows. */
  growNew(d: Deployment, newSet: ReplicaSet, all: readonly ReplicaSet[]): boolean {
    if (newSet.spec.replicas >= d.spec.replicas)
      return this.resizeIfNeeded(d, newSet, d.spec.replicas);
    return this.resizeIfNeeded(d, newSet, newSetSize(d, all, newSet.spec.replicas));
  }

  /**
   * Rolling update, downwards: first pods that are not available, then as many as may be missing.
   */
  shrinkOld(d: Deployment, newSet: ReplicaSet, old: readonly ReplicaSet[]): boolean {
    if (sum(old, specReplicas) === 0) return false;
    const minAvailable = d.spec.replicas - maxUnavailable(d);
    const missingNew = newSet.spec.replicas - availableReplicas(newSet);
    const most = sum(old, specReplicas) + newSet.spec.replicas - minAvailable - missingNew;
    if (most <= 0) return false;
    const trimmed = this.#dropUnhealthy(d, old, most);
    const spare = sum(trimmed.sets, availableReplicas) + availableReplicas(newSet) - minAvailable;
    return this.#dropHealthy(d, trimmed.sets, spare) || trimmed.count > 0;
  }

  #dropUnhealthy(
    d: Deployment,
    old: readonly ReplicaSet[],
    most: number,
  ): { sets: readonly ReplicaSet[]; count: number } {
    let count = 0;
    const sets = [...old].sort(byCreation).map((rs) => {
      const unhealthy = Math.min(most - count, rs.spec.replicas - availableReplicas(rs));
      if (unhealthy <= 0) return rs;
      count += unhealthy;
      return this.resize(d, rs, rs.spec.replicas - unhealthy);
    });
    return { sets, count };
  }

  #dropHealthy(d: Deployment, old: readonly ReplicaSet[], spare: number): boolean {
    let left = spare;
    for (const rs of old) {
      const drop = Math.min(rs.spec.replicas, left);
      if (drop <= 0) continue;
      left -= drop;
      this.resize(d, rs, rs.spec.replicas - drop);
    }
    return left < spare;
  }

  /** The size of the Deployment changed since a ReplicaSet was last told. */
  isScalingEvent(d: Deployment, sets: readonly ReplicaSet[]): boolean {
    return sets.filter(isActive).some((rs) => {
      const desired = desiredIn(rs);
      return desired !== undefined && desired !== d.spec.replicas;
    });
  }
}
