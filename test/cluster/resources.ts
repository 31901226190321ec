/** API group and version of each kind the tests use, by plural name. */
const groups = {
  namespaces: 'api/v1',
  nodes: 'api/v1',
  pods: 'api/v1',
  services: 'api/v1',
  events: 'api/v1',
  configmaps: 'api/v1',
  secrets: 'api/v1',
  serviceaccounts: 'api/v1',
  deployments: 'apis/apps/v1',
  replicasets: 'apis/apps/v1',
  leases: 'apis/coordination.k8s.io/v1',
  endpointslices: 'apis/discovery.k8s.io/v1',
  httproutes: 'apis/gateway.networking.k8s.io/v1',
  gateways: 'apis/gateway.networking.k8s.io/v1',
  gatewayclasses: 'apis/gateway.networking.k8s.io/v1',
  ingresses: 'apis/networking.k8s.io/v1',
  ingressclasses: 'apis/networking.k8s.io/v1',
  horizontalpodautoscalers: 'apis/autoscaling/v2',
  poddisruptionbudgets: 'apis/policy/v1',
  clusterroles: 'apis/rbac.authorization.k8s.io/v1',
  clusterrolebindings: 'apis/rbac.authorization.k8s.io/v1',
  roles: 'apis/rbac.authorization.k8s.io/v1',
  rolebindings: 'apis/rbac.authorization.k8s.io/v1',
  customresourcedefinitions: 'apis/apiextensions.k8s.io/v1',
  mutatingadmissionpolicies: 'apis/admissionregistration.k8s.io/v1',
  mutatingadmissionpolicybindings: 'apis/admissionregistration.k8s.io/v1',
} as const;

export type Plural = keyof typeof groups;

/** Path of a namespaced object, of a collection (no name), or of a subresource. */
export function namespaced(plural: Plural, namespace: string, name?: string, sub?: string): string {
  const tail = [name, sub].filter((part) => part !== undefined).join('/');
  return `/${groups[plural]}/namespaces/${namespace}/${plural}${tail === '' ? '' : `/${tail}`}`;
}

/** Path of an object without a namespace, or of all objects of a kind in all namespaces. */
export function clusterWide(plural: Plural, name?: string): string {
  return `/${groups[plural]}/${plural}${name === undefined ? '' : `/${name}`}`;
}
