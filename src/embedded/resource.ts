import type { Json, JsonObject } from './json.ts';

export type StringMap = { readonly [key: string]: string };

export type OwnerReference = {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
  readonly controller?: boolean;
  readonly blockOwnerDeletion?: boolean;
};

export type ManagedFieldsEntry = {
  readonly manager: string;
  readonly operation: 'Apply' | 'Update';
  readonly apiVersion: string;
  readonly time: string;
  readonly fieldsType: 'FieldsV1';
  readonly fieldsV1: JsonObject;
  readonly subresource?: string;
};

/** Fields of the metadata that no client sets: they come from the server. */
export const serverWritten = [
  'name',
  'namespace',
  'uid',
  'resourceVersion',
  'generation',
  'creationTimestamp',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
  'selfLink',
] as const;

export type ObjectMeta = {
  readonly name: string;
  readonly generateName?: string;
  readonly namespace?: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly generation?: number;
  readonly creationTimestamp: string;
  readonly deletionTimestamp?: string;
  readonly deletionGracePeriodSeconds?: number;
  readonly labels?: StringMap;
  readonly annotations?: StringMap;
  readonly ownerReferences?: readonly OwnerReference[];
  readonly finalizers?: readonly string[];
  readonly managedFields?: readonly ManagedFieldsEntry[];
};

/** An object as it lies in the store. */
export type KubernetesObject = {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: ObjectMeta;
  readonly spec?: Json;
  readonly status?: Json;
};

/** What makes `metadata.generation` rise. */
export type GenerationRule = 'none' | 'spec' | 'spec-or-annotations' | 'all-but-metadata';

export type Resource = {
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly singular: string;
  readonly kind: string;
  readonly namespaced: boolean;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly subresources: readonly string[];
  readonly generation: GenerationRule;
  /**
   * Defined by a CustomResourceDefinition in a real cluster: no strategic merge, schema defaults.
   */
  readonly custom: boolean;
  /** Writes without a resourceVersion may replace the object. */
  readonly unconditionalUpdate: boolean;
  /** Field selectors beyond metadata.name and metadata.namespace. */
  readonly fieldSelectors: readonly string[];
  /** The same objects under another group: events.k8s.io serves core events. */
  readonly storedAs?: string;
};

/** One object, or one of its subresources. */
export type Target = {
  readonly resource: Resource;
  readonly namespace: string;
  readonly name: string;
  readonly subresource?: string | undefined;
};

/** What follows from a resource alone, worked out once: resources are few and never change. */
export function perResource<T extends object | string>(
  work: (resource: Resource) => T,
): (resource: Resource) => T {
  const known = new WeakMap<Resource, T>();
  return (resource) => {
    let found = known.get(resource);
    if (found === undefined) known.set(resource, (found = work(resource)));
    return found;
  };
}

export const apiVersionOf = perResource(({ group, version }) =>
  group === '' ? version : `${group}/${version}`,
);

/** `apps/deployments`: one place in the store per resource, whatever the version. */
export const storageKey = perResource(
  ({ storedAs, group, plural }) => storedAs ?? `${group}/${plural}`,
);

type Row = Partial<Omit<Resource, 'group' | 'version' | 'plural' | 'kind'>>;

export function resource(
  groupVersion: string,
  plural: string,
  kind: string,
  row: Row = {},
): Resource {
  const [group, version] = groupVersion.includes('/')
    ? (groupVersion.split('/') as [string, string])
    : ['', groupVersion];
  return {
    group,
    version,
    plural,
    kind,
    singular: kind.toLowerCase(),
    namespaced: true,
    shortNames: [],
    categories: [],
    subresources: [],
    generation: 'none',
    custom: false,
    unconditionalUpdate: true,
    fieldSelectors: [],
    ...row,
  };
}

const workload: Row = {
  categories: ['all'],
  subresources: ['status', 'scale'],
  generation: 'spec',
};
const custom: Row = {
  custom: true,
  generation: 'all-but-metadata',
  subresources: ['status'],
  unconditionalUpdate: false,
};
const cluster: Row = { namespaced: false };
const eventFields = [
  'involvedObject.kind',
  'involvedObject.namespace',
  'involvedObject.name',
  'involvedObject.uid',
  'involvedObject.apiVersion',
  'involvedObject.resourceVersion',
  'involvedObject.fieldPath',
  'reason',
  'reportingComponent',
  'source',
  'type',
];
const podFields = [
  'spec.nodeName',
  'spec.restartPolicy',
  'spec.schedulerName',
  'spec.serviceAccountName',
  'spec.hostNetwork',
  'status.phase',
  'status.podIP',
  'status.nominatedNodeName',
];

