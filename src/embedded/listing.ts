import { asObject, type JsonObject } from './json.ts';
import type { RequestQuery } from './request.ts';
import { type KubernetesObject, type Resource, storageKey } from './resource.ts';
import { parseFieldSelector, parseLabelSelector } from './selectors.ts';
import { ApiFailure, badRequest, expired } from './status.ts';
import type { Store } from './store.ts';

export type Page = {
  readonly items: readonly KubernetesObject[];
  readonly resourceVersion: string;
  readonly continue: string | undefined;
  readonly remaining: number | undefined;
};

type Token = { readonly v: 'meta.k8s.io/v1'; readonly rv: number; readonly start: string };

/**
 * Whether an object is wanted by the `labelSelector` and `fieldSelector` parameters. @throws
 * ApiFailure 400
 */
export function selection(
  resource: Resource,
  query: RequestQuery,
): (object: KubernetesObject) => boolean {
  const labels = parseLabelSelector(query.get('labelSelector'));
  const fields = parseFieldSelector(query.get('fieldSelector'), resource);
  return (object) => labels(object.metadata.labels) && fields(object);
}

/**
 * One page of a list. All pages of a list show the state of one revision.
 * @param view  revision that a lagging reader sees where the request does not ask for the newest
 * state
 */
export function listPage(
  store: Store,
  resource: Resource,
  namespace: string | undefined,
  query: RequestQuery,
  view?: number,
): Page {
  const limit = Number(query.get('limit') ?? 0);
  const token = readToken(query.get('continue'));
  const revision = token?.rv ?? askedRevision(store, query) ?? view ?? store.revision;
  const all = store.listAt(storageKey(resource), revision, namespace);
  if (all === undefined)
    throw expired(
      token === undefined
        ? `The resourceVersion for the provided list is too old.`
        : 'The provided continue parameter is too old to display a consistent list ' +
            'result. You can start a new list without the continue parameter.',
    );
  const wanted = all.filter(selection(resource, query));
  const rest =
    token === undefined ? wanted : wanted.filter((object) => place(object) >= token.start);
  const page = limit > 0 ? rest.slice(0, limit) : rest;
  const next = rest[page.length];
  const selected = query.has('labelSelector') || query.has('fieldSelector');
  return {
    items: page,
    resourceVersion: String(revision),
    continue:
      next === undefined
        ? undefined
        : writeToken({ v: 'meta.k8s.io/v1', rv: revision, start: place(next) }),
    remaining: next === undefined || selected ? undefined : rest.length - page.length,
  };
}

const place = ({ metadata }: KubernetesObject) => `${metadata.namespace ?? ''}/${metadata.name}`;

/** The exact revision that `resourceVersionMatch=Exact` asks for. */
function askedRevision(store: Store, query: RequestQuery): number | undefined {
  const text = query.get('resourceVersion');
  if (text === null || text === '' || text === '0') return undefined;
  const revision = readRevision(text);
  if (revision > store.revision)
    throw new ApiFailure(
      504,
      'Timeout',
      `Too large resource version: ${revision}, current: ${store.revision}`,
      {
        details: {
          causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
          retryAfterSeconds: 1,
        },
        retryAfterSeconds: 1,
      },
    );
  return query.get('resourceVersionMatch') === 'Exact' ? revision : undefined;
}

/** @throws ApiFailure 400 */
export function readRevision(text: string): number {
  if (!/^\d+$/.test(text)) throw badRequest(`invalid resource version: ${JSON.stringify(text)}`);
  return Number(text);
}

const writeToken = (token: Token): string => btoa(JSON.stringify(token)).replaceAll('=', '');

function readToken(text: string | null): Token | undefined {
  if (text === null || text === '') return undefined;
  try {
    const token = JSON.parse(atob(text)) as Token;
    if (token.v === 'meta.k8s.io/v1') return token;
  } catch {
    // Not one of ours: answered below.
  }
  throw badRequest('continue key is not valid');
}

/** A list as clients get it; items of built-in kinds carry no kind and apiVersion of their own. */
export function listBody(
  resource: Resource,
  page: Page,
  render: (object: KubernetesObject) => JsonObject,
): JsonObject {
  const apiVersion =
    resource.group === '' ? resource.version : `${resource.group}/${resource.version}`;
  return {
    kind: `${resource.kind}List`,
    apiVersion,
    metadata: {
      resourceVersion: page.resourceVersion,
      ...(page.continue === undefined ? {} : { continue: page.continue }),
      ...(page.remaining === undefined ? {} : { remainingItemCount: page.remaining }),
    },
    items: page.items.map((item) => {
      if (resource.custom) return render(item);
      const { kind: _kind, apiVersion: _version, ...rest } = render(item);
      return asObject(rest);
    }),
  };
}
