import { deleteObject } from '../deletion.ts';
import { equalJson } from '../json.ts';
import type { KubernetesObject, Resource } from '../resource.ts';
import { labelSelectorMatch } from '../selectors.ts';
import {
  type Controller,
  type ControllerContext,
  managerOptions,
  onChanges,
  targetOf,
} from './context.ts';
import { ControlLoop } from './control-loop.ts';
import { byRevision, isActive, noDeadline } from './deployment-replica-sets.ts';
import { type Found, type StatusChange, syncNewSet } from './deployment-revision.ts';
import { DeploymentScaling } from './deployment-scaling.ts';
import {
  calculateStatus,
  deadlineOf,
  hasDeadline,
  isComplete,
  progressing,
  reasons,
  rolloutStatus,
  setCondition,
} from './deployment-status.ts';
import {
  asDeployment,
  asJson,
  asReplicaSet,
  asStored,
  controllerOf,
  type Deployment,
  type DeploymentStatus,
  keyOf,
  podPhase,
  type ReplicaSet,
  splitKey,
  withAnnotations,
} from './objects.ts';
import { claim } from './ownership.ts';

type Sets = {
  readonly newSet: ReplicaSet | undefined;
  readonly old: readonly ReplicaSet[];
  readonly all: readonly ReplicaSet[];
};

/**
 * The Deployment controller: adoption by labels, rolling update and Recreate, scaling while
 * paused, conditions, revisions.
 */
export class DeploymentController implements Controller {
  readonly #context: ControllerContext;
  readonly #deployments: Resource;
  readonly #sets: Resource;
  readonly #scaling: DeploymentScaling;
  readonly #loop: ControlLoop;
  readonly #unsubscribe: () => void;

