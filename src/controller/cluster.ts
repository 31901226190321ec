import type { KubernetesClient } from '../kubernetes/client.ts';
import {
  deploymentView,
  endpointSliceView,
  podView,
  replicaSetView,
  serviceView,
} from '../kubernetes/objects.ts';
import type { RawObject } from '../kubernetes/raw-object.ts';
import { createReflector, type Reflector, type ReflectorNotice } from '../kubernetes/reflector.ts';
import { type Resource, resources } from '../kubernetes/resources.ts';
import {
  createStore,
  type GoneObject,
  type Store,
  type WritableStore,
} from '../kubernetes/store.ts';
import type { KubernetesTransport } from '../kubernetes/transport.ts';
import type { Clock } from '../lib/clock.ts';
import type { Random } from '../lib/random.ts';
import type { Millis } from '../lib/units.ts';
import type {
  DeploymentView,
  EndpointSliceView,
  PodView,
  ReplicaSetView,
  ServiceView,
} from '../rollout/views.ts';
import { gatewayApi } from '../traffic-providers/gateway-api.ts';

/** A route as the cache keeps it: raw, because what we patch is computed from all of it. */
export interface CachedRoute {
  readonly kind: 'httproute';
  readonly namespace: string;
  readonly name: string;
  readonly services: readonly string[];
  readonly raw: RawObject;
}

/** Everything that is watched. Reads never leave the process. */
export interface Cluster {
  readonly deployments: Store<DeploymentView, 'uid'>;
  readonly replicaSets: Store<ReplicaSetView, 'deployment'>;
  readonly services: Store<ServiceView>;
  readonly endpointSlices: Store<EndpointSliceView, 'service'>;
  readonly pods: Store<PodView, 'revision'>;
  readonly routes: Store<CachedRoute>;
  /** Grows with each change of any of them: two looks at the same number see the same. */
  changes(): number;
}

export interface WatchedCluster {
  readonly cluster: Cluster;
  readonly reflectors: readonly NamedReflector[];
  /** Feeds the answer of a write of ours to the store of its kind. */
  accept(raw: RawObject): void;
  /** As `Store.beginRead`, of the store of this kind. */
  beginRead(kind: string): (raw: RawObject) => void;
  /** As `Store.forget`, of the store of this kind. */
  forget(kind: string, gone: GoneObject): void;
}

/** Several watch one resource where only some namespaces are watched. */
export interface NamedReflector extends Pick<Reflector, 'synced'> {
  readonly resource: string;
  readonly run: Reflector['run'];
  readonly staleness: () => Millis;
}

export interface ClusterOptions {
  readonly client: KubernetesClient;
  readonly transport: KubernetesTransport;
  readonly clock: Clock;
  readonly random: Random;
  /** Empty: all namespaces. */
  readonly namespaces: readonly string[];
  readonly onNotice: (notice: ReflectorNotice) => void;
  readonly onProblem: (problem: { readonly key: string; readonly message: string }) => void;
}

/** `namespace/value`: index keys never join objects of two namespaces (S8). */
export const within = (namespace: string, value: string): string => `${namespace}/${value}`;

export function watchCluster(options: ClusterOptions): WatchedCluster {
  const { onProblem } = options;
  const deployments = createStore<DeploymentView, 'uid'>({
    project: deploymentView,
    indexes: { uid: (deployment) => [deployment.uid] },
    onProblem,
  });
  const replicaSets = createStore<ReplicaSetView, 'deployment'>({
    project: replicaSetView,
    indexes: {
      deployment: ({ ownerUids }) => ownerUids,
    },
    onProblem,
  });
  const services = createStore<ServiceView>({ project: serviceView, onProblem });
  const endpointSlices = createStore<EndpointSliceView, 'service'>({
    project: endpointSliceView,
    indexes: { service: ({ namespace, service }) => [within(namespace, service)] },
    onProblem,
  });
  const pods = createStore<PodView, 'revision'>({
    project: podView,
    indexes: {
      revision: ({ namespace, podHash }) =>
        podHash === undefined ? [] : [within(namespace, podHash)],
    },
    onProblem,
  });
  const routes = createStore<CachedRoute>({ project: cachedRoute, onProblem });
  const all = [
    [resources.deployments, deployments],
    [resources.replicaSets, replicaSets],
    [resources.services, services],
    [resources.endpointSlices, endpointSlices],
    [resources.pods, pods],
    [resources.httpRoutes, routes],
  ] as const;
  const byKind = new Map<string, WritableStore<unknown, never>>(
    all.map(([resource, store]) => [resource.kind, store as WritableStore<unknown, never>]),
  );
  const changes = () => all.reduce((sum, [, store]) => sum + store.changes, 0);
  return {
    cluster: { deployments, replicaSets, services, endpointSlices, pods, routes, changes },
    reflectors: all.flatMap(([resource, store]) => reflect(resource, store as never, options)),
    accept: (raw) => byKind.get(raw.kind ?? '')?.accept(raw),
    beginRead: (kind) => byKind.get(kind)?.beginRead() ?? (() => undefined),
    forget: (kind, gone) => byKind.get(kind)?.forget(gone),
  };
}

function reflect(
  resource: Resource,
  store: WritableStore<unknown>,
  options: ClusterOptions,
): NamedReflector[] {
  const { client, transport, clock, random, onNotice } = options;
  const namespaces = options.namespaces.length === 0 ? [undefined] : options.namespaces;
  return namespaces.map((namespace) => {
    const reflector = createReflector({
      resource,
      store,
      client,
      transport,
      clock,
      random,
      namespace,
      onNotice,
      // Without Gateway API in the cluster there are no routes, which is then said of each
      // Deployment.
      optional: resource === resources.httpRoutes,
    });
    return {
      resource: resource.plural,
      synced: reflector.synced,
      run: (signal) => reflector.run(signal),
      staleness: () => reflector.staleness(),
    };
  });
}

function cachedRoute(raw: RawObject): CachedRoute {
  const { namespace = '', name, managedFields: _managed, ...metadata } = raw.metadata;
  return {
    kind: 'httproute',
    namespace,
    name,
    services: gatewayApi.services(raw),
    raw: { ...raw, metadata: { ...metadata, name, namespace } },
  };
}
