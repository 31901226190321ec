import { type BackoffPolicy, backoff } from '../lib/backoff.ts';
import type { Clock } from '../lib/clock.ts';
import type { Random } from '../lib/random.ts';
import { type Millis, millis, seconds } from '../lib/units.ts';

/** `now`: a failing canary or a human's request; passes everything that waits. */
export type Lane = 'now' | 'normal';

export interface WorkQueueOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** Works on one key. Never called for a key that is being worked on; must not reject, but may. */
  readonly work: (key: string, signal: AbortSignal) => Promise<void>;
  /** Keys worked on at once. */
  readonly concurrency?: number;
  /**
   * Places beyond `concurrency` that only the lane `now` may take: hung work cannot keep a rollback
   * out.
   */
  readonly reserved?: number;
  readonly backoff?: BackoffPolicy;
  /** Before the work on a key begins: how long it has been due. */
  readonly onStart?: (waited: Millis) => void;
  /** A rejection of `work`: a bug there; the key is tried again after a pause. */
  readonly onError?: (key: string, error: unknown) => void;
}

/**
 * Keys that want work. A key is a claim that something may have changed, so it carries no data, and
 * any number of claims made before the work starts are one. A claim made during the work is worked
 * on afterwards.
 */
export interface WorkQueue {
  add(key: string, lane?: Lane): void;
  /**
   * Adds the key later. Of several such wishes the earliest counts; working on the key meanwhile
   * drops none.
   */
  addAfter(key: string, span: Millis): void;
  /** Adds the key later, and forgets every earlier wish to do so: this one knows more. */
  postpone(key: string, span: Millis): void;
  /**
   * Adds the key after its next back-off pause, or after `atLeast` if that is longer. Returns the
   * pause.
   */
  retry(key: string, atLeast?: Millis): Millis;
  /** The key's next `retry` starts from the shortest pause again. */
  forget(key: string): void;
  /** Drops the delayed wish and the back-off of a key that no longer exists. */
  remove(key: string): void;
  readonly size: { readonly ready: number; readonly delayed: number; readonly active: number };
  /** Takes no new work, waits for the running, and aborts it when `patience` is over. */
  drain(patience: Millis): Promise<void>;
}

const defaultBackoff: BackoffPolicy = { first: millis(5), longest: seconds(30), factor: 2 };

export const createWorkQueue = (options: WorkQueueOptions): WorkQueue => new KeyedQueue(options);

class KeyedQueue implements WorkQueue {
  readonly #options: WorkQueueOptions;
  readonly #limits: Readonly<Record<Lane, number>>;
  // A Set keeps the order of insertion and knows its members: first come, first served, each once.
  readonly #ready: Readonly<Record<Lane, Set<string>>> = { now: new Set(), normal: new Set() };
  readonly #active = new Set<string>();
  /** When the keys that are ready became due. */
  readonly #dueSince = new Map<string, Millis>();
  /** Claims made while the key is worked on. */
  readonly #again = new Map<string, Lane>();
  readonly #delayed = new Map<string, { readonly due: Millis; readonly cancel: () => void }>();
  readonly #failures = new Map<string, number>();
  readonly #stopped = new AbortController();
  #draining = false;
  #onIdle: (() => void) | undefined;

  constructor(options: WorkQueueOptions) {
    this.#options = options;
    const normal = options.concurrency ?? 16;
    this.#limits = { normal, now: normal + (options.reserved ?? 4) };
  }

  add(key: string, lane: Lane = 'normal'): void {
    if (this.#draining) return;
    if (this.#active.has(key)) {
      if (lane === 'now' || !this.#again.has(key)) this.#again.set(key, lane);
      return;
    }
    if (lane === 'now') this.#ready.normal.delete(key);
    if (!this.#dueSince.has(key)) this.#dueSince.set(key, this.#options.clock.monotonic());
    if (!this.#ready.now.has(key)) this.#ready[lane].add(key);
    this.#dispatch();
  }

  addAfter(key: string, span: Millis): void {
    if (this.#draining) return;
    if (span <= 0) {
      this.add(key);
      return;
    }
    const due = millis(this.#options.clock.monotonic() + span);
    const waiting = this.#delayed.get(key);
    if (waiting !== undefined && waiting.due <= due) return;
    waiting?.cancel();
    const cancel = this.#options.clock.after(span, () => {
      this.#delayed.delete(key);
      this.add(key);
    });
    this.#delayed.set(key, { due, cancel });
  }

  postpone(key: string, span: Millis): void {
    this.#forgetDelayed(key);
    this.addAfter(key, span);
  }

  retry(key: string, atLeast: Millis = millis(0)): Millis {
    const count = this.#failures.get(key) ?? 0;
    this.#failures.set(key, count + 1);
    const own = backoff(this.#options.backoff ?? defaultBackoff, count, this.#options.random);
    const pause = millis(Math.max(atLeast, own));
    this.addAfter(key, pause);
    return pause;
  }

  forget(key: string): void {
    this.#failures.delete(key);
  }

  remove(key: string): void {
    this.#failures.delete(key);
    this.#forgetDelayed(key);
  }

  #forgetDelayed(key: string): void {
    this.#delayed.get(key)?.cancel();
    this.#delayed.delete(key);
  }

  get size(): { readonly ready: number; readonly delayed: number; readonly active: number } {
    const ready = this.#ready.now.size + this.#ready.normal.size;
    return { ready, delayed: this.#delayed.size, active: this.#active.size };
  }

  async drain(patience: Millis): Promise<void> {
    this.#draining = true;
    for (const { cancel } of this.#delayed.values()) cancel();
    this.#delayed.clear();
    this.#again.clear();
    this.#ready.now.clear();
    this.#ready.normal.clear();
    this.#dueSince.clear();
    if (this.#active.size === 0) return;
    const idle = new Promise<void>((resolve) => {
      this.#onIdle = resolve;
    });
    const giveUp = () => this.#stopped.abort(new Error('shutting down'));
    const cancel = this.#options.clock.after(patience, giveUp);
    await idle;
    cancel();
  }

  #dispatch(): void {
    for (const lane of ['now', 'normal'] as const) {
      for (const key of this.#ready[lane]) {
        if (this.#active.size >= this.#limits[lane]) break;
        this.#ready[lane].delete(key);
        void this.#start(key);
      }
    }
  }

  async #start(key: string): Promise<void> {
    this.#active.add(key);
    const now = this.#options.clock.monotonic();
    this.#options.onStart?.(millis(now - (this.#dueSince.get(key) ?? now)));
    this.#dueSince.delete(key);
    try {
      await this.#options.work(key, this.#stopped.signal);
    } catch (error) {
      this.#options.onError?.(key, error);
      this.retry(key);
    } finally {
      this.#active.delete(key);
      const claim = this.#again.get(key);
      this.#again.delete(key);
      if (claim !== undefined) this.add(key, claim);
      this.#dispatch();
      if (this.#active.size === 0) this.#onIdle?.();
    }
  }
}
