import { fill, replace } from './filling.ts';
import {
  asArray,
  asNumber,
  asObject,
  equalJson,
  type Json,
  type JsonObject,
  without,
} from './json.ts';
import {
  type KubernetesObject,
  type ObjectMeta,
  type Resource,
  serverWritten,
} from './resource.ts';
import { conflict } from './status.ts';

/** What a new object looks like before validation: no status of the client's, first generation. */
export function prepareCreate(resource: Resource, object: JsonObject): JsonObject {
  const { status: _status, ...bare } = object;
  const base: JsonObject = ownStatus(resource) ? bare : object;
  switch (resource.kind) {
    case 'Pod':
      return { ...base, status: { phase: 'Pending', qosClass: 'BestEffort' } };
    case 'Namespace':
      return namespaceDefaults(base);
    case 'Service':
      return { ...base, status: { loadBalancer: {} } };
    case 'Node':
      return { ...base, ...(object.status === undefined ? {} : { status: object.status }) };
    case 'Deployment':
    case 'StatefulSet':
      return { ...base, status: {} };
    case 'ReplicaSet':
      return { ...base, status: { replicas: 0 } };
    default:
      return base;
  }
}

const ownStatus = (resource: Resource) => resource.subresources.includes('status');

function namespaceDefaults(object: JsonObject): JsonObject {
  const metadata = asObject(object.metadata);
  const labels = { ...asObject(metadata.labels), 'kubernetes.io/metadata.name': metadata.name };
  return {
    ...object,
    metadata: { ...metadata, labels },
    spec: fill(asObject(object.spec), { finalizers: ['kubernetes'] }),
    status: { phase: 'Active' },
  };
}

/**
 * What a write may change: the main resource everything but status, the status subresource
 * nothing but
 * status (and annotations of built-in kinds).
 */
export function prepareUpdate(
  resource: Resource,
  before: KubernetesObject,
  candidate: JsonObject,
  subresource: string | undefined,
): JsonObject {
  const metadata = serverMetadata(before, candidate);
  if (subresource === 'status') return statusOnly(resource, before, metadata, candidate.status);
  const merged = replace(candidate, 'metadata', metadata);
  if (!ownStatus(resource)) return merged;
  const kept =
    before.status === undefined
      ? without(merged, 'status')
      : replace(merged, 'status', before.status);
  return resource.kind === 'Service' ? keepClusterIp(before, kept) : kept;
}

function statusOnly(
  resource: Resource,
  before: KubernetesObject,
  metadata: JsonObject,
  status: Json | undefined,
): JsonObject {
  if (metadata === before.metadata) return { ...(before as JsonObject), status };
  const { annotations } = metadata;
  const kept: JsonObject = resource.custom
    ? before.metadata
    : annotations === undefined
      ? without(before.metadata, 'annotations')
      : { ...before.metadata, annotations };
  const withManaged =
    metadata.managedFields === undefined
      ? kept
      : { ...kept, managedFields: metadata.managedFields };
  const same = equalJson(withManaged, before.metadata) ? before.metadata : withManaged;
  return { ...(before as JsonObject), metadata: same, status };
}

/** Fields of the metadata that no client changes. */
const settled = [...serverWritten, 'generateName'];

/** Names, uid and the like come from the stored object, whatever the client sent. */
function serverMetadata(before: KubernetesObject, candidate: JsonObject): JsonObject {
  if (candidate.metadata === before.metadata) return before.metadata;
  const sent = asObject(candidate.metadata);
  const old = before.metadata as JsonObject;
  let metadata = sent;
  for (const key of settled)
    metadata = old[key] === undefined ? without(metadata, key) : replace(metadata, key, old[key]);
  if (metadata.managedFields === undefined)
    metadata = replace(metadata, 'managedFields', old.managedFields);
  return equalJson(metadata, old) ? old : metadata;
}

function keepClusterIp(before: KubernetesObject, candidate: JsonObject): JsonObject {
  const old = asObject(before.spec);
  const spec = asObject(candidate.spec);
  if (old.clusterIP === undefined || spec.type === 'ExternalName') return candidate;
  const kept: Record<string, Json | undefined> = {};
  for (const key of ['clusterIP', 'clusterIPs', 'ipFamilies', 'ipFamilyPolicy'])
    kept[key] = old[key];
  const filled = fill(spec, kept);
  return filled === spec ? candidate : { ...candidate, spec: filled };
}

export const firstGeneration = (resource: Resource): number | undefined =>
  resource.generation === 'none' ? undefined : 1;

/** Whether a write makes the generation rise. */
export function bumpsGeneration(
  resource: Resource,
  before: KubernetesObject,
  after: KubernetesObject,
): boolean {
  switch (resource.generation) {
    case 'none':
      return false;
    case 'spec':
      return !equalJson(before.spec, after.spec);
    case 'spec-or-annotations':
      return (
        !equalJson(before.spec, after.spec) ||
        !equalJson(before.metadata.annotations, after.metadata.annotations)
      );
    case 'all-but-metadata':
      return !equalJson(bare(before), bare(after));
  }
}

const bare = ({ metadata: _m, status: _s, ...rest }: KubernetesObject): JsonObject => rest;

/** The uid and resourceVersion a writer expects, when it names them. @throws ApiFailure 409 */
export function checkPreconditions(
  resource: Resource,
  current: KubernetesObject,
  expected: { readonly uid?: Json | undefined; readonly resourceVersion?: Json | undefined },
): void {
  const { uid, resourceVersion, name } = current.metadata;
  if (typeof expected.uid === 'string' && expected.uid !== '' && expected.uid !== uid)
    throw conflict(
      resource,
      name,
      `Precondition failed: UID in precondition: ${expected.uid}, UID in object meta: ${uid}`,
    );
  const wanted = expected.resourceVersion;
  if (typeof wanted === 'string' && wanted !== '' && wanted !== '0' && wanted !== resourceVersion)
    throw conflict(resource, name);
}

/** The `Scale` view of a workload. */
export function scaleOf(object: KubernetesObject): JsonObject {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata;
  const spec = asObject(object.spec);
  const selector = selectorText(asObject(spec.selector));
  return {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata: {
      name,
      ...(namespace === undefined ? {} : { namespace }),
      uid,
      resourceVersion,
      creationTimestamp,
    },
    spec: asNumber(spec.replicas) === 0 ? {} : { replicas: asNumber(spec.replicas) },
    status: {
      replicas: asNumber(asObject(object.status).replicas),
      ...(selector === '' ? {} : { selector }),
    },
  };
}

/** `app=web,tier in (a,b)`, as the `kubectl get -o wide` and Scale show it. */
export function selectorText(selector: JsonObject): string {
  const labels = Object.entries(asObject(selector.matchLabels)).sort(([a], [b]) =>
    a < b ? -1 : 1,
  );
  const expressions = asArray(selector.matchExpressions)
    .map(asObject)
    .map((e) => {
      const values = asArray(e.values).join(',');
      switch (e.operator) {
        case 'In':
          return `${String(e.key)} in (${values})`;
        case 'NotIn':
          return `${String(e.key)} notin (${values})`;
        case 'DoesNotExist':
          return `!${String(e.key)}`;
        default:
          return String(e.key);
      }
    });
  return [...labels.map(([key, value]) => `${key}=${String(value)}`), ...expressions].join(',');
}

export const isBeingDeleted = (metadata: ObjectMeta): boolean =>
  metadata.deletionTimestamp !== undefined;
