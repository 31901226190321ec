import { describeError } from '../lib/errors.ts';
import type { RawMetadata, RawObject } from './raw-object.ts';
import { compareResourceVersions } from './resource-version.ts';
import { createIndex, type Index } from './store-index.ts';
import { versionOf, type WatchEvent } from './watch-stream.ts';

/** `namespace/name`: the key of the work queue too. */
export type ObjectKey = string;

export const objectKey = (namespace: string | undefined, name: string): ObjectKey =>
  namespace === undefined || namespace === '' ? name : `${namespace}/${name}`;

/**
 * Something appeared (`previous` absent), changed, or went (`current` absent). Another uid is a
 * going and a coming.
 */
export type ChangeListener<T> = (change: {
  readonly key: ObjectKey;
  readonly previous: T | undefined;
  readonly current: T | undefined;
}) => void;

export interface StoreOptions<T, I extends string> {
  /** The few fields we need, as a fresh object: what is returned is all that stays in memory. */
  readonly project: (raw: RawObject) => T;
  /** Each gives the keys under which a value is found by `by`. */
  readonly indexes?: Readonly<Record<I, (value: T) => readonly string[]>>;
  /** A projection, index or listener that throws: the object is set aside and the rest goes on. */
  readonly onProblem?: (problem: { readonly key: ObjectKey; readonly message: string }) => void;
}

/**
 * The latest known state of one resource. It never goes back, in whatever order the watch, the
 * list and the answers to our own writes arrive: an older version of the same object is ignored,
 * and so is an object the store does not have although it knows everything up to that version; it
 * is gone.
 */
/** Names an object that is there no more. */
export interface GoneObject {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
}

export interface Store<T, I extends string = never> {
  get(namespace: string, name: string): T | undefined;
  values(): readonly T[];
  inNamespace(namespace: string): readonly T[];
  by(index: I, indexKey: string): readonly T[];
  readonly size: number;
  /** Grows with each change of what is in it: two reads at the same number read the same. */
  readonly changes: number;
  /**
   * Feeds the answer of our own read or write, so that the next pass sees it before the watch does.
   */
  accept(raw: RawObject): void;
  /**
   * Begins a read of ours of what is known to be there; its answer goes to the returned function.
   * Unlike the answer of a write it may tell of an object whose event was lost, unless something
   * went while it was under way.
   */
  beginRead(): (raw: RawObject) => void;
  /** The API server has answered that this object is gone: the event that tells so may be lost. */
  forget(gone: GoneObject): void;
  /** Called after each change, in order. Returns how to stop. */
  onChange(listener: ChangeListener<T>): () => void;
  /**
   * Objects whose newest version could not be projected; `get` still gives their last good value,
   * if any.
   */
  quarantined(): readonly ObjectKey[];
}

/** What only the reflector does with a store. `namespace` is the reflector's; all when absent. */
export interface WritableStore<T, I extends string = never> extends Store<T, I> {
  /** An event of the watch. Everything up to its version is known from then on. */
  observe(event: WatchEvent, namespace: string | undefined): void;
  beginListing(scope: ListingScope): Listing;
}

export interface ListingScope {
  /** The storage was restored or replaced: what we know is no longer newer than the list. */
  readonly historyRestarted: boolean;
  /** The list is of this namespace alone and says nothing about the others. */
  readonly namespace: string | undefined;
}

/** A full list on its way in. Pages may be dropped as soon as they were added. */
export interface Listing {
  add(raw: RawObject): void;
  /** Removes what the list of this version did not contain and is not younger than it. */
  finish(resourceVersion: string): void;
}

export const createStore = <T, I extends string = never>(
  options: StoreOptions<T, I>,
): WritableStore<T, I> => new IndexedStore(options);

interface Entry<T> {
  readonly namespace: string;
  readonly uid: string;
  readonly resourceVersion: string;
  /** The last good projection. */
  readonly value: T | undefined;
  readonly quarantined: boolean;
}

/**
 * What brings an object. `reported`: it was there at its version. `present`: it is there now, so
 * that one we do not know is none that is gone. `restored`: whatever we knew, this is so.
 */
type Trust = 'reported' | 'present' | 'restored';

class IndexedStore<T, I extends string> implements WritableStore<T, I> {
  readonly #options: StoreOptions<T, I>;
  readonly #entries = new Map<ObjectKey, Entry<T>>();
  readonly #byNamespace = createIndex();
  readonly #indexes = new Map<I, Index>();
  /** Up to which version everything is known, by namespace of a reflector; '' is all. */
  readonly #horizons = new Map<string, string>();
  readonly #listeners = new Set<ChangeListener<T>>();
  /** Deletions and lists so far: what may have overtaken a read. */
  #departures = 0;
  #changes = 0;

  constructor(options: StoreOptions<T, I>) {
    this.#options = options;
    for (const name of Object.keys(options.indexes ?? {})) {
      this.#indexes.set(name as I, createIndex());
    }
  }

  get(namespace: string, name: string): T | undefined {
    return this.#entries.get(objectKey(namespace, name))?.value;
  }

  values(): readonly T[] {
    return this.#valuesOf(this.#entries.keys());
  }

  inNamespace(namespace: string): readonly T[] {
    return this.#valuesOf(this.#byNamespace.keys(namespace));
  }

  by(index: I, indexKey: string): readonly T[] {
    return this.#valuesOf(this.#indexes.get(index)?.keys(indexKey) ?? []);
  }

