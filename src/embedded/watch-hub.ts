import type { Clock } from '../lib/clock.ts';
import type { Random } from '../lib/random.ts';
import { millis } from '../lib/units.ts';
import { readRevision } from './listing.ts';
import type { RequestQuery } from './request.ts';
import { apiVersionOf, type KubernetesObject, type Resource, storageKey } from './resource.ts';
import { badRequest } from './status.ts';
import type { Change, Store } from './store.ts';
import { type EventFault, Subscription, type WatchSink } from './subscription.ts';

export type WatchOptions = {
  /** Time from a commit to its delivery to this client; 0 if absent. */
  readonly lagMillis?: number;
  readonly fault?: (change: Change) => EventFault | undefined;
};

export type WatchRequest = {
  readonly resource: Resource;
  readonly namespace: string | undefined;
  readonly query: RequestQuery;
  readonly wanted: (object: KubernetesObject) => boolean;
  readonly sink: WatchSink;
};

const bookmarkEvery = millis(60_000);
const longestWatch = 3_600_000;

/** All open watches. */
export class WatchHub {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #open = new Map<string, Set<Subscription>>();

  constructor(parts: { readonly store: Store; readonly clock: Clock; readonly random: Random }) {
    this.#store = parts.store;
    this.#clock = parts.clock;
    this.#random = parts.random;
    this.#store.onCommit((change) => {
      for (const subscription of this.#open.get(change.key) ?? []) subscription.offer(change);
    });
  }

  get count(): number {
    let sum = 0;
    for (const set of this.#open.values()) sum += set.size;
    return sum;
  }

  /** @throws ApiFailure 400 for parameters that make no sense */
  open(request: WatchRequest, options: WatchOptions): Subscription {
    const { resource, namespace, query, wanted, sink } = request;
    const inScope = (object: KubernetesObject) =>
      (namespace === undefined || object.metadata.namespace === namespace) && wanted(object);
    const key = storageKey(resource);
    const set = this.#open.get(key) ?? new Set<Subscription>();
    this.#open.set(key, set);
    const cancels: (() => void)[] = [];
    const close = () => {
      set.delete(subscription);
      for (const cancel of cancels) cancel();
    };
    const subscription: Subscription = new ClosingSubscription(
      {
        clock: this.#clock,
        wanted: inScope,
        lagMillis: options.lagMillis ?? 0,
        fault: options.fault,
        sink: {
          event: (type, object) => sink.event(type, object),
          end: () => {
            close();
            sink.end();
          },
        },
      },
      close,
    );
    set.add(subscription);
    this.#begin(subscription, request, inScope);
    cancels.push(this.#timeOut(subscription, query));
    if (query.get('allowWatchBookmarks') === 'true')
      cancels.push(this.#bookmarks(subscription, resource));
    return subscription;
  }

  /** Ends every watch, or those of one resource, with 410. */
  expireAll(key?: string): void {
    for (const [open, set] of this.#open)
      if (key === undefined || key === open)
        for (const subscription of [...set]) subscription.gone();
  }

  /** Ends every watch cleanly, as a restarting server does. */
  endAll(): void {
    for (const set of this.#open.values()) for (const subscription of [...set]) subscription.end();
  }

  /** The state or the changes that the client has not seen yet. */
  #begin(
    subscription: Subscription,
    { resource, namespace, query }: WatchRequest,
    wanted: (o: KubernetesObject) => boolean,
  ): void {
    const text = query.get('resourceVersion');
    const initial = query.get('sendInitialEvents') === 'true';
    if (initial && query.get('resourceVersionMatch') !== 'NotOlderThan')
      throw badRequest('sendInitialEvents requires setting resourceVersionMatch to NotOlderThan');
    if (initial || text === null || text === '' || text === '0') {
      for (const object of this.#store.list(storageKey(resource), namespace).filter(wanted))
        subscription.tell('ADDED', object, this.#store.revision);
      if (initial)
        subscription.tell(
          'BOOKMARK',
          this.#bookmark(resource, { 'k8s.io/initial-events-end': 'true' }),
          this.#store.revision,
        );
      return;
    }
    const revision = readRevision(text);
    const changes = this.#store.changesSince(revision);
    if (changes === undefined)
      return subscription.gone(`too old resource version: ${revision} (${this.#store.revision})`);
    for (const change of changes)
      if (change.key === storageKey(resource)) subscription.offer(change);
  }

  #timeOut(subscription: Subscription, query: RequestQuery): () => void {
    const asked = Number(query.get('timeoutSeconds') ?? 0) * 1000;
    const span = asked > 0 ? asked : longestWatch * (0.5 + this.#random() / 2);
    return this.#clock.after(millis(span), () => subscription.end());
  }

  #bookmarks(subscription: Subscription, resource: Resource): () => void {
    let cancel = () => {};
    const arm = () => {
      cancel = this.#clock.after(bookmarkEvery, () => {
        subscription.tell('BOOKMARK', this.#bookmark(resource), this.#store.revision);
        arm();
      });
    };
    arm();
    return () => cancel();
  }

  #bookmark(resource: Resource, annotations?: Readonly<Record<string, string>>) {
    return {
      kind: resource.kind,
      apiVersion: apiVersionOf(resource),
      metadata: {
        resourceVersion: String(this.#store.revision),
        creationTimestamp: null,
        ...(annotations === undefined ? {} : { annotations }),
      },
    };
  }
}

/** A subscription that leaves the hub when its client cancels it. */
class ClosingSubscription extends Subscription {
  readonly #close: () => void;

  constructor(parts: ConstructorParameters<typeof Subscription>[0], close: () => void) {
    super(parts);
    this.#close = close;
  }

  override cancel(): void {
    super.cancel();
    this.#close();
  }
}
