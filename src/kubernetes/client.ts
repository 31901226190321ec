import { isOperatingError, OperatingError } from '../lib/errors.ts';
import type { Millis } from '../lib/units.ts';
import { collectionPath, type ObjectRef, objectPath, type Subresource } from './api-path.ts';
import { isRecord, isStoredObject, type RawObject } from './raw-object.ts';
import type { Resource } from './resources.ts';
import { statusError } from './status-error.ts';
import { type KubernetesRequest, type KubernetesTransport, OversizedAnswer } from './transport.ts';

/** Who we are in `metadata.managedFields`. */
export const fieldManager = 'haldane';

export interface WriteOptions {
  /** The server runs admission and validation and stores nothing. */
  readonly dryRun?: boolean;
  readonly timeout?: Millis;
}

export interface PatchOptions extends WriteOptions {
  readonly subresource?: Subresource;
  /** The write fails with KUBERNETES_CONFLICT unless the object is still at this version. */
  readonly resourceVersion?: string;
  /** The write fails unless it is still this object. */
  readonly uid?: string;
}

export interface DeleteOptions extends WriteOptions {
  readonly uid?: string;
  readonly resourceVersion?: string;
  readonly propagation?: 'Background' | 'Foreground' | 'Orphan';
}

/** RFC 6902. */
export type JsonPatchOperation =
  | { readonly op: 'add' | 'replace' | 'test'; readonly path: string; readonly value: unknown }
  | { readonly op: 'remove'; readonly path: string };

export interface ListOptions {
  /** All namespaces when absent. */
  readonly namespace?: string | undefined;
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
}

export interface Page {
  readonly items: readonly RawObject[];
  /** Version of the whole list; the same on every page. */
  readonly resourceVersion: string;
}

/**
 * Raw JSON reads and writes. Every method rejects with `OperatingError`; nothing is retried here.
 */
export interface KubernetesClient {
  get(ref: ObjectRef, signal: AbortSignal): Promise<RawObject>;
  /** Like `get`, but `undefined` when there is no such object. */
  find(ref: ObjectRef, signal: AbortSignal): Promise<RawObject | undefined>;
  /**
   * One consistent list from the storage, page by page; KUBERNETES_GONE when it took so long that
   * the version was compacted: start again and forget the pages seen.
   */
  list(resource: Resource, options: ListOptions, signal: AbortSignal): AsyncIterable<Page>;
  create(
    resource: Resource,
    namespace: string,
    body: unknown,
    options: WriteOptions,
    signal: AbortSignal,
  ): Promise<RawObject>;
  /** JSON merge patch (RFC 7386): `null` removes, arrays are replaced whole. */
  mergePatch(
    ref: ObjectRef,
    patch: object,
    options: PatchOptions,
    signal: AbortSignal,
  ): Promise<RawObject>;
  /**
   * A `test` or a path that does not fit rejects with KUBERNETES_CONFLICT, as a stale
   * resourceVersion does.
   */
  jsonPatch(
    ref: ObjectRef,
    operations: readonly JsonPatchOperation[],
    options: PatchOptions,
    signal: AbortSignal,
  ): Promise<RawObject>;
  deleteObject(ref: ObjectRef, options: DeleteOptions, signal: AbortSignal): Promise<void>;
}

/**
 * Objects of 250 KiB exist: 500 of them may exceed what one answer may hold, and the page shrinks.
 */
const pageLimit = 500;
const smallestPage = 10;

export const createClient = (transport: KubernetesTransport): KubernetesClient =>
  new RestClient(transport);

class RestClient implements KubernetesClient {
  readonly #transport: KubernetesTransport;

  constructor(transport: KubernetesTransport) {
    this.#transport = transport;
  }

  get(ref: ObjectRef, signal: AbortSignal): Promise<RawObject> {
    const request = { method: 'GET', path: objectPath(ref) } as const;
    return this.#sendForObject(request, `get ${describe(ref)}`, signal);
  }

  async find(ref: ObjectRef, signal: AbortSignal): Promise<RawObject | undefined> {
    try {
      return await this.get(ref, signal);
    } catch (error) {
      if (isOperatingError(error, 'KUBERNETES_NOT_FOUND')) return undefined;
      throw error;
    }
  }

  list(resource: Resource, options: ListOptions, signal: AbortSignal): AsyncIterable<Page> {
    const send: Send = (request, what, signal) => this.#send(request, what, signal);
    return listPages(send, resource, options, signal);
  }

  create(
    resource: Resource,
    namespace: string,
    body: unknown,
    options: WriteOptions,
    signal: AbortSignal,
  ): Promise<RawObject> {
    const path = collectionPath(resource, namespace);
    const request = { method: 'POST', path, body, ...writeFields(options) } as const;
    return this.#sendForObject(request, `create ${resource.kind} in ${namespace}`, signal);
  }

  mergePatch(
    ref: ObjectRef,
    patch: object,
    options: PatchOptions,
    signal: AbortSignal,
  ): Promise<RawObject> {
    const body = withPreconditions(patch, options);
    return this.#patch('application/merge-patch+json', ref, body, options, signal);
  }

