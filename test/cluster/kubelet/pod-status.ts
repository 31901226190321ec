import { setTimeout as sleep } from 'node:timers/promises';
import type { Api } from '../api.ts';
import { namespaced } from '../resources.ts';
import type { Condition, ContainerState, Pod } from './pod-object.ts';

/** What a kubelet knows about one pod at one moment. */
export interface PodReport {
  readonly phase: 'Pending' | 'Running';
  readonly ready: boolean;
  readonly state: ContainerState;
  readonly lastState?: ContainerState;
  readonly restartCount: number;
}

/** Second precision, as Kubernetes writes times. */
export function timestamp(at = new Date()): string {
  return at.toISOString().replace(/\.\d+Z$/, 'Z');
}

/**
 * Writes a pod's status to the API server, always the newest report, one write at a time.
 * A server that does not answer is asked again: a kubelet never forgets what it has to report.
 */
export class PodStatusWriter {
  readonly #api: Api;
  readonly #pod: Pod;
  readonly #address: string;
  readonly #startTime: string;
  readonly #since = new Map<string, Condition>();
  #next: PodReport | undefined;
  #writing: Promise<void> | undefined;
  #closed = false;

  constructor(api: Api, pod: Pod, address: string) {
    this.#api = api;
    this.#pod = pod;
    this.#address = address;
    this.#startTime = pod.status?.startTime ?? timestamp();
    for (const condition of pod.status?.conditions ?? []) {
      this.#since.set(condition.type, condition);
    }
  }

  /** Resolves when this report, or a newer one, has been written. */
  write(report: PodReport): Promise<void> {
    this.#next = report;
    this.#writing ??= this.#drain().finally(() => {
      this.#writing = undefined;
    });
    return this.#writing;
  }

  /** Nothing is written after this: the pod is gone. */
  close(): void {
    this.#closed = true;
  }

  async #drain(): Promise<void> {
    while (this.#next !== undefined && !this.#closed) {
      const report = this.#next;
      this.#next = undefined;
      if (!(await this.#send(report))) {
        this.#next ??= report;
        await sleep(200);
      }
    }
  }

  /** False when it should be tried again. */
  async #send(report: PodReport): Promise<boolean> {
    const { name, namespace = 'default', uid } = this.#pod.metadata;
    const body = JSON.stringify({ metadata: { uid }, status: this.#status(report) });
    const kind = 'application/strategic-merge-patch+json';
    const path = namespaced('pods', namespace, name, 'status');
    try {
      const answer = await this.#api.request('PATCH', path, body, kind);
      if (answer.status < 300 || answer.status === 404 || answer.status === 409) return true;
      console.log('status', name, answer.status, JSON.stringify(answer.body).slice(0, 300));
      return answer.status < 500 && answer.status !== 429;
    } catch (cause) {
      console.log('status', name, String(cause));
      return false;
    }
  }

  #status(report: PodReport) {
    const { ready, state, lastState, restartCount } = report;
    return {
      phase: report.phase,
      hostIP: '10.244.255.2',
      podIP: this.#address,
      podIPs: [{ ip: this.#address }],
      startTime: this.#startTime,
      conditions: [
        this.#condition('Initialized', true),
        this.#condition('ContainersReady', ready),
        this.#condition('Ready', ready),
      ],
      containerStatuses: this.#pod.spec.containers.map(({ name, image }) => ({
        name,
        image,
        imageID: state.running === undefined ? '' : `sim://${image}`,
        ready,
        started: state.running !== undefined,
        restartCount,
        state,
        ...(lastState === undefined ? {} : { lastState }),
      })),
    };
  }

  /** The time of a condition moves only when its status does: minReadySeconds counts from there. */
  #condition(type: string, holds: boolean): Condition {
    const status = holds ? 'True' : 'False';
    const before = this.#since.get(type);
    if (before?.status === status) return before;
    const condition: Condition = {
      type,
      status,
      lastTransitionTime: timestamp(),
      ...(holds ? {} : { reason: 'ContainersNotReady' }),
    };
    this.#since.set(type, condition);
    return condition;
  }
}