  constructor(context: ControllerContext) {
    this.#context = context;
    this.#deployments = context.server.resource('apps/v1', 'deployments');
    this.#sets = context.server.resource('apps/v1', 'replicasets');
    this.#scaling = new DeploymentScaling(context);
    this.#loop = new ControlLoop(context, (key) => this.#sync(key));
    this.#unsubscribe = onChanges(context, {
      'apps/deployments': ({ object }) => this.#loop.enqueue(keyOf(object)),
      'apps/replicasets': ({ object, previous }) => this.#onSet(object, previous),
    });
  }

  stop(): void {
    this.#unsubscribe();
    this.#loop.stop();
  }

  /** Wakes the owners, and for an orphan every Deployment that might adopt it. */
  #onSet(object: KubernetesObject, previous: KubernetesObject | undefined): void {
    const { namespace = '' } = object.metadata;
    const owners = [
      controllerOf(object),
      previous === undefined ? undefined : controllerOf(previous),
    ];
    for (const owner of owners)
      if (owner !== undefined) this.#loop.enqueue(`${namespace}/${owner.name}`);
    if (owners[0] !== undefined) return;
    for (const deployment of this.#context.server.store.list('apps/deployments', namespace))
      if (labelSelectorMatch(asDeployment(deployment).spec.selector)(object.metadata.labels))
        this.#loop.enqueue(keyOf(deployment));
  }

  #sync(key: string): void {
    const { store } = this.#context.server;
    const { namespace, name } = splitKey(key);
    const stored = store.read('apps/deployments', namespace, name);
    if (stored === undefined) return;
    let d = asDeployment(stored);
    const sets = claim(
      this.#context,
      stored,
      this.#sets,
      store.list('apps/replicasets', namespace),
      labelSelectorMatch(d.spec.selector),
    ).map(asReplicaSet);
    if (d.metadata.deletionTimestamp !== undefined)
      return this.#syncStatus(d, this.#divide(sets, undefined), false);
    d = this.#notePause(d);
    if (d.spec.paused === true || this.#scaling.isScalingEvent(d, sets))
      return this.#syncPausedOrScaling(d, sets);
    if (d.spec.strategy.type === 'Recreate') this.#recreate(d, sets);
    else this.#roll(d, sets);
  }

  /**
   * Paused and resumed show in the Progressing condition, unless there is no deadline or it has
   * run out.
   */
  #notePause(d: Deployment): Deployment {
    const condition = progressing(d.status);
    if (!hasDeadline(d) || condition?.reason === reasons.timedOut) return d;
    const shown = condition?.reason === reasons.paused;
    if ((d.spec.paused === true) === shown) return d;
    const wanted = shown
      ? { reason: reasons.resumed, message: 'Deployment is resumed' }
      : { reason: reasons.paused, message: 'Deployment is paused' };
    const conditions = setCondition(
      d.status.conditions ?? [],
      { type: 'Progressing', status: 'Unknown', ...wanted },
      this.#context.server.objects.now(),
    );
    return this.#updateStatus(d, { status: { ...d.status, conditions } });
  }

  #syncPausedOrScaling(d: Deployment, sets: readonly ReplicaSet[]): void {
    const found = this.#newSet(d, sets, false);
    const { newSet, old } = this.#divide(sets, found.newSet);
    this.#scaling.scale(found.deployment, newSet, old);
    if (d.spec.paused === true) this.#cleanUp(found.deployment, old);
    this.#syncStatus(found.deployment, this.#divide(this.#refreshed(sets), newSet), false);
  }

  #roll(d: Deployment, sets: readonly ReplicaSet[]): void {
    const found = this.#newSet(d, sets, true);
    const { deployment, newSet } = found;
    if (newSet === undefined) return;
    const { old, all } = this.#divide(sets, newSet);
    const moved =
      this.#scaling.growNew(deployment, newSet, all) ||
      this.#scaling.shrinkOld(deployment, newSet, old);
    if (!moved && isComplete(deployment, deployment.status)) this.#cleanUp(deployment, old);
    this.#syncStatus(deployment, this.#divide(this.#refreshed(all), newSet), true);
  }

  #recreate(d: Deployment, sets: readonly ReplicaSet[]): void {
    const before = this.#newSet(d, sets, false);
    const { old } = this.#divide(sets, before.newSet);
    const scaledDown = old
      .filter(isActive)
      .map((rs) => this.#scaling.resizeIfNeeded(before.deployment, rs, 0))
      .some(Boolean);
    if (scaledDown || this.#hasRunningPods(old)) {
      this.#syncStatus(before.deployment, this.#divide(this.#refreshed(sets), before.newSet), true);
      return;
    }
    const { deployment, newSet } = this.#newSet(before.deployment, sets, true);
    if (newSet === undefined) return;
    this.#scaling.resizeIfNeeded(deployment, newSet, deployment.spec.replicas);
    if (isComplete(deployment, deployment.status)) this.#cleanUp(deployment, old);
    this.#syncStatus(deployment, this.#divide(this.#refreshed([...old, newSet]), newSet), true);
  }

  #hasRunningPods(sets: readonly ReplicaSet[]): boolean {
    const uids = new Set(sets.map((rs) => rs.metadata.uid));
    const [first] = sets;
    if (first === undefined) return false;
    return this.#context.server.store
      .list('/pods', first.metadata.namespace)
      .some(
        (pod) =>
          uids.has(controllerOf(pod)?.uid ?? '') &&
          podPhase(pod) !== 'Failed' &&
          podPhase(pod) !== 'Succeeded',
      );
  }

  #newSet(d: Deployment, sets: readonly ReplicaSet[], create: boolean): Found {
    const parts = {
      context: this.#context,
      sets: this.#sets,
      updateStatus: (seen: Deployment, change: StatusChange) => this.#updateStatus(seen, change),
    };
    return syncNewSet(parts, d, sets, create);
  }

  #divide(sets: readonly ReplicaSet[], newSet: ReplicaSet | undefined): Sets {
    const old = sets.filter((rs) => rs.metadata.uid !== newSet?.metadata.uid);
    const current = sets.find((rs) => rs.metadata.uid === newSet?.metadata.uid) ?? newSet;
    return { newSet: current, old, all: current === undefined ? old : [...old, current] };
  }

  #refreshed(sets: readonly ReplicaSet[]): readonly ReplicaSet[] {
    return sets.flatMap((rs) => {
      const stored = this.#context.server.objects.find(targetOf(this.#sets, asStored(rs)));
      return stored === undefined ? [] : [asReplicaSet(stored)];
    });
  }

  /** Deletes empty old ReplicaSets beyond the history limit, lowest revisions first. */
  #cleanUp(d: Deployment, old: readonly ReplicaSet[]): void {
    const limit = d.spec.revisionHistoryLimit ?? noDeadline;
    if (limit === noDeadline) return;
    const alive = old.filter((rs) => rs.metadata.deletionTimestamp === undefined);
    for (const rs of [...alive].sort(byRevision).slice(0, Math.max(0, alive.length - limit))) {
      const seen = (rs.status.observedGeneration ?? 0) >= (rs.metadata.generation ?? 0);
      if (rs.status.replicas !== 0 || rs.spec.replicas !== 0 || !seen) continue;
      deleteObject(this.#context.server.objects, targetOf(this.#sets, asStored(rs)), {
        propagation: 'Background',
      });
    }
  }

  #syncStatus(d: Deployment, { newSet, all }: Sets, rollout: boolean): void {
    const { objects } = this.#context.server;
    const text = objects.now();
    const now = this.#context.clock.now();
    const status = rollout
      ? rolloutStatus(d, all, newSet, { text, now })
      : calculateStatus(d, all, newSet, text);
    const deadline = rollout ? deadlineOf(d, status) : undefined;
    // One second late, as times are whole seconds.
    if (deadline !== undefined) this.#loop.enqueue(keyOf(d), Math.max(0, deadline - now) + 1000);
    if (!equalJson(status, d.status)) this.#updateStatus(d, { status });
  }

  #updateStatus(d: Deployment, { status, annotations }: StatusChange): Deployment {
    const annotated = annotations === undefined ? d : withAnnotations(d, annotations);
    const body: Deployment & { readonly status: DeploymentStatus } =
      status === undefined ? annotated : { ...annotated, status };
    const target = targetOf(this.#deployments, asStored(d), 'status');
    const write = () => this.#context.server.objects.update(target, asJson(body), managerOptions);
    // What is complete by it is cleaned up in the pass after it; else nothing is left to do.
    const completes = isComplete(d, body.status) && !isComplete(d, d.status);
    return asDeployment(completes ? write() : this.#loop.settle(write));
  }
}
