import { millis } from '../../lib/units.ts';
import { deleteObject } from '../deletion.ts';
import { asArray, asObject, asString, equalJson, type Json, type JsonObject } from '../json.ts';
import type { KubernetesObject, Resource } from '../resource.ts';
import { ApiFailure } from '../status.ts';
import type { Change } from '../store.ts';
import { type Controller, type ControllerContext, onChanges, targetOf } from './context.ts';
import { throwBug } from './control-loop.ts';
import { asJson, conditionsOf } from './objects.ts';
import { type PodBehaviour, readBehaviour } from './pod-behaviour.ts';

/** What runs inside the pods; absent where traffic is only modelled. */
export type PodRuntime = {
  start(pod: KubernetesObject, behaviour: PodBehaviour): void;
  /** Settings changed while running. */
  change(pod: KubernetesObject, behaviour: PodBehaviour): void;
  stop(pod: KubernetesObject): void;
};

export const noRuntime: PodRuntime = { start: () => {}, change: () => {}, stop: () => {} };

type Running = {
  readonly uid: string;
  readonly ip: string;
  behaviour: PodBehaviour;
  restarts: number;
  state: 'starting' | 'running' | 'waiting' | 'stopping';
  reason: string;
  startedAt: string;
  /** Of the container that ended last; its status keeps it while the next one runs. */
  ended: { readonly startedAt: string; readonly finishedAt: string } | undefined;
};

const manager = { manager: 'kubelet' };
const nodeName = 'node-1';
const crashAfterMillis = 1000;
const firstBackoffMillis = 2000;
const longestBackoffMillis = 60_000;

/** Binds pods to the one node, starts, restarts and drains them, and reports their status. */
export class Kubelet implements Controller {
  readonly #context: ControllerContext;
  readonly #pods: Resource;
  readonly #runtime: PodRuntime;
  readonly #running = new Map<string, Running>();
  readonly #timers = new Set<() => void>();
  readonly #unsubscribe: () => void;
  #addresses = 1;
  #stopped = false;

  constructor(context: ControllerContext, runtime: PodRuntime = noRuntime) {
    this.#context = context;
    this.#runtime = runtime;
    this.#pods = context.server.resource('v1', 'pods');
    this.#unsubscribe = onChanges(context, { '/pods': (change) => this.#onPod(change) });
    this.#createNode();
  }

  stop(): void {
    this.#stopped = true;
    this.#unsubscribe();
    for (const cancel of this.#timers) cancel();
    this.#timers.clear();
  }

  #onPod({ type, object, previous }: Change): void {
    if (type === 'DELETED') return this.#gone(object);
    if (previous !== undefined && !isForKubelet(previous, object)) return;
    const { namespace = '', name } = object.metadata;
    this.#later(this.#context.delayMillis, () => this.#see(namespace, name));
  }

