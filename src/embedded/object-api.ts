import type { Clock } from '../lib/clock.ts';
import type { Random } from '../lib/random.ts';
import { type Instant, instant, toRfc3339 } from '../lib/units.ts';
import type { Admission } from './admission.ts';
import { applyDefaults } from './defaults.ts';
import {
  asArray,
  asObject,
  copyWithout,
  equalFields,
  type Json,
  type JsonObject,
  without,
} from './json.ts';
import { sameOwnership, trackUpdate, type Writer } from './managed-fields.ts';
import { freshName, freshUid } from './naming.ts';
import { applyPatch, type PatchType, planned } from './patching.ts';
import {
  apiVersionOf,
  type KubernetesObject,
  type ManagedFieldsEntry,
  type ObjectMeta,
  perResource,
  type Resource,
  storageKey,
  type Target,
} from './resource.ts';
import { prune, type Shape, shapeOf, TypeMismatch, untyped } from './schema.ts';
import { allocateClusterIp } from './service-addresses.ts';
import {
  ApiFailure,
  alreadyExists,
  badRequest,
  invalid,
  invalidValue,
  notFound,
} from './status.ts';
import type { ChangeType, Store } from './store.ts';
import {
  bumpsGeneration,
  checkPreconditions,
  firstGeneration,
  isBeingDeleted,
  prepareCreate,
  prepareUpdate,
} from './strategy.ts';
import { checkTime } from './times.ts';
import { validate } from './validation.ts';

export type WriteOptions = {
  /** Owner of the fields written: the `fieldManager` parameter, or the client's product name. */
  readonly manager: string;
  readonly dryRun?: boolean;
  readonly fieldValidation?: 'Ignore' | 'Warn' | 'Strict';
  /** Server-side apply: take fields over from others. */
  readonly force?: boolean;
  /** Collects what a client is told in `Warning` headers. */
  readonly warn?: (message: string) => void;
};

/** A change of one object, as seen just before it is stored. */
type Intent = {
  readonly target: Target;
  readonly before: KubernetesObject | undefined;
  readonly candidate: JsonObject;
  readonly options: WriteOptions;
  /** Server-side apply brings its own ownership. */
  readonly managedFields?: readonly ManagedFieldsEntry[];
};

export type ObjectApiParts = {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly admission: Admission;
};

/**
 * Reads and writes of single objects with the semantics of the Kubernetes API server: defaults,
 * admission,
 * validation, generation, field ownership, preconditions, finalizers. Synchronous; throws {@link
 * ApiFailure}.
 */
export class ObjectApi {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #admission: Admission;
  /** The last second that was asked for: many writes fall into the same one. */
  #now: { readonly second: number; readonly text: string } | undefined;

  constructor(parts: ObjectApiParts) {
    this.#store = parts.store;
    this.#clock = parts.clock;
    this.#random = parts.random;
    this.#admission = parts.admission;
  }

  find({ resource, namespace, name }: Target): KubernetesObject | undefined {
    return this.#store.read(storageKey(resource), namespace, name);
  }

  get(target: Target): KubernetesObject {
    const object = this.find(target);
    if (object === undefined) throw notFound(target.resource, target.name);
    return object;
  }

