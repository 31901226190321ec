import { deepFreeze } from './json.ts';
import type { KubernetesObject } from './resource.ts';

export type ChangeType = 'ADDED' | 'MODIFIED' | 'DELETED';

/**
 * One commit. `object` is the state after it (for a deletion the last state, with the deletion's
 * revision).
 */
export type Change = {
  readonly revision: number;
  readonly type: ChangeType;
  /** Which resource: `apps/deployments`. */
  readonly key: string;
  readonly object: KubernetesObject;
  readonly previous: KubernetesObject | undefined;
};

/** A store at one moment. Nothing in it changes: any number of stores may go on from it. */
export type StoreImage = {
  /** Each with the resource it is stored under. */
  readonly objects: readonly (readonly [key: string, object: KubernetesObject])[];
  readonly history: readonly Change[];
  readonly revision: number;
  readonly compacted: number;
};

/** The objects of a resource in one namespace. */
type Space = {
  readonly byName: Map<string, KubernetesObject>;
  /** In the order of their names; `undefined` until somebody asks after a change. */
  ordered: readonly KubernetesObject[] | undefined;
};

/**
 * The objects of the cluster, one monotonic revision over all of them and a bounded history.
 * Every write
 * of whatever origin goes through {@link Store.commit}; objects are frozen and shared with all
 * readers.
 */
export class Store {
  readonly #historyLimit: number;
  readonly #objects = new Map<string, Map<string, Space>>();
  readonly #listeners = new Set<(change: Change) => void>();
  #history: Change[] = [];
  #revision = 1;
  /** Revisions at or below this one can be neither watched from nor listed at. */
  #compacted = 0;

  constructor(options: { readonly historyLimit?: number; readonly image?: StoreImage } = {}) {
    const { historyLimit = 20_000, image } = options;
    this.#historyLimit = historyLimit;
    if (image === undefined) return;
    for (const [key, object] of image.objects) {
      const { namespace = '', name } = object.metadata;
      this.#space(key, namespace).byName.set(name, object);
    }
    this.#history = [...image.history];
    this.#revision = image.revision;
    this.#compacted = image.compacted;
  }

  image(): StoreImage {
    return {
      objects: this.#everything(),
      history: [...this.#history],
      revision: this.#revision,
      compacted: this.#compacted,
    };
  }

  #everything(): StoreImage['objects'] {
    const keys = [...this.#objects.keys()];
    return keys.flatMap((key) => this.list(key).map((object) => [key, object] as const));
  }

  get revision(): number {
    return this.#revision;
  }

  read(key: string, namespace: string, name: string): KubernetesObject | undefined {
    return this.#objects.get(key)?.get(namespace)?.byName.get(name);
  }

  /** All objects of a resource, or those of one namespace, ordered by namespace and name. */
  list(key: string, namespace?: string): readonly KubernetesObject[] {
    const spaces = this.#objects.get(key);
    if (spaces === undefined) return [];
    if (namespace !== undefined) return inOrder(spaces.get(namespace));
    return [...spaces.keys()].sort().flatMap((space) => inOrder(spaces.get(space)));
  }

  /**
   * The objects as they were at a revision; `undefined` when the history no longer reaches back.
   */
  listAt(
    key: string,
    revision: number,
    namespace?: string,
  ): readonly KubernetesObject[] | undefined {
    if (revision >= this.#revision) return this.list(key, namespace);
    if (revision < this.#compacted) return undefined;
    const state = new Map(this.list(key, namespace).map((object) => [place(object), object]));
    for (let i = this.#history.length - 1; i >= 0; i -= 1) {
      const change = this.#history[i];
      if (change === undefined || change.revision <= revision) break;
      const { object, previous } = change;
      if (
        change.key !== key ||
        (namespace !== undefined && object.metadata.namespace !== namespace)
      )
        continue;
      if (previous === undefined) state.delete(place(object));
      else state.set(place(object), previous);
    }
    return [...state.keys()].sort().map((name) => state.get(name) as KubernetesObject);
  }

  /** Changes after a revision, oldest first; `undefined` when some of them are forgotten. */
  changesSince(revision: number): readonly Change[] | undefined {
    if (revision < this.#compacted) return undefined;
    let from = this.#history.length;
    while (from > 0 && (this.#history[from - 1] as Change).revision > revision) from -= 1;
    return this.#history.slice(from);
  }

  /** The one place where state changes. `object` must carry its name and namespace. */
  commit(key: string, type: ChangeType, object: KubernetesObject): KubernetesObject {
    const { name, namespace = '' } = object.metadata;
    const space = this.#space(key, namespace);
    const previous = space.byName.get(name);
    this.#revision += 1;
    const metadata = { ...object.metadata, resourceVersion: String(this.#revision) };
    const stored = deepFreeze({ ...object, metadata }, previous);
    if (type === 'DELETED') space.byName.delete(name);
    else space.byName.set(name, stored);
    space.ordered = undefined;
    const change: Change = { revision: this.#revision, type, key, object: stored, previous };
    this.#remember(change);
    for (const listener of this.#listeners) listener(change);
    return stored;
  }

  /** Tells of all that is there as if it came now: what a listener of a fresh list is told. */
  announce(): void {
    for (const [key, object] of this.#everything()) {
      const revision = Number(object.metadata.resourceVersion);
      const change: Change = { revision, type: 'ADDED', key, object, previous: undefined };
      for (const listener of this.#listeners) listener(change);
    }
  }

  /** Calls back for every commit, at once; the returned function ends it. */
  onCommit(listener: (change: Change) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Forgets the history up to a revision, so that older watches and continue tokens get 410. */
  compact(revision: number = this.#revision): void {
    this.#compacted = Math.max(this.#compacted, revision);
    this.#history = this.#history.filter((change) => change.revision > revision);
  }

  #remember(change: Change): void {
    this.#history.push(change);
    if (this.#history.length <= this.#historyLimit) return;
    const dropped = this.#history.splice(0, Math.ceil(this.#historyLimit / 10));
    this.#compacted = (dropped.at(-1) as Change).revision;
  }

  #space(key: string, namespace: string): Space {
    let spaces = this.#objects.get(key);
    if (spaces === undefined) this.#objects.set(key, (spaces = new Map()));
    let space = spaces.get(namespace);
    if (space === undefined)
      spaces.set(namespace, (space = { byName: new Map(), ordered: undefined }));
    return space;
  }
}

const place = ({ metadata }: KubernetesObject) => `${metadata.namespace ?? ''}/${metadata.name}`;

/** Controllers list far more often than anything changes, so the order is kept. */
function inOrder(space: Space | undefined): readonly KubernetesObject[] {
  if (space === undefined) return [];
  const { byName } = space;
  return (space.ordered ??= [...byName.keys()]
    .sort()
    .map((name) => byName.get(name) as KubernetesObject));
}
