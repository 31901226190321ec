import type { Clock } from '../lib/clock.ts';
import { InvariantError } from '../lib/errors.ts';
import type { Random } from '../lib/random.ts';
import { createAdmission } from './admission.ts';
import { isAllowed } from './authorization.ts';
import { discover } from './discovery.ts';
import { tableOptions } from './endpoint.ts';
import { asArray, asObject, asString } from './json.ts';
import { selection } from './listing.ts';
import { ObjectApi } from './object-api.ts';
import { answerCollection, answerObject } from './object-endpoints.ts';
import { render } from './rendering.ts';
import {
  type ApiRequest,
  type ApiResponse,
  ok,
  PathReader,
  type RequestQuery,
  type ResourcePath,
  verbOf,
  wantsTable,
} from './request.ts';
import {
  apiVersionOf,
  builtInResources,
  type KubernetesObject,
  type Resource,
  type Target,
} from './resource.ts';
import { answerReview } from './reviews.ts';
import { ApiFailure, noSuchPath, qualified, statusBody } from './status.ts';
import { Store, type StoreImage } from './store.ts';
import { answerSubresource } from './subresource-endpoints.ts';
import type { Subscription, WatchSink } from './subscription.ts';
import { tableBody } from './table.ts';
import { TokenRegistry } from './tokens.ts';
import { WatchHub, type WatchOptions } from './watch-hub.ts';

export type ApiServerParts = {
  readonly clock: Clock;
  readonly random: Random;
  readonly historyLimit?: number;
  /** What is stored from the start. */
  readonly image?: StoreImage;
  /** Kinds beyond the built-in ones, stored as they come. */
  readonly extraResources?: readonly Resource[];
};

const reviewPath = /^\/apis\/(auth[a-z]+)\.k8s\.io\/v1\/(?:namespaces\/([^/]+)\/)?([a-z]+)$/;

/**
 * Kubernetes' API over one store: routing, authorization, reads and writes. Every call is
 * synchronous.
 */
