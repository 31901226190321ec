import { deleteObject } from '../deletion.ts';
import type { KubernetesObject, OwnerReference, Resource } from '../resource.ts';
import { storageKey } from '../resource.ts';
import { type Controller, type ControllerContext, managerOptions, targetOf } from './context.ts';
import { ControlLoop } from './control-loop.ts';
import { asJson } from './objects.ts';

type Place = { readonly resource: Resource; readonly namespace: string; readonly name: string };

const options = managerOptions;
const noOwners: readonly OwnerReference[] = [];

/** Deletes what has lost its owners, and carries out foreground and orphan deletion. */
export class GarbageCollector implements Controller {
  readonly #context: ControllerContext;
  readonly #resources: ReadonlyMap<string, Resource>;
  /** By group and kind, as owner references name them. */
  readonly #kinds = new Map<string, Resource>();
  /** Owner's uid → places of its dependents. */
  readonly #dependents = new Map<string, Map<string, Place>>();
  readonly #loop: ControlLoop;
  readonly #unsubscribe: () => void;

  constructor(context: ControllerContext) {
    this.#context = context;
    this.#resources = new Map(
      context.server.resources
        .filter((r) => r.storedAs === undefined)
        .map((r) => [storageKey(r), r]),
    );
    for (const resource of this.#resources.values()) {
      const kind = `${resource.group}/${resource.kind}`;
      if (!this.#kinds.has(kind)) this.#kinds.set(kind, resource);
    }
    this.#loop = new ControlLoop(context, (key) => this.#sync(key));
    this.#unsubscribe = context.server.store.onCommit(({ key, object, previous, type }) => {
      const resource = this.#resources.get(key);
      if (resource !== undefined) this.#onCommit(resource, object, previous, type === 'DELETED');
    });
  }

  stop(): void {
    this.#unsubscribe();
    this.#loop.stop();
  }

  #onCommit(
    resource: Resource,
    object: KubernetesObject,
    previous: KubernetesObject | undefined,
    gone: boolean,
  ): void {
    const { uid, namespace = '', name, ownerReferences = noOwners } = object.metadata;
    const waits =
      object.metadata.deletionTimestamp !== undefined &&
      (object.metadata.finalizers ?? []).length > 0;
    const before = previous?.metadata.ownerReferences ?? noOwners;
    // Of most commits there is nothing to remember.
    if (!gone && !waits && before === ownerReferences) return;
    const place = `${storageKey(resource)} ${namespace}/${name}`;
    if (before !== ownerReferences || gone) {
      for (const owner of before) this.#dependents.get(owner.uid)?.delete(place);
      if (!gone)
        for (const owner of ownerReferences)
          this.#remember(owner.uid, place, { resource, namespace, name });
      // Owners that go later wake what they leave behind.
      if (!gone && ownerReferences.some((owner) => !isAlive(this.#ownerOf(owner, namespace))))
        this.#loop.enqueue(place);
    }
    if (gone) {
      for (const dependent of this.#dependents.get(uid)?.keys() ?? [])
        this.#loop.enqueue(dependent);
      for (const owner of ownerReferences) this.#wakeOwner(owner, namespace);
    } else if (waits) this.#loop.enqueue(place);
  }

  #remember(owner: string, place: string, dependent: Place): void {
    const known = this.#dependents.get(owner);
    if (known === undefined) this.#dependents.set(owner, new Map([[place, dependent]]));
    else known.set(place, dependent);
  }

  /** A dependent is gone: an owner that waits for it may be done. */
  #wakeOwner(reference: OwnerReference, namespace: string): void {
    const resource = this.#kind(reference);
    const owner = this.#ownerOf(reference, namespace);
    if (resource === undefined || owner === undefined || !waitsForDependents(owner)) return;
    const place = `${resource.namespaced ? namespace : ''}/${reference.name}`;
    this.#loop.enqueue(`${storageKey(resource)} ${place}`);
  }

  #kind({ apiVersion, kind }: OwnerReference): Resource | undefined {
    const slash = apiVersion.indexOf('/');
    return this.#kinds.get(`${slash < 0 ? '' : apiVersion.slice(0, slash)}/${kind}`);
  }

  #sync(place: string): void {
    const [key = '', path = ''] = place.split(' ');
    const resource = this.#resources.get(key);
    const at = path.indexOf('/');
    if (resource === undefined) return;
    const object = this.#context.server.store.read(key, path.slice(0, at), path.slice(at + 1));
    if (object === undefined) return;
    const { deletionTimestamp, finalizers = [] } = object.metadata;
    if (deletionTimestamp !== undefined && finalizers.includes('orphan'))
      return this.#orphan(resource, object);
    if (deletionTimestamp !== undefined && finalizers.includes('foregroundDeletion'))
      return this.#finishForeground(resource, object);
    this.#collect(resource, object);
  }

  /**
   * Owners that exist keep an object; references to others are dropped, and without any owner
   * left it goes.
   */
  #collect(resource: Resource, object: KubernetesObject): void {
    const { ownerReferences = [], namespace = '', deletionTimestamp } = object.metadata;
    if (ownerReferences.length === 0 || deletionTimestamp !== undefined) return;
    const found = ownerReferences.map((reference) => ({
      reference,
      owner: this.#ownerOf(reference, namespace),
    }));
    const alive = found.filter(({ owner }) => isAlive(owner));
    const target = targetOf(resource, object);
    const { objects } = this.#context.server;
    if (alive.length > 0) {
      const kept = alive.map(({ reference }) => reference);
      if (kept.length < ownerReferences.length)
        objects.modify(
          target,
          (o) => asJson({ ...o, metadata: { ...o.metadata, ownerReferences: kept } }),
          options,
        );
      return;
    }
    const waited = found.some(({ owner }) => owner !== undefined);
    const hasDependents = (this.#dependents.get(object.metadata.uid)?.size ?? 0) > 0;
    deleteObject(objects, target, {
      uid: object.metadata.uid,
      propagation: waited && hasDependents ? 'Foreground' : 'Background',
    });
  }

  #ownerOf(reference: OwnerReference, namespace: string): KubernetesObject | undefined {
    const resource = this.#kind(reference);
    if (resource === undefined) return undefined;
    const owner = this.#context.server.store.read(
      storageKey(resource),
      resource.namespaced ? namespace : '',
      reference.name,
    );
    return owner?.metadata.uid === reference.uid ? owner : undefined;
  }

  #orphan(resource: Resource, owner: KubernetesObject): void {
    const { objects } = this.#context.server;
    for (const dependent of [...(this.#dependents.get(owner.metadata.uid)?.values() ?? [])]) {
      if (objects.find(dependent) === undefined) continue;
      objects.modify(
        dependent,
        (o) =>
          asJson({
            ...o,
            metadata: {
              ...o.metadata,
              ownerReferences: (o.metadata.ownerReferences ?? []).filter(
                ({ uid }) => uid !== owner.metadata.uid,
              ),
            },
          }),
        options,
      );
    }
    this.#dropFinalizer(resource, owner, 'orphan');
  }

  #finishForeground(resource: Resource, owner: KubernetesObject): void {
    const dependents = [...(this.#dependents.get(owner.metadata.uid) ?? [])];
    const { objects } = this.#context.server;
    const blocking = dependents.filter(
      ([, place]) =>
        objects
          .find(place)
          ?.metadata.ownerReferences?.some(
            ({ uid, blockOwnerDeletion }) =>
              uid === owner.metadata.uid && blockOwnerDeletion === true,
          ) === true,
    );
    for (const [place] of dependents) this.#loop.enqueue(place);
    if (blocking.length === 0) this.#dropFinalizer(resource, owner, 'foregroundDeletion');
  }

  #dropFinalizer(resource: Resource, object: KubernetesObject, finalizer: string): void {
    this.#context.server.objects.modify(
      targetOf(resource, object),
      (o) =>
        asJson({
          ...o,
          metadata: {
            ...o.metadata,
            finalizers: (o.metadata.finalizers ?? []).filter((name) => name !== finalizer),
          },
        }),
      options,
    );
  }
}

/** Keeps what belongs to it: it is there, and does not wait for that to go. */
const isAlive = (owner: KubernetesObject | undefined): boolean =>
  owner !== undefined && !waitsForDependents(owner);

const waitsForDependents = ({ metadata }: KubernetesObject): boolean =>
  metadata.deletionTimestamp !== undefined &&
  (metadata.finalizers ?? []).includes('foregroundDeletion');