  create(
    resource: Resource,
    namespace: string,
    body: JsonObject,
    options: WriteOptions,
  ): KubernetesObject {
    const metadata = asObject(body.metadata);
    if (metadata.resourceVersion !== undefined && metadata.resourceVersion !== '')
      throw new ApiFailure(
        500,
        'InternalError',
        'resourceVersion should not be set on objects to be created',
      );
    const sent = metadata.namespace;
    if (typeof sent === 'string' && sent !== '' && sent !== namespace)
      throw badRequest(
        resource.namespaced
          ? `the namespace of the provided object does not match the namespace sent on the request`
          : 'namespace is not allowed on this type',
      );
    const name = this.#nameOf(resource, metadata);
    const target = { resource, namespace, name };
    if (this.find(target) !== undefined) throw alreadyExists(resource, name);
    this.#admission.checkNamespace(resource, namespace, name);
    const fixed = without(without({ ...metadata, name }, 'managedFields'), 'resourceVersion');
    return this.#write({
      target,
      before: undefined,
      candidate: { ...body, metadata: fixed },
      options,
    });
  }

  update(target: Target, body: JsonObject, options: WriteOptions): KubernetesObject {
    const before = this.get(target);
    const metadata = asObject(body.metadata);
    if (metadata.name !== undefined && metadata.name !== target.name)
      throw badRequest(
        `the name of the object (${String(metadata.name)}) does not match the name on ` +
          `the URL (${target.name})`,
      );
    const version = metadata.resourceVersion;
    if (
      !target.resource.unconditionalUpdate &&
      (version === undefined || version === '' || version === '0')
    )
      throw invalid(target.resource, target.name, [
        invalidValue('metadata.resourceVersion', 0, 'must be specified for an update'),
      ]);
    checkPreconditions(target.resource, before, metadata);
    return this.#write({ target, before, candidate: body, options });
  }

  patch(target: Target, type: PatchType, patch: Json, options: WriteOptions): KubernetesObject {
    const before = this.find(target);
    const { resource } = target;
    if (type === 'apply') {
      const shape = this.#shape(resource);
      const config = this.#clean(resource, patch, undefined, options);
      const writer = this.#writer(target, options, 'Apply');
      const { candidate, managedFields } = planned({
        resource,
        shape,
        before,
        config,
        writer,
        target,
        force: options.force === true,
      });
      if (before === undefined)
        this.#admission.checkNamespace(resource, target.namespace, target.name);
      return this.#write({ target, before, candidate, options, managedFields });
    }
    if (before === undefined) throw notFound(resource, target.name);
    const changed = applyPatch(resource, this.#shape(resource), type, before, patch);
    const metadata = asObject(changed.metadata);
    checkPreconditions(resource, before, { resourceVersion: metadata.resourceVersion });
    if (metadata.uid !== undefined && metadata.uid !== before.metadata.uid)
      throw invalid(resource, target.name, [
        invalidValue('metadata.uid', metadata.uid, 'field is immutable'),
      ]);
    if (metadata.name !== target.name)
      throw badRequest(
        `the name of the object (${String(metadata.name)}) does not match the name on ` +
          `the URL (${target.name})`,
      );
    return this.#write({ target, before, candidate: changed, options });
  }

  /** Changes an object by a function, as the controllers do; returns the stored object. */
  modify(
    target: Target,
    change: (current: KubernetesObject) => JsonObject,
    options: WriteOptions,
  ): KubernetesObject {
    const before = this.get(target);
    return this.#write({ target, before, candidate: change(before), options });
  }

  /** Stores a new state of an object without any of the rules: deletion marks and finalizers. */
  store(resource: Resource, type: ChangeType, object: KubernetesObject): KubernetesObject {
    return this.#store.commit(storageKey(resource), type, object);
  }

  now(): string {
    const second = Math.floor(this.#clock.now() / 1000);
    if (this.#now?.second !== second)
      this.#now = { second, text: inSeconds(instant(second * 1000)) };
    return this.#now.text;
  }

  later(seconds: number): string {
    return inSeconds(instant(this.#clock.now() + seconds * 1000));
  }

  #shape(resource: Resource): Shape | undefined {
    return typed(resource).shape;
  }

  #nameOf(resource: Resource, metadata: JsonObject): string {
    if (typeof metadata.name === 'string' && metadata.name !== '') return metadata.name;
    if (typeof metadata.generateName === 'string' && metadata.generateName !== '')
      return freshName(metadata.generateName, this.#random);
    throw invalid(resource, '', [
      {
        field: 'metadata.name',
        reason: 'FieldValueRequired',
        message: 'Required value: name or generateName is required',
      },
    ]);
  }

  #writer(
    { resource, subresource }: Target,
    options: WriteOptions,
    operation: Writer['operation'],
  ): Writer {
    return {
      manager: options.manager,
      operation,
      apiVersion: apiVersionOf(resource),
      subresource,
      time: this.now(),
    };
  }

  /** Unknown fields dropped or refused, types checked. */
  #clean(
    resource: Resource,
    object: Json,
    before: Json | undefined,
    options: WriteOptions,
  ): JsonObject {
    const shape = this.#shape(resource);
    if (shape === undefined) return asObject(object);
    try {
      const { value, unknown, times } = prune(shape, object, before);
      if (unknown.length > 0 && options.fieldValidation === 'Strict')
        throw badRequest(
          `${resource.kind} in version ${JSON.stringify(resource.version)} cannot be ` +
            `handled as a ${resource.kind}: strict decoding error: ` +
            unknown.map((field) => `unknown field "${field}"`).join(', '),
        );
      if (options.fieldValidation !== 'Ignore')
        for (const field of unknown) options.warn?.(`unknown field "${field}"`);
      times.forEach(checkTime);
      return asObject(value);
    } catch (error) {
      if (!(error instanceof TypeMismatch)) throw error;
      if (resource.custom)
        throw new ApiFailure(
          422,
          'Invalid',
          `${resource.kind}.${resource.group} is invalid: ${error.message}`,
        );
      throw badRequest(
        `${resource.kind} in version ${JSON.stringify(resource.version)} cannot be ` +
          `handled as a ${resource.kind}: ${error.message}`,
      );
    }
  }

  #write(intent: Intent): KubernetesObject {
    const { target, before, options } = intent;
    const { resource, subresource } = target;
    const shape = this.#shape(resource);
    const cleaned = this.#clean(resource, intent.candidate, before, options);
    const shaped =
      before === undefined
        ? this.#newObject(target, cleaned)
        : prepareUpdate(resource, before, cleaned, subresource);
    const sent = applyDefaults(resource, shape, shaped, before);
    const admitted = this.#admission.mutate({
      resource,
      subresource,
      operation: before === undefined ? 'CREATE' : 'UPDATE',
      object: sent,
      before: before,
    });
    const object = this.#addressed(resource, admitted as KubernetesObject);
    const causes = validate(resource, shape, object, before);
    if (causes.length > 0) throw invalid(resource, target.name, causes);
    this.#admission.validate(resource, object, before);
    // What admission changes is owned by nobody, so that no client that applies its fields takes
    // it back.
    const managedFields =
      intent.managedFields ??
      trackUpdate(
        shape ?? untyped,
        before,
        sent as KubernetesObject,
        this.#writer(target, options, 'Update'),
      );
    return before === undefined
      ? this.#storeNew(intent, object, managedFields)
      : this.#storeChanged(intent, before, object, managedFields);
  }

  #newObject({ resource, namespace, name }: Target, body: JsonObject): JsonObject {
    const generation = firstGeneration(resource);
    const metadata = {
      ...asObject(body.metadata),
      name,
      uid: freshUid(this.#random),
      creationTimestamp: this.now(),
      ...(resource.namespaced ? { namespace } : {}),
      ...(generation === undefined ? {} : { generation }),
    };
    const clean = without(without(metadata, 'deletionTimestamp'), 'deletionGracePeriodSeconds');
    return prepareCreate(resource, {
      apiVersion: apiVersionOf(resource),
      kind: resource.kind,
      ...body,
      metadata: clean,
    });
  }

  #addressed(resource: Resource, object: KubernetesObject): KubernetesObject {
    return resource.kind === 'Service' ? allocateClusterIp(this.#store, object) : object;
  }

  #storeNew(
    { target, options }: Intent,
    object: KubernetesObject,
    managedFields: readonly ManagedFieldsEntry[],
  ): KubernetesObject {
    const resourceVersion = options.dryRun === true ? '' : this.#store.nextVersion;
    const whole = { ...object, metadata: { ...object.metadata, managedFields, resourceVersion } };
    if (options.dryRun === true) return whole;
    return this.#store.commit(storageKey(target.resource), 'ADDED', whole);
  }

  #storeChanged(
    { target, options }: Intent,
    before: KubernetesObject,
    object: KubernetesObject,
    owned: readonly ManagedFieldsEntry[],
  ): KubernetesObject {
    const { resource } = target;
    const oldOwned = before.metadata.managedFields ?? [];
    if (equalButOwnership(before, object) && sameOwnership(owned, oldOwned)) return before;
    const bumps = target.subresource !== 'status' && bumpsGeneration(resource, before, object);
    const metadata = copyWithout(object.metadata, 'managedFields');
    metadata.managedFields = owned as unknown as Json;
    if (bumps) metadata.generation = (before.metadata.generation ?? 0) + 1;
    if (options.dryRun !== true) metadata.resourceVersion = this.#store.nextVersion;
    const whole = { ...object, metadata: metadata as unknown as ObjectMeta };
    if (options.dryRun === true) return whole;
    const finished =
      isBeingDeleted(whole.metadata) &&
      asArray(whole.metadata.finalizers).length === 0 &&
      asArray(before.metadata.finalizers).length > 0 &&
      !keptAlive(whole);
    return this.#store.commit(storageKey(resource), finished ? 'DELETED' : 'MODIFIED', whole);
  }
}

const typed = perResource((resource) => ({
  shape: shapeOf(apiVersionOf(resource), resource.kind),
}));

const upToSeconds = 'yyyy-mm-ddThh:mm:ss'.length;
const inSeconds = (moment: Instant): string => `${toRfc3339(moment).slice(0, upToSeconds)}Z`;

/** Two states with the same content, whoever owns its fields. */
const equalButOwnership = (a: KubernetesObject, b: KubernetesObject): boolean =>
  equalFields(a, b, 'metadata') && equalFields(a.metadata, b.metadata, 'managedFields');

/** A pod that still drains, a namespace that is not empty. */
const keptAlive = (object: KubernetesObject): boolean =>
  (object.kind === 'Pod' && (object.metadata.deletionGracePeriodSeconds ?? 0) > 0) ||
  (object.kind === 'Namespace' && asArray(asObject(object.spec).finalizers).length > 0);