export class ApiServer {
  readonly store: Store;
  readonly objects: ObjectApi;
  readonly tokens: TokenRegistry;
  readonly watches: WatchHub;
  readonly clock: Clock;
  readonly resources: readonly Resource[];
  /** By group and version, then by the plural. */
  readonly #served = new Map<string, Map<string, Resource>>();
  readonly #paths = new PathReader((groupVersion, plural) =>
    this.#served.get(groupVersion)?.get(plural),
  );

  constructor(parts: ApiServerParts) {
    this.clock = parts.clock;
    this.resources = [...builtInResources, ...(parts.extraResources ?? [])];
    for (const resource of this.resources) {
      const served = this.#served.get(apiVersionOf(resource)) ?? new Map<string, Resource>();
      this.#served.set(apiVersionOf(resource), served.set(resource.plural, resource));
    }
    const { historyLimit, image } = parts;
    this.store = new Store({
      ...(historyLimit === undefined ? {} : { historyLimit }),
      ...(image === undefined ? {} : { image }),
    });
    const admission = createAdmission(this.store, this.resource('v1', 'namespaces'));
    this.objects = new ObjectApi({
      store: this.store,
      clock: parts.clock,
      random: parts.random,
      admission,
    });
    this.tokens = new TokenRegistry(parts.random);
    this.watches = new WatchHub({ store: this.store, clock: parts.clock, random: parts.random });
  }

  /** A resource by `apps/v1` and `deployments`. */
  resource(groupVersion: string, plural: string): Resource {
    const found = this.#served.get(groupVersion)?.get(plural);
    if (found === undefined)
      throw new InvariantError(`the embedded server has no ${groupVersion}/${plural}`);
    return found;
  }

  /** Answers anything but a watch; failures become `Status` answers. */
  handle(request: ApiRequest): ApiResponse {
    try {
      return this.#answer(request);
    } catch (error) {
      return failureResponse(error);
    }
  }

  /** Starts a watch, or answers why it cannot start. */
  watch(
    request: ApiRequest,
    sink: WatchSink,
    options: WatchOptions = {},
  ): Subscription | ApiResponse {
    try {
      const path = this.#paths.read(request.path);
      if (path === undefined) throw noSuchPath();
      this.#authorize(request, path);
      const { resource, namespace, name } = path;
      const query = name === undefined ? request.query : ofOne(request.query, name);
      const wanted = selection(resource, query);
      const table = wantsTable(request);
      const shown: WatchSink = {
        event: (type, object) =>
          sink.event(
            type,
            table && type !== 'ERROR' && type !== 'BOOKMARK'
              ? tableBody(
                  resource,
                  [object as KubernetesObject],
                  {
                    resourceVersion: asString(asObject(object.metadata).resourceVersion),
                  },
                  tableOptions(request, this.clock),
                )
              : type === 'ERROR' || type === 'BOOKMARK'
                ? object
                : render(resource, object as KubernetesObject),
          ),
        end: () => sink.end(),
      };
      return this.watches.open({ resource, namespace, query, wanted, sink: shown }, options);
    } catch (error) {
      return failureResponse(error);
    }
  }

  /** Most paths have been asked for before, and name objects. */
  #answer(request: ApiRequest): ApiResponse {
    const known = this.#paths.known(request.path);
    return known === undefined ? this.#answerPath(request) : this.#answerResource(request, known);
  }

  #answerPath(request: ApiRequest): ApiResponse {
    const { method, path: url } = request;
    if (/^\/(healthz|livez|readyz)/.test(url)) return ok('ok');
    const review = method === 'POST' ? this.#review(request) : undefined;
    if (review !== undefined) return review;
    const document =
      method === 'GET' ? discover(url.replace(/\/$/, ''), this.resources) : undefined;
    if (document !== undefined) {
      this.#authorizePath(request);
      return ok(document);
    }
    const path = this.#paths.read(request.path);
    if (path === undefined) {
      this.#authorizePath(request);
      throw noSuchPath();
    }
    return this.#answerResource(request, path);
  }

  #answerResource(request: ApiRequest, path: ResourcePath): ApiResponse {
    this.#authorize(request, path);
    if (path.subresource !== undefined && !path.resource.subresources.includes(path.subresource))
      throw noSuchPath();
    const { resource, namespace, name, subresource } = path;
    if (name === undefined) return answerCollection(this, request, resource, namespace);
    const target: Target = {
      resource,
      namespace: namespace ?? '',
      name,
      subresource,
    };
    return subresource === undefined || subresource === 'status'
      ? answerObject(this, request, target)
      : answerSubresource(this, request, target);
  }

  #review(request: ApiRequest): ApiResponse | undefined {
    const match = reviewPath.exec(request.path);
    const plural = match?.[3];
    if (match === null || plural === undefined) return undefined;
    const body = asObject(request.body);
    const answer = answerReview(plural, body, request.user, this);
    if (answer === undefined) return undefined;
    this.#check(
      request,
      { verb: 'create', group: `${match[1] ?? ''}.k8s.io`, resource: plural, namespace: match[2] },
      plural,
    );
    return ok(answer, 201);
  }

  #authorizePath(request: ApiRequest): void {
    const verb = request.method.toLowerCase();
    if (!isAllowed(this.store, request.user, { verb, path: request.path }))
      throw new ApiFailure(
        403,
        'Forbidden',
        `forbidden: User "${request.user.name}" cannot ${verb} path "${request.path}"`,
        { details: {} },
      );
  }

  #authorize(request: ApiRequest, path: ResourcePath): void {
    const { resource, namespace, name, subresource } = path;
    const verb = verbOf(request.method, path, request.query);
    this.#check(
      request,
      {
        verb,
        group: resource.group,
        resource: resource.plural,
        namespace: resource.plural === 'namespaces' ? name : namespace,
        name,
        subresource,
      },
      qualified(resource),
    );
    // Apply may create what is not there.
  }

  #check(request: ApiRequest, wanted: Parameters<typeof isAllowed>[2], shown: string): void {
    if (isAllowed(this.store, request.user, wanted)) return;
    const { name, namespace, subresource, resource = '', group = '' } = wanted;
    const what = subresource === undefined ? resource : `${resource}/${subresource}`;
    const scope =
      namespace === undefined || resource === 'namespaces'
        ? 'at the cluster scope'
        : `in the namespace "${namespace}"`;
    throw new ApiFailure(
      403,
      'Forbidden',
      `${shown}${name === undefined ? '' : ` "${name}"`} is forbidden: User ` +
        `"${request.user.name}" cannot ${wanted.verb} resource "${what}" in API group ` +
        `"${group}" ${scope}`,
      {
        details: {
          ...(name === undefined ? {} : { name }),
          ...(group === '' ? {} : { group }),
          kind: asArray([resource])[0],
        },
      },
    );
  }
}

/** What asks for the watch of one object. */
const ofOne = (query: RequestQuery, name: string): RequestQuery => ({
  get: (key) => (key === 'fieldSelector' ? `metadata.name=${name}` : query.get(key)),
  has: (key) => key === 'fieldSelector' || query.has(key),
});

/** A failure as an answer; what is not one of ours is a bug and becomes a 500. */
export function failureResponse(error: unknown): ApiResponse {
  const failure =
    error instanceof ApiFailure
      ? error
      : new ApiFailure(
          500,
          'InternalError',
          'Internal error occurred: ' +
            (error instanceof Error ? (error.stack ?? error.message) : String(error)),
        );
  const headers: Record<string, string> =
    failure.retryAfterSeconds === undefined
      ? {}
      : { 'retry-after': String(failure.retryAfterSeconds) };
  return { status: failure.code, headers, body: statusBody(failure) };
}