  jsonPatch(
    ref: ObjectRef,
    operations: readonly JsonPatchOperation[],
    options: PatchOptions,
    signal: AbortSignal,
  ): Promise<RawObject> {
    const body = [...preconditionTests(options), ...operations];
    return this.#patch('application/json-patch+json', ref, body, options, signal);
  }

  async deleteObject(ref: ObjectRef, options: DeleteOptions, signal: AbortSignal): Promise<void> {
    const body = deleteBody(options);
    const request = {
      method: 'DELETE',
      path: objectPath(ref),
      body,
      ...timeoutOf(options),
    } as const;
    await this.#send(request, `delete ${describe(ref)}`, signal);
  }

  #patch(
    contentType: string,
    ref: ObjectRef,
    body: unknown,
    options: PatchOptions,
    signal: AbortSignal,
  ): Promise<RawObject> {
    const path = objectPath(ref, options.subresource);
    const request = { method: 'PATCH', path, contentType, body, ...writeFields(options) } as const;
    return this.#sendForObject(request, `patch ${describe(ref)}`, signal);
  }

  async #send(request: KubernetesRequest, what: string, signal: AbortSignal): Promise<unknown> {
    const answer = await this.#transport.request(request, signal);
    if (answer.status < 200 || answer.status > 299) throw statusError(answer, what);
    return answer.json;
  }

  async #sendForObject(
    request: KubernetesRequest,
    what: string,
    signal: AbortSignal,
  ): Promise<RawObject> {
    const json = await this.#send(request, what, signal);
    if (isStoredObject(json) || (isDryRun(request) && isRecord(json))) return json as RawObject;
    throw new OperatingError('KUBERNETES_UNAVAILABLE', `${what}: the answer is not an object`);
  }
}

type Send = (request: KubernetesRequest, what: string, signal: AbortSignal) => Promise<unknown>;

async function* listPages(
  send: Send,
  resource: Resource,
  options: ListOptions,
  signal: AbortSignal,
): AsyncGenerator<Page> {
  const path = collectionPath(resource, options.namespace);
  const { labelSelector, fieldSelector } = options;
  const what = `list ${resource.plural}`;
  let limit = pageLimit;
  let continueFrom: string | undefined;
  do {
    const query = { limit, continue: continueFrom, labelSelector, fieldSelector };
    let json: unknown;
    try {
      json = await send({ method: 'GET', path, query }, what, signal);
    } catch (error) {
      if (!(error instanceof OversizedAnswer) || limit <= smallestPage) throw error;
      limit = Math.max(smallestPage, Math.floor(limit / 8));
      continue;
    }
    const page = pageOf(json, what);
    yield page;
    continueFrom = page.continueFrom;
    if (continueFrom === undefined) return;
  } while (true);
}

function pageOf(json: unknown, what: string): Page & { readonly continueFrom: string | undefined } {
  const meta = isRecord(json) && isRecord(json['metadata']) ? json['metadata'] : {};
  const items: unknown = isRecord(json) ? (json['items'] ?? []) : undefined;
  const { resourceVersion, continue: next } = meta;
  if (!Array.isArray(items) || typeof resourceVersion !== 'string' || resourceVersion === '') {
    throw new OperatingError('KUBERNETES_UNAVAILABLE', `${what}: the answer is not a list`);
  }
  const continueFrom = typeof next === 'string' && next !== '' ? next : undefined;
  return { items: items.filter(isStoredObject), resourceVersion, continueFrom };
}

const writeFields = (options: WriteOptions) => ({
  query: { fieldManager, dryRun: options.dryRun === true ? 'All' : undefined },
  ...timeoutOf(options),
});

const isDryRun = (request: KubernetesRequest) => request.query?.['dryRun'] !== undefined;

const timeoutOf = (options: WriteOptions) =>
  options.timeout === undefined ? {} : { timeout: options.timeout };

function withPreconditions(body: object, options: PatchOptions): object {
  const { resourceVersion, uid } = options;
  if (resourceVersion === undefined && uid === undefined) return body;
  const metadata = isRecord(body) && isRecord(body['metadata']) ? body['metadata'] : {};
  return {
    ...body,
    metadata: {
      ...metadata,
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
      ...(uid === undefined ? {} : { uid }),
    },
  };
}

function preconditionTests(options: PatchOptions): JsonPatchOperation[] {
  return (['uid', 'resourceVersion'] as const).flatMap((field) => {
    const value = options[field];
    return value === undefined ? [] : [{ op: 'test' as const, path: `/metadata/${field}`, value }];
  });
}

function deleteBody(options: DeleteOptions): object {
  const { uid, resourceVersion } = options;
  const preconditions = {
    ...(uid === undefined ? {} : { uid }),
    ...(resourceVersion === undefined ? {} : { resourceVersion }),
  };
  return {
    apiVersion: 'v1',
    kind: 'DeleteOptions',
    propagationPolicy: options.propagation ?? 'Background',
    ...(Object.keys(preconditions).length === 0 ? {} : { preconditions }),
    ...(options.dryRun === true ? { dryRun: ['All'] } : {}),
  };
}

const describe = (ref: ObjectRef) =>
  `${ref.resource.kind} ${ref.namespace === undefined ? '' : `${ref.namespace}/`}${ref.name}`;
