import type { Clock } from '../lib/clock.ts';
import { millis } from '../lib/units.ts';
import type { JsonObject } from './json.ts';
import type { KubernetesObject } from './resource.ts';
import type { Change, ChangeType } from './store.ts';

export type WatchEventType = ChangeType | 'BOOKMARK' | 'ERROR';
export type WatchSink = {
  event(type: WatchEventType, object: KubernetesObject | JsonObject): void;
  /** The server ends the stream; nothing comes afterwards. */
  end(): void;
};

/** What happens to one event on its way to one client. */
export type EventFault =
  | { readonly kind: 'drop' }
  | { readonly kind: 'duplicate' }
  | { readonly kind: 'delay'; readonly millis: number }
  /** Overtaken by whatever follows within the delay. */
  | { readonly kind: 'reorder'; readonly millis: number }
  /** The stream ends with 410 instead. */
  | { readonly kind: 'gone' };

export type SubscriptionParts = {
  readonly clock: Clock;
  readonly sink: WatchSink;
  readonly wanted: (object: KubernetesObject) => boolean;
  readonly fault?: ((change: Change) => EventFault | undefined) | undefined;
  /** Time from commit to delivery. */
  readonly lagMillis: number;
};

type Pending = { readonly due: number; readonly deliver: () => void };

/**
 * One watch of one client: filters, delays and delivers in order, unless a fault says otherwise.
 */
export class Subscription {
  readonly #parts: SubscriptionParts;
  #queue: Pending[] = [];
  #closed = false;
  /** Revision up to which this client has been told everything. */
  #delivered = 0;

  constructor(parts: SubscriptionParts) {
    this.#parts = parts;
  }

  get delivered(): number {
    return this.#delivered;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** A commit that may concern this client. */
  offer(change: Change): void {
    if (this.#closed) return;
    const view = this.#viewOf(change);
    if (view === undefined) return;
    const fault = this.#parts.fault?.(change);
    const lag = this.#parts.lagMillis;
    switch (fault?.kind) {
      case undefined:
        return this.#enqueue(lag, view);
      case 'drop':
        return;
      case 'duplicate':
        this.#enqueue(lag, view);
        return this.#enqueue(lag, view);
      case 'delay':
        return this.#enqueue(lag + fault.millis, view);
      case 'reorder':
        this.#parts.clock.after(millis(lag + fault.millis), () =>
          this.#emit(view.type, view.object, view.revision),
        );
        return;
      case 'gone':
        return this.gone();
    }
  }

  /** An event that did not come from a commit: initial state, bookmarks. */
  tell(type: WatchEventType, object: KubernetesObject | JsonObject, revision: number): void {
    this.#enqueue(this.#queue.length === 0 ? 0 : this.#parts.lagMillis, { type, object, revision });
  }

  /** Tells the client that its revision is too old, and ends. */
  gone(message = 'too old resource version'): void {
    const status = {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message,
      reason: 'Expired',
      code: 410,
    };
    this.#enqueue(0, { type: 'ERROR', object: status, revision: this.#delivered });
    this.end();
  }

  /** Ends the stream after what is on its way. */
  end(): void {
    const last = this.#queue.at(-1);
    if (last === undefined) return this.#finish();
    this.#queue.push({ due: last.due, deliver: () => this.#finish() });
  }

  /** The client went away. */
  cancel(): void {
    this.#closed = true;
    this.#queue = [];
  }

  #finish(): void {
    if (this.#closed) return;
    this.cancel();
    this.#parts.sink.end();
  }

  /**
   * An object that leaves the selection looks deleted to this client, one that enters it looks
   * new.
   */
  #viewOf({
    type,
    object,
    previous,
    revision,
  }: Change): { type: ChangeType; object: KubernetesObject; revision: number } | undefined {
    const { wanted } = this.#parts;
    const was = previous !== undefined && wanted(previous);
    const is = type !== 'DELETED' && wanted(object);
    if (is) return { type: was ? 'MODIFIED' : 'ADDED', object, revision };
    if (!was) return undefined;
    const { resourceVersion } = object.metadata;
    const last =
      type === 'DELETED'
        ? object
        : { ...previous, metadata: { ...previous.metadata, resourceVersion } };
    return { type: 'DELETED', object: last, revision };
  }

  #enqueue(
    delay: number,
    view: { type: WatchEventType; object: KubernetesObject | JsonObject; revision: number },
  ): void {
    const now = this.#parts.clock.monotonic();
    const last = this.#queue.at(-1)?.due;
    const due = Math.max(now + delay, last ?? 0);
    this.#queue.push({ due, deliver: () => this.#emit(view.type, view.object, view.revision) });
    // What is due with the one before it goes with it.
    if (due !== last) this.#parts.clock.after(millis(due - now), () => this.#flush());
  }

  #flush(): void {
    // Timers may fire a fraction of a millisecond early; what is due within one counts as due.
    const now = this.#parts.clock.monotonic() + 1;
    for (let head = this.#queue[0]; head !== undefined && head.due <= now; head = this.#queue[0]) {
      this.#queue.shift();
      head.deliver();
    }
  }

  #emit(type: WatchEventType, object: KubernetesObject | JsonObject, revision: number): void {
    if (this.#closed) return;
    this.#delivered = Math.max(this.#delivered, revision);
    this.#parts.sink.event(type, object);
  }
}
