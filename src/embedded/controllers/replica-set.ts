import { deleteObject } from '../deletion.ts';
import { asArray, asNumber, asObject, equalJson } from '../json.ts';
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
import {
  asJson,
  asReplicaSet,
  asStored,
  byCreation,
  conditionsOf,
  controllerOf,
  isPodActive,
  isPodAvailable,
  isPodReady,
  keyOf,
  momentOf,
  podPhase,
  type ReplicaSet,
  splitKey,
} from './objects.ts';
import { claim, controlledBy } from './ownership.ts';

const source = 'replicaset-controller';

/**
 * The ReplicaSet controller: as many pods as asked for, adoption by labels, counts in the status.
 */
export class ReplicaSetController implements Controller {
  readonly #context: ControllerContext;
  readonly #sets: Resource;
  readonly #pods: Resource;
  readonly #loop: ControlLoop;
  readonly #unsubscribe: () => void;

  constructor(context: ControllerContext) {
    this.#context = context;
    this.#sets = context.server.resource('apps/v1', 'replicasets');
    this.#pods = context.server.resource('v1', 'pods');
    this.#loop = new ControlLoop(context, (key) => this.#sync(key));
    this.#unsubscribe = onChanges(context, {
      'apps/replicasets': ({ object, previous, type }) =>
        type !== 'DELETED' && isForSet(previous, object) && this.#loop.enqueue(keyOf(object)),
      '/pods': ({ object, previous, type }) => {
        if (type !== 'MODIFIED' || isCountedOtherwise(previous, object))
          this.#onPod(object, previous);
      },
    });
  }

  stop(): void {
    this.#unsubscribe();
    this.#loop.stop();
  }

  #onPod(object: KubernetesObject, previous: KubernetesObject | undefined): void {
    const { namespace = '', labels } = object.metadata;
    const owners = [
      controllerOf(object),
      previous === undefined ? undefined : controllerOf(previous),
    ];
    for (const owner of owners)
      if (owner?.kind === 'ReplicaSet') this.#loop.enqueue(`${namespace}/${owner.name}`);
    if (owners[0] !== undefined) return;
    for (const set of this.#context.server.store.list('apps/replicasets', namespace))
      if (labelSelectorMatch(asReplicaSet(set).spec.selector)(labels))
        this.#loop.enqueue(keyOf(set));
  }

  #sync(key: string): void {
    const { store } = this.#context.server;
    const { namespace, name } = splitKey(key);
    const stored = store.read('apps/replicasets', namespace, name);
    if (stored === undefined) return;
    const rs = asReplicaSet(stored);
    const matches = labelSelectorMatch(rs.spec.selector);
    const all = claim(this.#context, stored, this.#pods, store.list('/pods', namespace), matches);
    const active = all.filter(isPodActive);
    // The status tells of what was just made or deleted, too.
    if (rs.metadata.deletionTimestamp === undefined)
      this.#loop.settle(() => this.#resize(rs, active));
    this.#syncStatus(
      rs,
      store
        .list('/pods', namespace)
        .filter(
          (pod) => controllerOf(pod)?.uid === rs.metadata.uid && matches(pod.metadata.labels),
        ),
    );
  }

  #resize(rs: ReplicaSet, active: readonly KubernetesObject[]): void {
    const missing = rs.spec.replicas - active.length;
    for (let i = 0; i < missing; i += 1) this.#createPod(rs);
    if (missing >= 0) return;
    const victims = [...active].sort(byUsefulness).slice(0, -missing);
    for (const pod of victims) {
      deleteObject(this.#context.server.objects, targetOf(this.#pods, pod), {
        propagation: 'Background',
      });
      this.#context.events.record(
        asStored(rs),
        'SuccessfulDelete',
        `Deleted pod: ${pod.metadata.name}`,
        source,
      );
    }
  }

  #createPod(rs: ReplicaSet): void {
    const { metadata = {}, spec } = rs.spec.template;
    const body = {
      metadata: {
        generateName: `${rs.metadata.name}-`,
        ...(metadata.labels === undefined ? {} : { labels: metadata.labels }),
        ...(metadata.annotations === undefined ? {} : { annotations: metadata.annotations }),
        ownerReferences: [controlledBy(asStored(rs))],
      },
      spec,
    };
    const pod = this.#context.server.objects.create(
      this.#pods,
      rs.metadata.namespace ?? '',
      asJson(body),
      managerOptions,
    );
    this.#context.events.record(
      asStored(rs),
      'SuccessfulCreate',
      `Created pod: ${pod.metadata.name}`,
      source,
    );
  }

  #syncStatus(rs: ReplicaSet, pods: readonly KubernetesObject[]): void {
    const now = this.#context.clock.now();
    const wait = rs.spec.minReadySeconds ?? 0;
    const active = pods.filter(isPodActive);
    const ready = active.filter(isPodReady);
    const available = ready.filter((pod) => isPodAvailable(pod, wait, now));
    const terminating = pods.filter(
      (pod) =>
        pod.metadata.deletionTimestamp !== undefined &&
        podPhase(pod) !== 'Succeeded' &&
        podPhase(pod) !== 'Failed',
    );
    const templateLabels = Object.entries(asObject(asObject(rs.spec.template.metadata).labels));
    const labeled = active.filter((pod) =>
      templateLabels.every(([key, value]) => pod.metadata.labels?.[key] === value),
    );
    const positive = (key: string, value: number) => (value > 0 ? { [key]: value } : {});
    const status = {
      replicas: active.length,
      ...positive('fullyLabeledReplicas', labeled.length),
      ...positive('readyReplicas', ready.length),
      ...positive('availableReplicas', available.length),
      terminatingReplicas: terminating.length,
      observedGeneration: rs.metadata.generation ?? 0,
    };
    if (available.length < ready.length)
      this.#loop.enqueue(keyOf(rs), this.#untilNextAvailable(ready, wait, now));
    if (equalJson(status, rs.status)) return;
    const target = targetOf(this.#sets, asStored(rs), 'status');
    const { objects } = this.#context.server;
    this.#loop.settle(() =>
      objects.modify(target, (current) => ({ ...asJson(current), status }), managerOptions),
    );
  }

  #untilNextAvailable(
    ready: readonly KubernetesObject[],
    waitSeconds: number,
    now: number,
  ): number {
    const left = ready
      .map((pod) => momentOf(readySince(pod)) + waitSeconds * 1000 - now)
      .filter((span) => span > 0);
    return Math.min(...left, waitSeconds * 1000);
  }
}