  #createNode(): void {
    const { objects } = this.#context.server;
    const nodes = this.#context.server.resource('v1', 'nodes');
    if (objects.find({ resource: nodes, namespace: '', name: nodeName }) !== undefined) return;
    const labels = { 'kubernetes.io/hostname': nodeName, 'kubernetes.io/os': 'linux' };
    objects.create(
      nodes,
      '',
      {
        metadata: { name: nodeName, labels },
        status: {
          conditions: [
            {
              type: 'Ready',
              status: 'True',
              reason: 'KubeletReady',
              lastHeartbeatTime: objects.now(),
              lastTransitionTime: objects.now(),
            },
          ],
          addresses: [{ type: 'Hostname', address: nodeName }],
          nodeInfo: asJson({
            kubeletVersion: 'v1.36.3',
            osImage: 'embedded',
            architecture: 'amd64',
            operatingSystem: 'linux',
            bootID: '',
            machineID: '',
            systemUUID: '',
            containerRuntimeVersion: 'embedded://1',
            kernelVersion: '',
            kubeProxyVersion: '',
          }),
        },
      },
      manager,
    );
  }

  #later(span: number, action: () => void): void {
    const cancel = this.#context.clock.after(millis(span), () => {
      this.#timers.delete(cancel);
      if (this.#stopped) return;
      try {
        action();
      } catch (error) {
        // The pod changed or went away meanwhile; its next event brings us back.
        if (!(error instanceof ApiFailure)) throwBug(error);
      }
    });
    this.#timers.add(cancel);
  }

  #see(namespace: string, name: string): void {
    const pod = this.#context.server.store.read('/pods', namespace, name);
    if (pod === undefined) return;
    if (asObject(pod.spec).nodeName === undefined) return this.#bind(pod);
    const known = this.#running.get(pod.metadata.uid);
    if (known === undefined) {
      if (isRunning(pod)) this.#adopt(pod);
      else if (pod.metadata.deletionTimestamp === undefined) this.#start(pod);
      else this.#remove(pod);
      return;
    }
    if (pod.metadata.deletionTimestamp !== undefined) return this.#drain(pod, known);
    const behaviour = readBehaviour(pod);
    if (equalJson(behaviour, known.behaviour)) return;
    known.behaviour = behaviour;
    this.#runtime.change(pod, behaviour);
    if (known.state === 'running') this.#report(pod, known);
  }

  /** The scheduler's work: there is one node, and it always has room. */
  #bind(pod: KubernetesObject): void {
    if (
      pod.metadata.deletionTimestamp !== undefined ||
      asObject(pod.spec).schedulerName !== 'default-scheduler'
    )
      return;
    const condition = {
      type: 'PodScheduled',
      status: 'True',
      lastTransitionTime: this.#context.server.objects.now(),
    };
    const { objects } = this.#context.server;
    objects.modify(
      targetOf(this.#pods, pod),
      (current) => asJson({ ...current, spec: { ...asObject(current.spec), nodeName } }),
      { manager: 'kube-scheduler' },
    );
    objects.modify(
      targetOf(this.#pods, pod, 'status'),
      (current) =>
        asJson({ ...current, status: { ...asObject(current.status), conditions: [condition] } }),
      { manager: 'kube-scheduler' },
    );
  }

  #start(pod: KubernetesObject): void {
    const behaviour = readBehaviour(pod);
    const entry: Running = {
      uid: pod.metadata.uid,
      ip: this.#nextAddress(),
      behaviour,
      restarts: 0,
      state: 'starting',
      reason: 'ContainerCreating',
      startedAt: this.#context.server.objects.now(),
      ended: undefined,
    };
    this.#running.set(entry.uid, entry);
    if (behaviour.imageMissing) {
      entry.state = 'waiting';
      entry.reason = 'ImagePullBackOff';
      return this.#report(pod, entry);
    }
    this.#report(pod, entry);
    this.#later(behaviour.startDelayMillis, () => this.#run(entry, pod));
  }

  /** Goes on with a pod that runs already: only its processes outlive a kubelet. */
  #adopt(pod: KubernetesObject): void {
    const ip = asString(asObject(pod.status).podIP);
    this.#running.set(pod.metadata.uid, {
      uid: pod.metadata.uid,
      ip,
      behaviour: readBehaviour(pod),
      restarts: 0,
      state: 'running',
      reason: '',
      startedAt: asString(asObject(pod.status).startTime),
      ended: undefined,
    });
    const [, , high = 0, low = 0] = ip.split('.').map(Number);
    this.#addresses = Math.max(this.#addresses, high * 256 + low);
    this.#see(pod.metadata.namespace ?? '', pod.metadata.name);
  }

  #nextAddress(): string {
    this.#addresses += 1;
    const n = this.#addresses % 65_000;
    return `10.244.${n >> 8}.${n & 255}`;
  }

  #run(entry: Running, pod: KubernetesObject): void {
    const current = this.#current(entry, pod);
    if (current === undefined || entry.state === 'stopping') return;
    entry.state = 'running';
    entry.startedAt = this.#context.server.objects.now();
    if (entry.behaviour.crashes) {
      this.#report(current, entry);
      this.#later(crashAfterMillis, () => this.#crash(entry, pod));
      return;
    }
    this.#runtime.start(current, entry.behaviour);
    this.#report(current, entry);
  }

  #crash(entry: Running, pod: KubernetesObject): void {
    const current = this.#current(entry, pod);
    if (current === undefined || entry.state !== 'running') return;
    const { startedAt } = entry;
    entry.ended = { startedAt, finishedAt: this.#context.server.objects.now() };
    entry.restarts += 1;
    entry.state = 'waiting';
    entry.reason = 'CrashLoopBackOff';
    this.#runtime.stop(current);
    this.#report(current, entry);
    const pause = Math.min(firstBackoffMillis * 2 ** (entry.restarts - 1), longestBackoffMillis);
    this.#later(pause, () => this.#run(entry, pod));
  }

  /** Makes the container of a pod end once, as an out-of-memory kill does; it is restarted. */
  crash(namespace: string, name: string): void {
    const pod = this.#context.server.store.read('/pods', namespace, name);
    const entry = pod === undefined ? undefined : this.#running.get(pod.metadata.uid);
    if (pod !== undefined && entry !== undefined) this.#crash(entry, pod);
  }

  #current(entry: Running, { metadata }: KubernetesObject): KubernetesObject | undefined {
    const pod = this.#context.server.store.read('/pods', metadata.namespace ?? '', metadata.name);
    return pod?.metadata.uid === entry.uid ? pod : undefined;
  }

  /** Goes on serving for a while: the data plane needs time to notice. */
  #drain(pod: KubernetesObject, entry: Running): void {
    if (entry.state === 'stopping') return;
    entry.state = 'stopping';
    const grace = (pod.metadata.deletionGracePeriodSeconds ?? 30) * 1000;
    this.#later(Math.min(entry.behaviour.drainMillis, grace), () => {
      this.#runtime.stop(pod);
      this.#remove(pod);
    });
  }

  #remove(pod: KubernetesObject): void {
    deleteObject(this.#context.server.objects, targetOf(this.#pods, pod), {
      uid: pod.metadata.uid,
      gracePeriodSeconds: 0,
    });
  }

  #gone(pod: KubernetesObject): void {
    const entry = this.#running.get(pod.metadata.uid);
    if (entry === undefined) return;
    this.#running.delete(pod.metadata.uid);
    if (entry.state !== 'stopping') this.#runtime.stop(pod);
  }

  #report(pod: KubernetesObject, entry: Running): void {
    const running = entry.state === 'running';
    const ready = running && !entry.behaviour.crashes && !entry.behaviour.unready;
    const now = this.#context.server.objects.now();
    const state = running
      ? { running: { startedAt: entry.startedAt } }
      : {
          waiting: {
            reason: entry.reason,
            ...(entry.reason === 'ImagePullBackOff'
              ? { message: `Back-off pulling image "${imageOf(pod)}"` }
              : {}),
          },
        };
    const containerStatuses = asArray(asObject(pod.spec).containers)
      .map(asObject)
      .map((container) => ({
        name: asString(container.name),
        image: asString(container.image),
        imageID: '',
        ready,
        started: running,
        restartCount: entry.restarts,
        state,
        lastState:
          entry.ended === undefined
            ? {}
            : { terminated: { exitCode: 1, reason: 'Error', ...entry.ended } },
      }));
    const status: JsonObject = {
      ...asObject(pod.status),
      phase: running || entry.restarts > 0 ? 'Running' : 'Pending',
      hostIP: '10.244.255.2',
      podIP: entry.ip,
      podIPs: [{ ip: entry.ip }],
      startTime: asString(asObject(pod.status).startTime) || now,
      containerStatuses,
      conditions: podConditions(pod, ready, now),
    };
    this.#context.server.objects.modify(
      targetOf(this.#pods, pod, 'status'),
      (current) => asJson({ ...current, status }),
      manager,
    );
  }
}

