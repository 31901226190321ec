// Writes src/embedded/schemas.json from the OpenAPI documents of a real API server: structure
// only, no
// prose. Run it when the Kubernetes version the embedded server speaks for changes:
//   HALDANE_CONTRACT_KUBECONFIG=… npx node test/contract/kubernetes/generate-schemas.ts
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import type { Schema, SchemaFile } from '../../../src/embedded/schema.ts';

const wanted: Readonly<Record<string, readonly string[]>> = {
  'api/v1': [
    'Pod',
    'Service',
    'Event',
    'ConfigMap',
    'Secret',
    'ServiceAccount',
    'Namespace',
    'Node',
    'Binding',
    'Endpoints',
  ],
  'apis/apps/v1': ['Deployment', 'ReplicaSet', 'StatefulSet', 'DaemonSet'],
  'apis/autoscaling/v1': ['Scale'],
  'apis/autoscaling/v2': ['HorizontalPodAutoscaler'],
  'apis/policy/v1': ['PodDisruptionBudget', 'Eviction'],
  'apis/discovery.k8s.io/v1': ['EndpointSlice'],
  'apis/events.k8s.io/v1': ['Event'],
  'apis/coordination.k8s.io/v1': ['Lease'],
  'apis/networking.k8s.io/v1': ['NetworkPolicy'],
  'apis/rbac.authorization.k8s.io/v1': ['Role', 'RoleBinding', 'ClusterRole', 'ClusterRoleBinding'],
  'apis/authentication.k8s.io/v1': ['TokenReview', 'TokenRequest', 'SelfSubjectReview'],
  'apis/authorization.k8s.io/v1': ['SubjectAccessReview', 'SelfSubjectAccessReview'],
  'apis/admissionregistration.k8s.io/v1': [
    'MutatingAdmissionPolicy',
    'MutatingAdmissionPolicyBinding',
  ],
  'apis/gateway.networking.k8s.io/v1': ['Gateway', 'GatewayClass', 'HTTPRoute', 'ReferenceGrant'],
};

type OpenApi = {
  readonly $ref?: string;
  readonly allOf?: readonly OpenApi[];
  readonly type?: string;
  readonly properties?: Readonly<Record<string, OpenApi>>;
  readonly additionalProperties?: OpenApi | boolean;
  readonly items?: OpenApi;
  readonly [key: string]: unknown;
};

const kept: Readonly<Record<string, keyof Schema>> = {
  required: 'required',
  default: 'default',
  enum: 'enum',
  format: 'format',
  pattern: 'pattern',
  minimum: 'minimum',
  maximum: 'maximum',
  minLength: 'minLength',
  maxLength: 'maxLength',
  minItems: 'minItems',
  maxItems: 'maxItems',
  'x-kubernetes-list-type': 'listType',
  'x-kubernetes-list-map-keys': 'listKeys',
  'x-kubernetes-map-type': 'mapType',
  'x-kubernetes-patch-merge-key': 'mergeKey',
  'x-kubernetes-patch-strategy': 'mergeStrategy',
  'x-kubernetes-int-or-string': 'intOrString',
  'x-kubernetes-preserve-unknown-fields': 'open',
};

const refName = (ref: string) => ref.replace('#/components/schemas/', '');

function compact(node: OpenApi, references: (name: string) => void): Schema {
  const ref = node.$ref ?? node.allOf?.[0]?.$ref;
  const shape: Record<string, unknown> = {};
  if (ref !== undefined) {
    shape['ref'] = refName(ref);
    references(refName(ref));
  }
  if (node.type !== undefined) shape['type'] = node.type;
  for (const [from, to] of Object.entries(kept))
    if (node[from] !== undefined) shape[to] = node[from];
  if (node.items !== undefined) shape['items'] = compact(node.items, references);
  if (typeof node.additionalProperties === 'object')
    shape['values'] = compact(node.additionalProperties, references);
  if (node.properties !== undefined)
    shape['properties'] = Object.fromEntries(
      Object.entries(node.properties).map(([name, child]) => [name, compact(child, references)]),
    );
  return shape;
}

const kubeconfig = process.env['HALDANE_CONTRACT_KUBECONFIG'];
if (kubeconfig === undefined) throw new Error('HALDANE_CONTRACT_KUBECONFIG must name a kubeconfig');
const shapes: Record<string, Schema> = {};
const kinds: Record<string, string> = {};
for (const [path, names] of Object.entries(wanted)) {
  const text = execFileSync(
    'kubectl',
    ['--kubeconfig', kubeconfig, 'get', '--raw', `/openapi/v3/${path}`],
    {
      encoding: 'utf8',
      maxBuffer: 64_000_000,
    },
  );
  const all = (JSON.parse(text) as { components: { schemas: Record<string, OpenApi> } }).components
    .schemas;
  const queue: string[] = [];
  for (const [name, node] of Object.entries(all)) {
    const gvks = (node['x-kubernetes-group-version-kind'] ?? []) as {
      group: string;
      version: string;
      kind: string;
    }[];
    const gvk = gvks.find(({ group, version, kind }) => {
      const own = group === '' ? `api/${version}` : `apis/${group}/${version}`;
      return own === path && names.includes(kind);
    });
    if (gvk === undefined) continue;
    const groupVersion = gvk.group === '' ? gvk.version : `${gvk.group}/${gvk.version}`;
    kinds[`${groupVersion}/${gvk.kind}`] = name;
    queue.push(name);
  }
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    const node = all[name];
    if (node === undefined || shapes[name] !== undefined) continue;
    shapes[name] = compact(node, (ref) => queue.push(ref));
  }
}
const sorted = <T>(record: Record<string, T>) =>
  Object.fromEntries(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1)));
const file: SchemaFile = { kinds: sorted(kinds), shapes: sorted(shapes) };
const lines = Object.entries(file.shapes).map(
  ([name, shape]) => `"${name}":${JSON.stringify(shape)}`,
);
writeFileSync(
  new URL('../../../src/embedded/schemas.json', import.meta.url),
  `{"kinds":${JSON.stringify(file.kinds)},\n"shapes":{\n${lines.join(',\n')}\n}}\n`,
);