/** Its labels and annotations are nothing that a pass goes by. */
const isForSet = (before: KubernetesObject | undefined, after: KubernetesObject): boolean =>
  before === undefined ||
  before.spec !== after.spec ||
  before.status !== after.status ||
  before.metadata.generation !== after.metadata.generation;

/** Whether what a pass counts pods by has changed: a node or an address are no such things. */
const isCountedOtherwise = (
  before: KubernetesObject | undefined,
  after: KubernetesObject,
): boolean =>
  before === undefined ||
  before.metadata.labels !== after.metadata.labels ||
  before.metadata.ownerReferences !== after.metadata.ownerReferences ||
  before.metadata.deletionTimestamp !== after.metadata.deletionTimestamp ||
  podPhase(before) !== podPhase(after) ||
  isPodReady(before) !== isPodReady(after) ||
  readySince(before) !== readySince(after);

const readySince = (pod: KubernetesObject): string | undefined =>
  conditionsOf(pod).find((condition) => condition.type === 'Ready')?.lastTransitionTime;

const phases = ['Pending', 'Unknown', 'Running'];
const restarts = (pod: KubernetesObject): number =>
  Math.max(
    0,
    ...asArray(asObject(pod.status).containerStatuses).map((status) =>
      asNumber(asObject(status).restartCount),
    ),
  );
const cost = (pod: KubernetesObject): number =>
  Number(pod.metadata.annotations?.['controller.kubernetes.io/pod-deletion-cost'] ?? 0);
const assigned = (pod: KubernetesObject): number =>
  asObject(pod.spec).nodeName === undefined ? 0 : 1;

/**
 * The pods that are missed least come first: no node, not running, not ready, ready for the
 * shortest time, newest.
 */
function byUsefulness(a: KubernetesObject, b: KubernetesObject): number {
  return (
    assigned(a) - assigned(b) ||
    phases.indexOf(podPhase(a)) - phases.indexOf(podPhase(b)) ||
    Number(isPodReady(a)) - Number(isPodReady(b)) ||
    cost(a) - cost(b) ||
    (isPodReady(a) ? momentOf(readySince(b)) - momentOf(readySince(a)) : 0) ||
    restarts(b) - restarts(a) ||
    byCreation(b, a)
  );
}