/** Its first container, without a restart so far: what a pod does is the same for all of them. */
function isRunning(pod: KubernetesObject): boolean {
  const [first] = asArray(asObject(pod.status).containerStatuses).map(asObject);
  return first?.restartCount === 0 && asObject(first.state).running !== undefined;
}

/** Most changes of a pod are reports of its status, and no pass of the kubelet goes by that. */
const isForKubelet = (before: KubernetesObject, after: KubernetesObject): boolean =>
  before.spec !== after.spec ||
  before.metadata.annotations !== after.metadata.annotations ||
  before.metadata.deletionTimestamp !== after.metadata.deletionTimestamp;

const imageOf = (pod: KubernetesObject) =>
  asString(asObject(asArray(asObject(pod.spec).containers)[0]).image);

function podConditions(pod: KubernetesObject, ready: boolean, now: string): readonly Json[] {
  const old = conditionsOf(pod);
  const condition = (type: string, ok: boolean) => {
    const status = ok ? 'True' : 'False';
    const before = old.find((c) => c.type === type);
    const since = before?.status === status ? (before.lastTransitionTime ?? now) : now;
    return {
      type,
      status,
      lastTransitionTime: since,
      ...(ok ? {} : { reason: 'ContainersNotReady' }),
    };
  };
  return [
    condition('Initialized', true),
    condition('Ready', ready),
    condition('ContainersReady', ready),
    condition('PodScheduled', true),
  ];
}
