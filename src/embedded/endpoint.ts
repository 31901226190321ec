import type { Clock } from '../lib/clock.ts';
import { isObject, type Json, type JsonObject } from './json.ts';
import type { ObjectApi, WriteOptions } from './object-api.ts';
import { render } from './rendering.ts';
import { type ApiRequest, managerOf, wantsTable } from './request.ts';
import { apiVersionOf, type KubernetesObject, type Resource, type Target } from './resource.ts';
import { ApiFailure, badRequest } from './status.ts';
import type { Store } from './store.ts';
import { type TableOptions, tableBody } from './table.ts';
import type { TokenRegistry } from './tokens.ts';

/** What answering a request needs. */
export type EndpointParts = {
  readonly store: Store;
  readonly objects: ObjectApi;
  readonly tokens: TokenRegistry;
  readonly clock: Clock;
};

export const withoutSubresource = ({ resource, namespace, name }: Target): Target => ({
  resource,
  namespace,
  name,
});

export const tableOptions = (request: ApiRequest, clock: Clock): TableOptions => ({
  includeObject: request.query.get('includeObject') ?? 'Metadata',
  now: clock.now(),
});

/**
 * Reads the parameters of a write; `headers` fill up with warnings while it is performed. @throws
 * ApiFailure 422
 */
export function writeOptions(request: ApiRequest): {
  options: WriteOptions;
  headers: Readonly<Record<string, string>>;
} {
  const { query } = request;
  const dryRun = query.get('dryRun');
  if (dryRun !== null && dryRun !== 'All')
    throw new ApiFailure(
      422,
      'Invalid',
      'PatchOptions.meta.k8s.io "" is invalid: dryRun: Unsupported value: ' +
        `["${dryRun}"]: supported values: "All"`,
    );
  const validation = query.get('fieldValidation');
  const headers: Record<string, string> = {};
  const warn = (message: string) => {
    const line = `299 - ${JSON.stringify(message)}`;
    headers['warning'] = headers['warning'] === undefined ? line : `${headers['warning']}, ${line}`;
  };
  const options: WriteOptions = {
    manager: managerOf(request),
    dryRun: dryRun === 'All',
    force: query.get('force') === 'true',
    warn,
    fieldValidation: validation === 'Strict' || validation === 'Ignore' ? validation : 'Warn',
  };
  return { options, headers };
}

/** The object in a body, of the kind that the path names. @throws ApiFailure 400 */
export function bodyOf({ body }: ApiRequest, resource: Resource): JsonObject {
  if (!isObject(body)) throw badRequest('the body of the request must be a JSON object');
  if (body.kind !== undefined && body.kind !== resource.kind)
    throw badRequest(
      `${String(body.kind)} in version "${resource.version}" cannot be handled as a ` +
        resource.kind,
    );
  if (body.apiVersion !== undefined && body.apiVersion !== apiVersionOf(resource))
    throw badRequest(
      `the API version in the data (${String(body.apiVersion)}) does not match the ` +
        `expected API version (${apiVersionOf(resource)})`,
    );
  return body;
}

/** An object in the form the client asked for. */
export function shown(
  { clock }: EndpointParts,
  request: ApiRequest,
  resource: Resource,
  object: KubernetesObject,
): Json {
  if (!wantsTable(request)) return render(resource, object);
  return tableBody(
    resource,
    [object],
    { resourceVersion: object.metadata.resourceVersion },
    tableOptions(request, clock),
  );
}