/** Everything the embedded API server serves out of the box. */
export const builtInResources: readonly Resource[] = [
  resource('v1', 'namespaces', 'Namespace', {
    ...cluster,
    shortNames: ['ns'],
    subresources: ['status', 'finalize'],
    fieldSelectors: ['status.phase'],
  }),
  resource('v1', 'nodes', 'Node', {
    ...cluster,
    shortNames: ['no'],
    subresources: ['status'],
    fieldSelectors: ['spec.unschedulable'],
  }),
  resource('v1', 'pods', 'Pod', {
    shortNames: ['po'],
    categories: ['all'],
    subresources: ['status', 'binding', 'eviction'],
    generation: 'spec',
    fieldSelectors: podFields,
  }),
  resource('v1', 'services', 'Service', {
    shortNames: ['svc'],
    categories: ['all'],
    subresources: ['status'],
    fieldSelectors: ['spec.clusterIP', 'spec.type'],
  }),
  resource('v1', 'endpoints', 'Endpoints', { shortNames: ['ep'] }),
  resource('v1', 'events', 'Event', { shortNames: ['ev'], fieldSelectors: eventFields }),
  resource('v1', 'configmaps', 'ConfigMap', { shortNames: ['cm'] }),
  resource('v1', 'secrets', 'Secret', { fieldSelectors: ['type'] }),
  resource('v1', 'serviceaccounts', 'ServiceAccount', {
    shortNames: ['sa'],
    subresources: ['token'],
  }),
  resource('apps/v1', 'deployments', 'Deployment', {
    ...workload,
    shortNames: ['deploy'],
    generation: 'spec-or-annotations',
  }),
  resource('apps/v1', 'replicasets', 'ReplicaSet', {
    ...workload,
    shortNames: ['rs'],
    fieldSelectors: ['status.replicas'],
  }),
  resource('apps/v1', 'statefulsets', 'StatefulSet', { ...workload, shortNames: ['sts'] }),
  resource('apps/v1', 'daemonsets', 'DaemonSet', {
    ...workload,
    shortNames: ['ds'],
    subresources: ['status'],
  }),
  resource('autoscaling/v2', 'horizontalpodautoscalers', 'HorizontalPodAutoscaler', {
    shortNames: ['hpa'],
    categories: ['all'],
    subresources: ['status'],
  }),
  resource('policy/v1', 'poddisruptionbudgets', 'PodDisruptionBudget', {
    shortNames: ['pdb'],
    subresources: ['status'],
    generation: 'spec',
    unconditionalUpdate: false,
  }),
  resource('discovery.k8s.io/v1', 'endpointslices', 'EndpointSlice', {
    generation: 'all-but-metadata',
  }),
  resource('events.k8s.io/v1', 'events', 'Event', {
    shortNames: ['ev'],
    storedAs: '/events',
    fieldSelectors: eventFields,
  }),
  resource('coordination.k8s.io/v1', 'leases', 'Lease', { unconditionalUpdate: false }),
  resource('networking.k8s.io/v1', 'networkpolicies', 'NetworkPolicy', {
    shortNames: ['netpol'],
    generation: 'spec',
  }),
  resource('rbac.authorization.k8s.io/v1', 'roles', 'Role'),
  resource('rbac.authorization.k8s.io/v1', 'rolebindings', 'RoleBinding'),
  resource('rbac.authorization.k8s.io/v1', 'clusterroles', 'ClusterRole', cluster),
  resource('rbac.authorization.k8s.io/v1', 'clusterrolebindings', 'ClusterRoleBinding', cluster),
  resource(
    'admissionregistration.k8s.io/v1',
    'mutatingadmissionpolicies',
    'MutatingAdmissionPolicy',
    { ...cluster, generation: 'spec', unconditionalUpdate: false },
  ),
  resource(
    'admissionregistration.k8s.io/v1',
    'mutatingadmissionpolicybindings',
    'MutatingAdmissionPolicyBinding',
    { ...cluster, generation: 'spec', unconditionalUpdate: false },
  ),
  resource('gateway.networking.k8s.io/v1', 'gatewayclasses', 'GatewayClass', {
    ...custom,
    ...cluster,
    shortNames: ['gc'],
    categories: ['gateway-api'],
  }),
  resource('gateway.networking.k8s.io/v1', 'gateways', 'Gateway', {
    ...custom,
    shortNames: ['gtw'],
    categories: ['gateway-api'],
  }),
  resource('gateway.networking.k8s.io/v1', 'httproutes', 'HTTPRoute', {
    ...custom,
    categories: ['gateway-api'],
  }),
  resource('gateway.networking.k8s.io/v1', 'referencegrants', 'ReferenceGrant', {
    ...custom,
    subresources: [],
    shortNames: ['refgrant'],
    categories: ['gateway-api'],
  }),
];
