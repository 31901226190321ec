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

type Listener = (change: Change) => void;

/** The objects of a resource, and all of them in order until something changes. */
type Shelf = {
  readonly spaces: Map<string, Space>;
  ordered: readonly KubernetesObject[] | undefined;
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
  readonly #objects = new Map<string, Shelf>();
  /** Each with the resource it hears of; of all where that is absent. */
  #listeners: readonly { readonly key: string | undefined; readonly listener: Listener }[] = [];
  /** Who hears of a resource, in the order they came; most hear of few. */
  readonly #hearers = new Map<string, readonly Listener[]>();
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
      spaceOf(this.#shelf(key), namespace).byName.set(name, object);
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
    return this.#objects.get(key)?.spaces.get(namespace)?.byName.get(name);
  }

  /** All objects of a resource, or those of one namespace, ordered by namespace and name. */
  list(key: string, namespace?: string): readonly KubernetesObject[] {
    const shelf = this.#objects.get(key);
    if (shelf === undefined) return [];
    const { spaces } = shelf;
    if (namespace !== undefined) return inOrder(spaces.get(namespace));
    return (shelf.ordered ??= inWholeOrder(spaces));
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

  /** The resourceVersion of what is committed next. */
  get nextVersion(): string {
    return String(this.#revision + 1);
  }

  /** The one place where state changes. `object` must carry its name and namespace. */
  commit(key: string, type: ChangeType, object: KubernetesObject): KubernetesObject {
    const { name, namespace = '' } = object.metadata;
    const shelf = this.#shelf(key);
    const space = spaceOf(shelf, namespace);
    const previous = space.byName.get(name);
    this.#revision += 1;
    const stored = deepFreeze(versioned(object, String(this.#revision)), previous);
    if (type === 'DELETED') space.byName.delete(name);
    else space.byName.set(name, stored);
    space.ordered = undefined;
    shelf.ordered = undefined;
    const change: Change = { revision: this.#revision, type, key, object: stored, previous };
    this.#remember(change);
    for (const listener of this.#hearersOf(key)) listener(change);
    return stored;
  }

  /** Tells of all that is there as if it came now: what a listener of a fresh list is told. */
  announce(): void {
    for (const [key, object] of this.#everything()) {
      const revision = Number(object.metadata.resourceVersion);
      const change: Change = { revision, type: 'ADDED', key, object, previous: undefined };
      for (const listener of this.#hearersOf(key)) listener(change);
    }
  }

  /** Calls back at once for each commit, or for those of one resource; returns what ends it. */
  onCommit(listener: Listener, key?: string): () => void {
    const entry = { key, listener };
    this.#listeners = [...this.#listeners, entry];
    this.#hearers.clear();
    return () => {
      this.#listeners = this.#listeners.filter((other) => other !== entry);
      this.#hearers.clear();
    };
  }

  #hearersOf(key: string): readonly Listener[] {
    let hearers = this.#hearers.get(key);
    if (hearers === undefined) {
      const wanted = this.#listeners.filter((one) => one.key === undefined || one.key === key);
      this.#hearers.set(key, (hearers = wanted.map(({ listener }) => listener)));
    }
    return hearers;
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

  #shelf(key: string): Shelf {
    let shelf = this.#objects.get(key);
    if (shelf === undefined)
      this.#objects.set(key, (shelf = { spaces: new Map(), ordered: undefined }));
    return shelf;
  }
}

/** Whoever makes an object for this commit gives it the version at once: it is copied no more. */
const versioned = (object: KubernetesObject, resourceVersion: string): KubernetesObject =>
  object.metadata.resourceVersion === resourceVersion
    ? object
    : { ...object, metadata: { ...object.metadata, resourceVersion } };

function spaceOf({ spaces }: Shelf, namespace: string): Space {
  let space = spaces.get(namespace);
  if (space === undefined)
    spaces.set(namespace, (space = { byName: new Map(), ordered: undefined }));
  return space;
}

const place = ({ metadata }: KubernetesObject) => `${metadata.namespace ?? ''}/${metadata.name}`;

function inWholeOrder(spaces: Shelf['spaces']): readonly KubernetesObject[] {
  const names = [...spaces.keys()];
  // Most resources have objects in one namespace only.
  if (names.length === 1) return inOrder(spaces.get(names[0] as string));
  return names.sort().flatMap((name) => inOrder(spaces.get(name)));
}

/** Controllers list far more often than anything changes, so the order is kept. */
function inOrder(space: Space | undefined): readonly KubernetesObject[] {
  if (space === undefined) return [];
  const { byName } = space;
  return (space.ordered ??= [...byName.keys()]
    .sort()
    .map((name) => byName.get(name) as KubernetesObject));
}
