/** A kind of object as the API server names it. */
export interface Resource {
  /** Empty for the core group. */
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly plural: string;
  readonly namespaced: boolean;
}

const resource = (group: string, version: string, kind: string, plural: string): Resource => ({
  group,
  version,
  kind,
  plural,
  namespaced: true,
});

/** Everything this program reads or writes; the RBAC manifest grants these and nothing else. */
export const resources = {
  deployments: resource('apps', 'v1', 'Deployment', 'deployments'),
  replicaSets: resource('apps', 'v1', 'ReplicaSet', 'replicasets'),
  services: resource('', 'v1', 'Service', 'services'),
  endpointSlices: resource('discovery.k8s.io', 'v1', 'EndpointSlice', 'endpointslices'),
  pods: resource('', 'v1', 'Pod', 'pods'),
  httpRoutes: resource('gateway.networking.k8s.io', 'v1', 'HTTPRoute', 'httproutes'),
  // Core events: `kubectl describe` prints their count and age, which it does not for events.k8s.io
  // series.
  events: resource('', 'v1', 'Event', 'events'),
  leases: resource('coordination.k8s.io', 'v1', 'Lease', 'leases'),
  horizontalPodAutoscalers: resource(
    'autoscaling',
    'v2',
    'HorizontalPodAutoscaler',
    'horizontalpodautoscalers',
  ),
} as const satisfies Record<string, Resource>;

export const apiVersionOf = (resource: Resource): string =>
  resource.group === '' ? resource.version : `${resource.group}/${resource.version}`;
