import type { Clock } from '../../lib/clock.ts';
import { InvariantError } from '../../lib/errors.ts';
import { millis } from '../../lib/units.ts';
import { ApiFailure } from '../status.ts';

export type ControlLoopTiming = {
  readonly clock: Clock;
  /** From an event to the pass that sees it. */
  readonly delayMillis: number;
};

const firstRetry = 5;
const longestRetry = 10_000;

/**
 * Works off keys one after another: an event asks for a pass, several events for the same key
 * share one.
 */
export class ControlLoop {
  readonly #timing: ControlLoopTiming;
  readonly #sync: (key: string) => void;
  readonly #due = new Map<string, { readonly at: number; readonly cancel: () => void }>();
  readonly #failures = new Map<string, number>();
  /** The key of the pass under way. */
  #running: string | undefined;
  /** That pass is making a write that leaves it nothing more to do. */
  #isSettling = false;
  #stopped = false;

  /**
   * @param sync one pass over one key; may throw ApiFailure, upon which it is tried again. What is
   * not an answer of the API server is a bug of ours, and thrown.
   */
  constructor(timing: ControlLoopTiming, sync: (key: string) => void) {
    this.#timing = timing;
    this.#sync = sync;
  }

  enqueue(key: string, afterMillis: number = this.#timing.delayMillis): void {
    if (this.#stopped || (this.#isSettling && key === this.#running)) return;
    const { clock } = this.#timing;
    const at = clock.monotonic() + afterMillis;
    const planned = this.#due.get(key);
    if (planned !== undefined && planned.at <= at) return;
    planned?.cancel();
    const cancel = clock.after(millis(afterMillis), () => this.#run(key));
    this.#due.set(key, { at, cancel });
  }

  /**
   * Makes a write of the pass under way after which another one over its key would find nothing to
   * do: that commit does not ask for one.
   */
  settle<T>(write: () => T): T {
    this.#isSettling = true;
    try {
      return write();
    } finally {
      this.#isSettling = false;
    }
  }

  stop(): void {
    this.#stopped = true;
    for (const { cancel } of this.#due.values()) cancel();
    this.#due.clear();
  }

  #run(key: string): void {
    this.#due.delete(key);
    this.#running = key;
    try {
      this.#sync(key);
      this.#failures.delete(key);
    } catch (error) {
      if (!(error instanceof ApiFailure)) throwBug(error);
      const failures = this.#failures.get(key) ?? 0;
      this.#failures.set(key, failures + 1);
      this.enqueue(key, Math.min(firstRetry * 2 ** failures, longestRetry));
    }
  }
}

/** Fails loudly: the embedded cluster has no operator who reads its logs. */
export const throwBug = (error: unknown): never => {
  throw error instanceof Error ? error : new InvariantError(String(error));
};
