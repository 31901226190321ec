import type { Api } from '../api.ts';
import { namespaced } from '../resources.ts';
import { type Behaviour, behaviourOf } from './behaviour.ts';
import type { ContainerState, Pod, Terminated } from './pod-object.ts';
import { PodServer } from './pod-server.ts';
import { type PodReport, PodStatusWriter, timestamp } from './pod-status.ts';

const defaultPort = 8080;
const longestBackoff = 300_000;
/** From ErrImagePull to ImagePullBackOff. */
const pullAttempt = 300;
/** How long a container that crashes at once takes to do so. */
const crashDelay = 100;

/**
 * One pod on this node: pulls, starts, serves, crashes, restarts, drains and ends as a kubelet
 * would make it.
 */
export class SimulatedPod {
  readonly address: string;
  readonly #api: Api;
  readonly #writer: PodStatusWriter;
  #pod: Pod;
  #behaviour: Behaviour;
  #server: PodServer | undefined;
  #restartCount: number;
  #crashes: number;
  #crashesSeen: string;
  #lastState: ContainerState | undefined;
  #running: { readonly startedAt: string; ready: boolean } | undefined;
  #stopping = false;
  #gone = false;
  #changed: (() => void) | undefined;

  constructor(api: Api, pod: Pod, address: string) {
    this.#api = api;
    this.address = address;
    this.#pod = pod;
    this.#behaviour = behaviourOf(pod);
    this.#crashesSeen = this.#behaviour.crashOnce;
    // After a restart of the kubelet its containers go on where the status says they were.
    this.#restartCount = pod.status?.containerStatuses?.[0]?.restartCount ?? 0;
    this.#crashes = this.#restartCount;
    this.#writer = new PodStatusWriter(api, pod, address);
  }

  /** Takes a newer version: changed annotations act at once, a deletion begins the end. */
  update(pod: Pod): void {
    this.#pod = pod;
    this.#behaviour = behaviourOf(pod);
    if (pod.metadata.deletionTimestamp !== undefined && !this.#stopping) {
      this.#stopping = true;
      void this.#terminate();
    }
    const ready = !this.#behaviour.unready;
    if (
      this.#server !== undefined &&
      this.#running !== undefined &&
      this.#running.ready !== ready
    ) {
      this.#running.ready = ready;
      void this.#reportRunning(this.#running);
    }
    this.#changed?.();
  }

  /** The container's life until the pod is deleted. */
  async run(): Promise<void> {
    await this.#pull();
    while (!this.#stopping) {
      const exit = await this.#runContainer();
      if (exit === undefined) return;
      await this.#backOff(exit);
    }
  }

  /** The object is gone from the API server: nothing is left to report. */
  forget(): void {
    this.#stopping = true;
    this.#gone = true;
    this.#writer.close();
    this.#server?.destroy();
    this.#changed?.();
  }

  async #pull(): Promise<void> {
    const stalled = (reason: string, message: string) =>
      this.#report({ phase: 'Pending', ready: false, state: { waiting: { reason, message } } });
    const image = this.#pod.spec.containers[0]?.image ?? '';
    const recovered = () => !this.#behaviour.pullFailure;
    if (recovered()) return;
    await stalled('ErrImagePull', `failed to pull image "${image}": not found`);
    await this.#pause(pullAttempt, recovered);
    if (recovered() || this.#stopping) return;
    await stalled('ImagePullBackOff', `Back-off pulling image "${image}"`);
    await this.#pause(Number.POSITIVE_INFINITY, recovered);
  }

