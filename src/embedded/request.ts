import type { User } from './authorization.ts';
import type { Json, JsonObject } from './json.ts';
import type { Resource } from './resource.ts';
import { noSuchPath } from './status.ts';

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** The parameters of a request, read one by one: as a URL has them, or a client of our own. */
export type RequestQuery = Pick<URLSearchParams, 'get' | 'has'>;

export type ApiRequest = {
  readonly method: Method;
  /** Without the query. */
  readonly path: string;
  readonly query: RequestQuery;
  readonly user: User;
  readonly userAgent?: string;
  readonly contentType?: string | undefined;
  readonly accept?: string | undefined;
  readonly body?: Json | undefined;
  /** Revision that a lagging client sees in lists and reads; the newest if absent. */
  readonly view?: number | undefined;
};

export type ApiResponse = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Json;
};

/** A path under /api or /apis, taken apart. */
export type ResourcePath = {
  readonly resource: Resource;
  /** `undefined` on cluster-wide paths. */
  readonly namespace: string | undefined;
  readonly name: string | undefined;
  readonly subresource: string | undefined;
};

/** Clients ask for the same few objects again and again: that many paths are kept. */
const pathLimit = 500;

type FindResource = (groupVersion: string, plural: string) => Resource | undefined;

/** Reads paths as `parsePath` does, those it has read before at once. */
export class PathReader {
  readonly #find: FindResource;
  readonly #known = new Map<string, ResourcePath>();

  constructor(find: FindResource) {
    this.#find = find;
  }

  /** What a path names that was read before. */
  known(path: string): ResourcePath | undefined {
    return this.#known.get(path);
  }

  /** @throws ApiFailure 404 */
  read(path: string): ResourcePath | undefined {
    const before = this.#known.get(path);
    if (before !== undefined) return before;
    const found = parsePath(path, this.#find);
    if (this.#known.size >= pathLimit) this.#known.clear();
    if (found !== undefined) this.#known.set(path, found);
    return found;
  }
}

const namespaceSubresources = new Set(['status', 'finalize']);

/**
 * Finds the resource that a path names; `undefined` for paths of another form. @throws ApiFailure
 * 404
 */
function parsePath(path: string, find: FindResource): ResourcePath | undefined {
  const parts = path.split('/').filter((segment) => segment !== '');
  const segments = path.includes('%') ? parts.map(decodeURIComponent) : parts;
  const core = segments[0] === 'api';
  if (!core && segments[0] !== 'apis') return undefined;
  const groupVersion = core ? segments[1] : `${segments[1] ?? ''}/${segments[2] ?? ''}`;
  const rest = segments.slice(core ? 2 : 3);
  if (groupVersion === undefined || rest.length === 0) return undefined;
  const inNamespace =
    rest[0] === 'namespaces' &&
    rest.length >= 3 &&
    !(core && namespaceSubresources.has(rest[2] ?? ''));
  const [plural, name, ...more] = inNamespace ? rest.slice(2) : rest;
  const resource = find(groupVersion, plural ?? '');
  if (resource === undefined || more.length > 1) throw noSuchPath();
  if (resource.namespaced !== inNamespace && (inNamespace || name !== undefined))
    throw noSuchPath();
  return { resource, namespace: inNamespace ? rest[1] : undefined, name, subresource: more[0] };
}

/** The verb that authorization knows a request by. */
export function verbOf(method: Method, path: ResourcePath, query: RequestQuery): string {
  switch (method) {
    case 'GET':
      return path.name === undefined ? (isWatch(query) ? 'watch' : 'list') : 'get';
    case 'POST':
      return 'create';
    case 'PUT':
      return 'update';
    case 'PATCH':
      return 'patch';
    case 'DELETE':
      return path.name === undefined ? 'deletecollection' : 'delete';
  }
}

export const isWatch = (query: RequestQuery): boolean =>
  query.get('watch') === 'true' || query.get('watch') === '1';

/** The product name of a User-Agent: the default field manager. */
export const managerOf = ({ query, userAgent = '' }: ApiRequest): string =>
  query.get('fieldManager') ?? (userAgent.split('/')[0]?.trim() || 'unknown');

export const ok = (
  body: Json,
  status = 200,
  headers: Readonly<Record<string, string>> = {},
): ApiResponse => ({ status, headers, body });

export const wantsTable = (request: ApiRequest): boolean =>
  request.accept !== undefined && /as=Table/.test(request.accept);

export type JsonBody = JsonObject;
