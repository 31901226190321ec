import { type Api, ApiError } from '../api.ts';
import { clusterWide, namespaced } from '../resources.ts';
import type { Pod } from './pod-object.ts';
import { timestamp } from './pod-status.ts';
import type { ScrapeTargets } from './scrape-targets.ts';
import { SimulatedPod } from './simulated-pod.ts';

const nodeName = 'sim-0';

/** Registers the one Node: pods whose Node object does not exist get no traffic. */
export async function registerNode(api: Api): Promise<void> {
  const capacity = { cpu: '1000', memory: '1000Gi', pods: '5000' };
  const time = timestamp();
  const ready = { type: 'Ready', status: 'True', reason: 'KubeletReady' };
  const node = {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name: nodeName,
      labels: { 'kubernetes.io/hostname': nodeName, 'kubernetes.io/os': 'linux' },
    },
    status: {
      capacity,
      allocatable: capacity,
      conditions: [{ ...ready, lastHeartbeatTime: time, lastTransitionTime: time }],
      addresses: [{ type: 'InternalIP', address: '10.244.255.2' }],
    },
  };
  const answer = await api.request('POST', clusterWide('nodes'), node);
  if (answer.status >= 300 && answer.status !== 409) throw new ApiError('POST node', answer);
}

/** Binds pending pods to the node and keeps one {@link SimulatedPod} for each pod object. */
export class SimulatedNode {
  readonly #api: Api;
  readonly #targets: ScrapeTargets;
  readonly #pods = new Map<string, SimulatedPod>();
  readonly #binding = new Set<string>();
  readonly #addresses = new Set<string>();
  #lastAddress = 0;

  constructor(api: Api, targets: ScrapeTargets) {
    this.#api = api;
    this.#targets = targets;
  }

  /** Lists and watches until the watch ends; the caller begins again. */
  async follow(): Promise<void> {
    const path = clusterWide('pods');
    const list = await this.#api.get<{
      readonly metadata: { readonly resourceVersion: string };
      readonly items: readonly Pod[];
    }>(path);
    const listed = new Set(list.items.map((pod) => pod.metadata.uid));
    for (const uid of this.#pods.keys()) if (!listed.has(uid)) this.#forget(uid);
    for (const pod of list.items) this.#see(pod);
    const from = `${path}?resourceVersion=${list.metadata.resourceVersion}`;
    for await (const event of this.#api.watch<Pod>(from)) {
      if (event.type === 'ERROR') return;
      if (event.type === 'DELETED') this.#forget(event.object.metadata.uid);
      else if (event.type !== 'BOOKMARK') this.#see(event.object);
    }
  }

  #see(pod: Pod): void {
    const { uid, name } = pod.metadata;
    if (pod.spec.nodeName === undefined) {
      if (pod.metadata.deletionTimestamp === undefined) void this.#bind(pod);
      return;
    }
    if (pod.spec.nodeName !== nodeName) return;
    this.#targets.see(pod);
    const known = this.#pods.get(uid);
    if (known !== undefined) {
      known.update(pod);
      return;
    }
    // A restarted node keeps the addresses its pods had.
    const address = pod.status?.podIP ?? this.#freeAddress();
    this.#addresses.add(address);
    const simulated = new SimulatedPod(this.#api, pod, address);
    this.#pods.set(uid, simulated);
    if (pod.metadata.deletionTimestamp === undefined) {
      simulated.run().catch((cause: unknown) => console.log('pod', name, cause));
    } else {
      simulated.update(pod);
    }
  }

  #forget(uid: string): void {
    this.#targets.forget(uid);
    const pod = this.#pods.get(uid);
    if (pod === undefined) return;
    pod.forget();
    this.#pods.delete(uid);
    this.#addresses.delete(pod.address);
  }

  async #bind(pod: Pod): Promise<void> {
    const { uid, name, namespace = 'default' } = pod.metadata;
    if (this.#binding.has(uid)) return;
    if ((pod.spec.schedulerName ?? 'default-scheduler') !== 'default-scheduler') return;
    this.#binding.add(uid);
    try {
      await this.#api.create(namespaced('pods', namespace, name, 'binding'), {
        apiVersion: 'v1',
        kind: 'Binding',
        metadata: { name, namespace, uid },
        target: { apiVersion: 'v1', kind: 'Node', name: nodeName },
      });
    } catch (cause) {
      console.log('bind', name, String(cause)); // deleted meanwhile, or seen again after a new list
    } finally {
      this.#binding.delete(uid);
    }
  }

  /** Counts up through 10.244.0.1–10.244.127.254, so that an address is not used again soon. */
  #freeAddress(): string {
    for (;;) {
      this.#lastAddress = (this.#lastAddress % 32_766) + 1;
      const [high, low] = [this.#lastAddress >> 8, this.#lastAddress & 255];
      const address = `10.244.${high}.${low}`;
      if (low !== 0 && low !== 255 && !this.#addresses.has(address)) return address;
    }
  }
}
