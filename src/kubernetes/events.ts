import { type BackoffPolicy, backoff } from '../lib/backoff.ts';
import { type Clock, sleep } from '../lib/clock.ts';
import { describeError, isOperatingError } from '../lib/errors.ts';
import type { Random } from '../lib/random.ts';
import { type Instant, type Millis, millis, seconds } from '../lib/units.ts';
import type { ObjectRef } from './api-path.ts';
import type { KubernetesClient } from './client.ts';
import { type EventInput, eventBody, eventName, eventUpdate } from './event-body.ts';
import { resources } from './resources.ts';

export interface EventRecorderOptions {
  readonly client: KubernetesClient;
  readonly clock: Clock;
  readonly random: Random;
  /** Which process reported it. */
  readonly instance: string;
  /** An Event that will not be written, and why; for the log and a counter. */
  readonly onDropped?: (event: EventInput, because: string) => void;
}

/**
 * Writes Kubernetes Events in the background. Nothing waits for it and nothing fails because of it.
 */
export interface EventRecorder {
  /** Never throws, never waits. */
  record(event: EventInput): void;
  readonly pending: number;
  /** Resolves when everything is written, or gives up after `patience`. Takes nothing more. */
  drain(patience: Millis): Promise<void>;
}

export const createEventRecorder = (options: EventRecorderOptions): EventRecorder =>
  new QueuedRecorder(options);

const queueLimit = 1000;
/** Occurrences remembered, for counting and against repetition. */
const memoryLimit = 5000;
const attempts = 6;
const retries: BackoffPolicy = { first: millis(250), longest: seconds(10), factor: 2 };
/** Per object: a flapping Deployment must not fill the cluster's Events. */
const burst = 20;
const refill: Millis = seconds(10);
const requestTimeout: Millis = seconds(5);

/** One Event object: how often it has happened and how much of that is written. */
interface Occurrence {
  readonly event: EventInput;
  readonly first: Instant;
  last: Instant;
  count: number;
  written: number;
  queued: boolean;
}

interface Allowance {
  left: number;
  at: Millis;
}

class QueuedRecorder implements EventRecorder {
  readonly #options: EventRecorderOptions;
  readonly #queue: Occurrence[] = [];
  readonly #known = new Map<string, Occurrence>();
  readonly #allowances = new Map<string, Allowance>();
  readonly #stopped = new AbortController();
  #closed = false;
  #running: Promise<void> | undefined;

  constructor(options: EventRecorderOptions) {
    this.#options = options;
  }

  get pending(): number {
    return this.#queue.length;
  }

  record(event: EventInput): void {
    if (this.#closed) {
      this.#drop(event, 'shutting down');
      return;
    }
    const now = this.#options.clock.now();
    const key = `${event.subject.namespace}/${eventName(event)}`;
    const known = this.#known.get(key);
    if (known !== undefined && event.id !== undefined) return;
    const occurrence = known ?? {
      event,
      first: now,
      last: now,
      count: 0,
      written: 0,
      queued: false,
    };
    occurrence.last = now;
    occurrence.count += 1;
    if (occurrence.queued) return;
    if (this.#queue.length >= queueLimit) {
      this.#drop(event, 'too many events wait');
      return;
    }
    if (!this.#isAllowed(event.subject.uid)) {
      this.#drop(event, 'too many events about this object');
      return;
    }
    remember(this.#known, key, occurrence);
    occurrence.queued = true;
    this.#queue.push(occurrence);
    this.#running ??= this.#work();
  }

  async drain(patience: Millis): Promise<void> {
    this.#closed = true;
    const giveUp = () => this.#stopped.abort(new Error('shutting down'));
    const cancel = this.#options.clock.after(patience, giveUp);
    await this.#running;
    cancel();
  }

  async #work(): Promise<void> {
    for (let next = this.#queue[0]; next !== undefined; next = this.#queue[0]) {
      await this.#deliver(next);
      this.#queue.shift();
    }
    this.#running = undefined;
  }

  async #deliver(occurrence: Occurrence): Promise<void> {
    const { clock, random } = this.#options;
    const { signal } = this.#stopped;
    for (let attempt = 0; ; attempt += 1) {
      try {
        signal.throwIfAborted();
        // What happens from here on is counted, and queued, anew.
        occurrence.queued = false;
        await this.#write(occurrence, signal);
        return;
      } catch (error) {
        const again = isPassing(error) && attempt + 1 < attempts && !signal.aborted;
        if (!again) {
          this.#drop(occurrence.event, describeError(error));
          return;
        }
        const pause = backoff(retries, attempt, random);
        const asked = isOperatingError(error) ? (error.retryAfterMillis ?? 0) : 0;
        await sleep(clock, millis(Math.max(pause, asked)), signal).catch(() => {});
      }
    }
  }

  async #write(occurrence: Occurrence, signal: AbortSignal): Promise<void> {
    const { client, instance } = this.#options;
    const { event, count, first, last } = occurrence;
    const { namespace } = event.subject;
    const ref: ObjectRef = { resource: resources.events, namespace, name: eventName(event) };
    const timeout = requestTimeout;
    if (occurrence.written > 0) {
      try {
        await client.mergePatch(ref, eventUpdate(last, count), { timeout }, signal);
        occurrence.written = count;
        return;
      } catch (error) {
        // Events live for an hour; then the next one is a new object.
        if (!isOperatingError(error, 'KUBERNETES_NOT_FOUND')) throw error;
      }
    }
    try {
      const body = eventBody(event, { first, last, count }, instance);
      await client.create(resources.events, namespace, body, { timeout }, signal);
    } catch (error) {
      if (!isOperatingError(error, 'KUBERNETES_ALREADY_EXISTS')) throw error;
      if (event.id === undefined) await this.#continueSeries(occurrence, ref, signal);
    }
    occurrence.written = Math.max(occurrence.written, count);
  }

  /** The same Event was counted by the process before us: go on from its count. */
  async #continueSeries(
    occurrence: Occurrence,
    ref: ObjectRef,
    signal: AbortSignal,
  ): Promise<void> {
    const found = await this.#options.client.find(ref, signal);
    const before = found?.['count'];
    occurrence.count += typeof before === 'number' ? before : 0;
    const body = eventUpdate(occurrence.last, occurrence.count);
    await this.#options.client.mergePatch(ref, body, { timeout: requestTimeout }, signal);
    occurrence.written = occurrence.count;
  }

  #isAllowed(uid: string): boolean {
    const now = this.#options.clock.monotonic();
    const before = this.#allowances.get(uid) ?? { left: burst, at: now };
    const left = Math.min(burst, before.left + (now - before.at) / refill);
    remember(this.#allowances, uid, { left: left >= 1 ? left - 1 : left, at: now });
    return left >= 1;
  }

  #drop(event: EventInput, because: string): void {
    this.#options.onDropped?.(event, because);
  }
}

const isPassing = (error: unknown): boolean =>
  isOperatingError(error, 'KUBERNETES_UNAVAILABLE') ||
  isOperatingError(error, 'KUBERNETES_THROTTLED');

/** Keeps the latest used entries only. */
function remember<V>(map: Map<string, V>, key: string, value: V): void {
  map.delete(key);
  map.set(key, value);
  if (map.size <= memoryLimit) return;
  const [oldest] = map.keys();
  if (oldest !== undefined) map.delete(oldest);
}
