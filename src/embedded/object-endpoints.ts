import { deleteObject, readDeleteOptions } from './deletion.ts';
import { bodyOf, type EndpointParts, shown, tableOptions, writeOptions } from './endpoint.ts';
import { asObject } from './json.ts';
import { listBody, listPage } from './listing.ts';
import { patchTypeOf } from './patching.ts';
import { render, toCoreEvent } from './rendering.ts';
import { type ApiRequest, type ApiResponse, isWatch, ok, wantsTable } from './request.ts';
import {
  type KubernetesObject,
  perResource,
  type Resource,
  storageKey,
  type Target,
} from './resource.ts';
import { ApiFailure, badRequest, methodNotAllowed, notFound } from './status.ts';
import { tableBody } from './table.ts';

/** Answers requests on a collection: list, create, delete all. @throws ApiFailure */
export function answerCollection(
  parts: EndpointParts,
  request: ApiRequest,
  resource: Resource,
  namespace: string | undefined,
): ApiResponse {
  switch (request.method) {
    case 'GET':
      return list(parts, request, resource, namespace);
    case 'POST':
      return create(parts, request, resource, namespace);
    case 'DELETE':
      return deleteAll(parts, request, resource, namespace);
    default:
      throw methodNotAllowed();
  }
}

function list(
  parts: EndpointParts,
  request: ApiRequest,
  resource: Resource,
  namespace: string | undefined,
): ApiResponse {
  if (isWatch(request.query)) throw badRequest('a watch cannot be answered at once');
  const page = listPage(parts.store, resource, namespace, request.query, request.view);
  const body = listBody(resource, page, (object) => render(resource, object));
  if (!wantsTable(request)) return ok(body);
  return ok(
    tableBody(resource, page.items, asObject(body.metadata), tableOptions(request, parts.clock)),
  );
}

const coreForm = perResource((resource): Resource => ({ ...resource, group: '', version: 'v1' }));

function create(
  parts: EndpointParts,
  request: ApiRequest,
  resource: Resource,
  namespace: string | undefined,
): ApiResponse {
  if (resource.namespaced && namespace === undefined) throw methodNotAllowed();
  const { options, headers } = writeOptions(request);
  const sent = bodyOf(request, resource);
  // Events are kept in their core form, whichever group they come through.
  const body = resource.storedAs === undefined ? sent : toCoreEvent(sent);
  const kept = resource.storedAs === undefined ? resource : coreForm(resource);
  const created = parts.objects.create(kept, namespace ?? '', body, options);
  return ok(shown(parts, request, resource, created), 201, headers);
}

function deleteAll(
  parts: EndpointParts,
  request: ApiRequest,
  resource: Resource,
  namespace: string | undefined,
): ApiResponse {
  const options = readDeleteOptions(asObject(request.body), request.query);
  const { items } = listPage(parts.store, resource, namespace, request.query);
  for (const { metadata } of items)
    deleteObject(
      parts.objects,
      { resource, namespace: metadata.namespace ?? '', name: metadata.name },
      options,
    );
  const page = {
    items,
    resourceVersion: String(parts.store.revision),
    continue: undefined,
    remaining: undefined,
  };
  return ok(listBody(resource, page, (object) => render(resource, object)));
}

/** Answers requests on one object or its status. @throws ApiFailure */
export function answerObject(
  parts: EndpointParts,
  request: ApiRequest,
  target: Target,
): ApiResponse {
  const { resource } = target;
  switch (request.method) {
    case 'GET':
      return ok(shown(parts, request, resource, read(parts, request, target)));
    case 'PUT': {
      const { options, headers } = writeOptions(request);
      const stored = parts.objects.update(target, bodyOf(request, resource), options);
      return ok(shown(parts, request, resource, stored), 200, headers);
    }
    case 'PATCH':
      return patch(parts, request, target);
    case 'DELETE':
      return remove(parts, request, target);
    case 'POST':
      throw methodNotAllowed();
  }
}

/** The object as this client sees it: a lagging one may still see an older state. */
function read(
  { objects, store }: EndpointParts,
  { view }: ApiRequest,
  target: Target,
): KubernetesObject {
  if (view === undefined || view >= store.revision) return objects.get(target);
  const { resource, namespace, name } = target;
  const old = store
    .listAt(storageKey(resource), view, namespace)
    ?.find((object) => object.metadata.name === name);
  if (old === undefined) throw notFound(resource, name);
  return old;
}

function patch(parts: EndpointParts, request: ApiRequest, target: Target): ApiResponse {
  const { resource } = target;
  const { options, headers } = writeOptions(request);
  const type = patchTypeOf(request.contentType, resource);
  const isNew = type === 'apply' && parts.objects.find(target) === undefined;
  if (type === 'apply' && request.query.get('fieldManager') === null)
    throw new ApiFailure(
      422,
      'Invalid',
      'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is ' +
        'required for apply patch',
    );
  const changed = parts.objects.patch(target, type, request.body ?? null, options);
  return ok(shown(parts, request, resource, changed), isNew ? 201 : 200, headers);
}

function remove(parts: EndpointParts, request: ApiRequest, target: Target): ApiResponse {
  const options = readDeleteOptions(asObject(request.body), request.query);
  const { object, gone } = deleteObject(parts.objects, target, options);
  const { resource, name } = target;
  if (!gone || resource.kind === 'Pod')
    return ok(render(resource, object), !gone && options.propagation === 'Foreground' ? 202 : 200);
  const group = resource.group === '' ? {} : { group: resource.group };
  return ok({
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Success',
    details: { name, ...group, kind: resource.plural, uid: object.metadata.uid },
  });
}
