export interface Timer {
  /** When it fires, ms. */
  readonly due: number;
  /** Rises with each timer: of two that are due at once the older fires first. */
  readonly order: number;
  readonly callback: () => void;
  cancelled: boolean;
}

/** Timers by the moment they are due; a cancelled one is dropped when it comes to the top. */
export class TimerHeap {
  readonly #heap: Timer[] = [];
  #order = 0;
  #live = 0;

  /** Timers that will still fire. */
  get size(): number {
    return this.#live;
  }

  add(due: number, callback: () => void): Timer {
    const timer = { due, order: this.#order, callback, cancelled: false };
    this.#order += 1;
    this.#live += 1;
    this.#rise(timer);
    return timer;
  }

  cancel(timer: Timer): void {
    if (timer.cancelled) return;
    timer.cancelled = true;
    this.#live -= 1;
  }

  /** The next one to fire, which stays. */
  peek(): Timer | undefined {
    while (this.#heap[0]?.cancelled === true) this.#removeTop();
    return this.#heap[0];
  }

  /** The next one to fire; from now on it cannot be cancelled. */
  take(): Timer | undefined {
    const top = this.peek();
    if (top === undefined) return undefined;
    this.#removeTop();
    this.cancel(top);
    return top;
  }

  #rise(timer: Timer): void {
    const heap = this.#heap;
    let at = heap.length;
    while (at > 0) {
      const above = (at - 1) >> 1;
      const parent = heap[above] as Timer;
      if (!sooner(timer, parent)) break;
      heap[at] = parent;
      at = above;
    }
    heap[at] = timer;
  }

  #removeTop(): void {
    const heap = this.#heap;
    const last = heap.pop() as Timer;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let below = 2 * at + 1;
      if (below >= heap.length) break;
      const right = heap[below + 1];
      if (right !== undefined && sooner(right, heap[below] as Timer)) below += 1;
      const child = heap[below] as Timer;
      if (!sooner(child, last)) break;
      heap[at] = child;
      at = below;
    }
    heap[at] = last;
  }
}

const sooner = (a: Timer, b: Timer): boolean =>
  a.due < b.due || (a.due === b.due && a.order < b.order);
