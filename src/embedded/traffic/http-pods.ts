import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Clock, sleep } from '../../lib/clock.ts';
import type { Random } from '../../lib/random.ts';
import { millis } from '../../lib/units.ts';
import type { PodRuntime } from '../controllers/kubelet.ts';
import type { PodBehaviour } from '../controllers/pod-behaviour.ts';
import { asObject, asString } from '../json.ts';
import type { KubernetesObject } from '../resource.ts';

type Listening = { readonly server: Server; behaviour: PodBehaviour; port: number | undefined };

/**
 * Pods that answer real HTTP, each at a port of its own on loopback. Their cluster addresses
 * exist in
 * the API only; the proxy asks here where they listen.
 */
export class HttpPods implements PodRuntime {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #pods = new Map<string, Listening>();

  constructor(parts: { readonly clock: Clock; readonly random: Random }) {
    this.#clock = parts.clock;
    this.#random = parts.random;
  }

  start(pod: KubernetesObject, behaviour: PodBehaviour): void {
    const { name } = pod.metadata;
    const server = createServer((_incoming, answer) => void this.#answer(listening, name, answer));
    const listening: Listening = { server, behaviour, port: undefined };
    server.keepAliveTimeout = 60_000;
    server.listen(0, '127.0.0.1', () => {
      listening.port = (server.address() as AddressInfo | null)?.port;
    });
    this.#pods.set(addressOf(pod), listening);
  }

  change(pod: KubernetesObject, behaviour: PodBehaviour): void {
    const listening = this.#pods.get(addressOf(pod));
    if (listening !== undefined) listening.behaviour = behaviour;
  }

  stop(pod: KubernetesObject): void {
    const listening = this.#pods.get(addressOf(pod));
    this.#pods.delete(addressOf(pod));
    listening?.server.close();
    listening?.server.closeAllConnections();
  }

  /** Port on loopback of the pod with a cluster address; `undefined` where nobody listens. */
  portOf(ip: string): number | undefined {
    return this.#pods.get(ip)?.port;
  }

  stopAll(): void {
    for (const { server } of this.#pods.values()) {
      server.close();
      server.closeAllConnections();
    }
    this.#pods.clear();
  }

  async #answer(listening: Listening, name: string, answer: ServerResponse): Promise<void> {
    const { version, errorRate, latencyMillis, latencyJitterMillis } = listening.behaviour;
    const wait = latencyMillis + this.#random() * latencyJitterMillis;
    if (wait > 0) await sleep(this.#clock, millis(wait));
    const failed = errorRate > 0 && this.#random() < errorRate;
    answer.writeHead(failed ? 500 : 200, {
      'content-type': 'text/plain',
      'x-version': version,
      'x-pod': name,
    });
    answer.end(`${version} ${name}${failed ? ' error' : ''}\n`);
  }
}

const addressOf = (pod: KubernetesObject): string => asString(asObject(pod.status).podIP);