  get size(): number {
    return this.#entries.size;
  }

  get changes(): number {
    return this.#changes;
  }

  accept(raw: RawObject): void {
    this.#upsert(raw, 'reported');
  }

  beginRead(): (raw: RawObject) => void {
    const before = this.#departures;
    return (raw) => this.#upsert(raw, this.#departures === before ? 'present' : 'reported');
  }

  forget(gone: GoneObject): void {
    this.#remove(gone);
  }

  onChange(listener: ChangeListener<T>): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  quarantined(): readonly ObjectKey[] {
    return [...this.#entries].filter(([, entry]) => entry.quarantined).map(([key]) => key);
  }

  observe(event: WatchEvent, namespace: string | undefined): void {
    if (event.type === 'ADDED' || event.type === 'MODIFIED') this.#upsert(event.object, 'reported');
    if (event.type === 'DELETED') this.#remove(event.object.metadata);
    this.#horizons.set(namespace ?? '', versionOf(event));
  }

  beginListing(scope: ListingScope): Listing {
    const { historyRestarted, namespace } = scope;
    const seen = new Set<ObjectKey>();
    return {
      add: (raw) => {
        seen.add(objectKey(raw.metadata.namespace, raw.metadata.name));
        // Also one whose event was lost: the list is not older than what we know.
        this.#upsert(raw, historyRestarted ? 'restored' : 'present');
      },
      finish: (resourceVersion) => {
        this.#departures += 1;
        for (const [key, entry] of this.#entries) {
          if (seen.has(key)) continue;
          if (namespace !== undefined && entry.namespace !== namespace) continue;
          // Created by us after the list was made: the watch that follows will confirm it.
          const isYounger = !isAtMost(entry.resourceVersion, resourceVersion);
          if (isYounger && !historyRestarted) continue;
          this.#drop(key, entry);
        }
        this.#horizons.set(namespace ?? '', resourceVersion);
      },
    };
  }

  #upsert(raw: RawObject, trust: Trust): void {
    const { namespace = '', name, uid = '', resourceVersion = '' } = raw.metadata;
    const key = objectKey(namespace, name);
    const before = this.#entries.get(key);
    if (trust !== 'restored' && this.#isOld(raw, before, trust)) return;
    const same = before?.uid === uid ? before : undefined;
    if (before !== undefined && same === undefined) this.#drop(key, before);
    const fresh = this.#projected(key, raw);
    const value = fresh === undefined ? same?.value : fresh.value;
    const quarantined = fresh === undefined;
    this.#changes += 1;
    this.#entries.set(key, { namespace, uid, resourceVersion, value, quarantined });
    this.#byNamespace.set(key, [namespace]);
    for (const [name, index] of this.#indexes) index.set(key, this.#indexKeys(name, value));
    if (fresh !== undefined) this.#tell(key, same?.value, value);
  }

  #isOld(raw: RawObject, before: Entry<T> | undefined, trust: Trust): boolean {
    const { namespace = '', uid, resourceVersion = '' } = raw.metadata;
    if (before !== undefined && isAtMost(resourceVersion, before.resourceVersion)) return true;
    if (before?.uid === uid || trust === 'present') return false;
    const horizon = this.#horizons.get(namespace) ?? this.#horizons.get('');
    return horizon !== undefined && isAtMost(resourceVersion, horizon);
  }

  #remove({ namespace, name, uid }: Pick<RawMetadata, 'namespace' | 'name' | 'uid'>): void {
    const key = objectKey(namespace, name);
    const entry = this.#entries.get(key);
    this.#departures += 1;
    // The same name may already be another object, learnt from the answer to our own create.
    if (entry !== undefined && entry.uid === uid) this.#drop(key, entry);
  }

  #projected(key: ObjectKey, raw: RawObject): { readonly value: T } | undefined {
    try {
      const value = this.#options.project(raw);
      // An index function that throws must do so here, before anything was changed.
      for (const name of this.#indexes.keys()) this.#indexKeys(name, value);
      return { value };
    } catch (error) {
      this.#options.onProblem?.({ key, message: describeError(error) });
      return undefined;
    }
  }

  #indexKeys(name: I, value: T | undefined): readonly string[] {
    return value === undefined ? [] : (this.#options.indexes?.[name](value) ?? []);
  }

  #drop(key: ObjectKey, entry: Entry<T>): void {
    this.#changes += 1;
    this.#entries.delete(key);
    this.#byNamespace.set(key, []);
    for (const index of this.#indexes.values()) index.set(key, []);
    this.#tell(key, entry.value, undefined);
  }

  #tell(key: ObjectKey, previous: T | undefined, current: T | undefined): void {
    if (previous === undefined && current === undefined) return;
    for (const listener of this.#listeners) {
      try {
        listener({ key, previous, current });
      } catch (error) {
        this.#options.onProblem?.({ key, message: describeError(error) });
      }
    }
  }

  #valuesOf(keys: Iterable<ObjectKey>): readonly T[] {
    const found: T[] = [];
    for (const key of keys) {
      const value = this.#entries.get(key)?.value;
      if (value !== undefined) found.push(value);
    }
    return found;
  }
}

/** False also when the two cannot be compared: then the order of arrival counts. */
function isAtMost(resourceVersion: string, limit: string): boolean {
  const order = compareResourceVersions(resourceVersion, limit);
  return order !== undefined && order <= 0;
}