  /** Runs the container once; how it ended, or undefined when the pod is to end. */
  async #runContainer(): Promise<Terminated | undefined> {
    const running = { startedAt: timestamp(), ready: false };
    this.#running = running;
    const began = performance.now();
    const { startDelay, crash } = this.#behaviour;
    if (startDelay > 0 && !crash) {
      if (startDelay > 200) await this.#reportRunning(running);
      await this.#pause(startDelay, () => this.#mustCrash(began));
    }
    if (this.#stopping) return undefined;
    if (!this.#mustCrash(began)) {
      await this.#serve(running);
      const left = this.#behaviour.crashAfter - (performance.now() - began);
      await this.#pause(left, () => this.#mustCrash(began));
    } else {
      await this.#reportRunning(running);
      await this.#pause(crashDelay, () => false);
    }
    if (this.#stopping) return undefined;
    this.#running = undefined;
    this.#server?.destroy();
    this.#server = undefined;
    this.#crashesSeen = this.#behaviour.crashOnce;
    const reason = this.#behaviour.crashReason;
    const exitCode = reason === 'OOMKilled' ? 137 : 1;
    return { exitCode, reason, startedAt: running.startedAt, finishedAt: timestamp() };
  }

  #mustCrash(began: number): boolean {
    const { crash, crashAfter, crashOnce } = this.#behaviour;
    return crash || crashOnce !== this.#crashesSeen || performance.now() - began >= crashAfter;
  }

  async #serve(running: { readonly startedAt: string; ready: boolean }): Promise<void> {
    const server = new PodServer(this.#pod.metadata.name, () => this.#behaviour);
    const port = this.#pod.spec.containers[0]?.ports?.[0]?.containerPort ?? defaultPort;
    await server.listen(this.address, port);
    if (this.#stopping) {
      server.destroy();
      return;
    }
    this.#server = server;
    running.ready = !this.#behaviour.unready;
    await this.#reportRunning(running);
  }

  /** The first restart is immediate; each later one waits twice as long as the one before. */
  async #backOff(exit: Terminated): Promise<void> {
    this.#crashes += 1;
    const wait = this.#behaviour.crashBackoff * 2 ** (this.#crashes - 2);
    const phase = 'Running';
    if (this.#crashes === 1) {
      await this.#report({ phase, ready: false, state: { terminated: exit } });
      this.#lastState = { terminated: exit };
    } else {
      this.#lastState = { terminated: exit };
      const message = 'back-off restarting failed container';
      const state = { waiting: { reason: 'CrashLoopBackOff', message } };
      await this.#report({ phase, ready: false, state });
      await this.#pause(Math.min(wait, longestBackoff), () => false);
    }
    this.#restartCount += 1;
  }

  #reportRunning(running: { readonly startedAt: string; readonly ready: boolean }): Promise<void> {
    const { startedAt, ready } = running;
    return this.#report({ phase: 'Running', ready, state: { running: { startedAt } } });
  }

  #report(report: Omit<PodReport, 'restartCount' | 'lastState'>): Promise<void> {
    if (this.#stopping) return Promise.resolve();
    return this.#writer.write({
      ...report,
      restartCount: this.#restartCount,
      ...(this.#lastState === undefined ? {} : { lastState: this.#lastState }),
    });
  }

  /** Waits until the time is over, the pod is to end, or `done` holds after a change. */
  #pause(milliseconds: number, done: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const end = () => {
        clearTimeout(timer);
        this.#changed = undefined;
        resolve();
      };
      const finite = Number.isFinite(milliseconds);
      const timer = finite ? setTimeout(end, Math.max(0, milliseconds)) : undefined;
      const check = () => {
        if (this.#stopping || done()) end();
      };
      this.#changed = check;
      check();
    });
  }

  /** Serves on for the drain time, lets requests end, and removes the object. */
  async #terminate(): Promise<void> {
    const grace = (this.#pod.metadata.deletionGracePeriodSeconds ?? 30) * 1000;
    const server = this.#server;
    if (server !== undefined) {
      server.drain();
      await new Promise((resolve) => setTimeout(resolve, Math.min(this.#behaviour.drain, grace)));
      await server.close(Math.min(grace, 2000));
    }
    while (!this.#gone) {
      const removed = await this.#removeObject().catch((cause: unknown) => {
        console.log('remove', this.#pod.metadata.name, String(cause));
        return false;
      });
      if (removed) return;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }

  async #removeObject(): Promise<boolean> {
    const { name, namespace = 'default', uid } = this.#pod.metadata;
    const options = {
      apiVersion: 'v1',
      kind: 'DeleteOptions',
      gracePeriodSeconds: 0,
      preconditions: { uid },
    };
    const path = namespaced('pods', namespace, name);
    const { status } = await this.#api.request('DELETE', path, options);
    return status < 300 || status === 404 || status === 409;
  }
}
