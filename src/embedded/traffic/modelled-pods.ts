import type { PodRuntime } from '../controllers/kubelet.ts';
import type { PodBehaviour } from '../controllers/pod-behaviour.ts';
import { asObject, asString } from '../json.ts';
import type { KubernetesObject } from '../resource.ts';

const addressOf = (pod: KubernetesObject): string => asString(asObject(pod.status).podIP);

/** Pods without processes: who listens at which address, and how it behaves. */
export class ModelledPods implements PodRuntime {
  readonly #running = new Map<string, PodBehaviour>();

  start(pod: KubernetesObject, behaviour: PodBehaviour): void {
    this.#running.set(addressOf(pod), behaviour);
  }

  change(pod: KubernetesObject, behaviour: PodBehaviour): void {
    if (this.#running.has(addressOf(pod))) this.#running.set(addressOf(pod), behaviour);
  }

  stop(pod: KubernetesObject): void {
    this.#running.delete(addressOf(pod));
  }

  /** `undefined` where nobody listens. */
  at(ip: string): PodBehaviour | undefined {
    return this.#running.get(ip);
  }
}
