import { adjust, adjustItems, fill, replace } from './filling.ts';
import {
  asArray,
  asObject,
  asString,
  isArray,
  isObject,
  type Json,
  type JsonObject,
  type Mutable,
  without,
} from './json.ts';
import { defaultPodSpec } from './pod-defaults.ts';
import type { Resource } from './resource.ts';
import { itemShape, mapShared, type Shape } from './schema.ts';

const template = (spec: JsonObject) =>
  adjust(spec, 'template', (t) =>
    isObject(t) ? adjust(t, 'spec', (s) => (isObject(s) ? defaultPodSpec(s) : s)) : t,
  );

const specDefaults: Readonly<Record<string, (spec: JsonObject) => JsonObject>> = {
  Deployment: (spec) =>
    template(
      deploymentStrategy(
        fill(spec, {
          replicas: 1,
          progressDeadlineSeconds: 600,
          revisionHistoryLimit: 10,
          strategy: {},
        }),
      ),
    ),
  ReplicaSet: (spec) => template(fill(spec, { replicas: 1 })),
  StatefulSet: (spec) =>
    template(
      fill(spec, {
        replicas: 1,
        revisionHistoryLimit: 10,
        podManagementPolicy: 'OrderedReady',
        updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 0 } },
      }),
    ),
  DaemonSet: (spec) =>
    template(
      fill(spec, {
        revisionHistoryLimit: 10,
        updateStrategy: {
          type: 'RollingUpdate',
          rollingUpdate: { maxUnavailable: 1, maxSurge: 0 },
        },
      }),
    ),
  Pod: (spec) =>
    fill(defaultPodSpec(fill(spec, { serviceAccountName: 'default', serviceAccount: 'default' })), {
      enableServiceLinks: true,
      preemptionPolicy: 'PreemptLowerPriority',
      priority: 0,
      tolerations: ['not-ready', 'unreachable'].map((key) => ({
        effect: 'NoExecute',
        key: `node.kubernetes.io/${key}`,
        operator: 'Exists',
        tolerationSeconds: 300,
      })),
    }),
  Service: (spec) =>
    adjustItems(
      fill(spec, { type: 'ClusterIP', sessionAffinity: 'None', internalTrafficPolicy: 'Cluster' }),
      'ports',
      (port) => fill(port, { protocol: 'TCP', targetPort: port.port }),
    ),
  HorizontalPodAutoscaler: (spec) =>
    fill(spec, {
      minReplicas: 1,
      metrics: [
        {
          type: 'Resource',
          resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 80 } },
        },
      ],
    }),
  MutatingAdmissionPolicy: (spec) =>
    adjust(
      fill(spec, { failurePolicy: 'Fail', reinvocationPolicy: 'Never' }),
      'matchConstraints',
      (match) =>
        isObject(match)
          ? adjustItems(
              fill(match, { matchPolicy: 'Equivalent', namespaceSelector: {}, objectSelector: {} }),
              'resourceRules',
              (rule) => fill(rule, { scope: '*' }),
            )
          : match,
    ),
};

function deploymentStrategy(spec: JsonObject): JsonObject {
  return adjust(spec, 'strategy', (given) => {
    const strategy = fill(asObject(given), { type: 'RollingUpdate' });
    if (strategy.type !== 'RollingUpdate') return strategy;
    return adjust(strategy, 'rollingUpdate', (rolling) =>
      fill(asObject(rolling), { maxSurge: '25%', maxUnavailable: '25%' }),
    );
  });
}

const objectDefaults: Readonly<Record<string, (object: JsonObject) => JsonObject>> = {
  EndpointSlice: (object) =>
    adjustItems(object, 'ports', (port) => fill(port, { name: '', protocol: 'TCP' })),
  Secret: (object) => fill(object, { type: 'Opaque' }),
  RoleBinding: bindingDefaults,
  ClusterRoleBinding: bindingDefaults,
};

function bindingDefaults(object: JsonObject): JsonObject {
  const withRole = adjust(object, 'roleRef', (ref) =>
    isObject(ref) ? fill(ref, { apiGroup: 'rbac.authorization.k8s.io' }) : ref,
  );
  return adjustItems(withRole, 'subjects', (subject) =>
    asString(subject.kind) === 'ServiceAccount'
      ? subject
      : fill(subject, { apiGroup: 'rbac.authorization.k8s.io' }),
  );
}

/**
 * What the API server fills in before it stores an object. Parts shared with `before` are taken as
 * they are: filling twice changes nothing, and they were filled when it was stored.
 */
export function applyDefaults(
  resource: Resource,
  shape: Shape | undefined,
  object: JsonObject,
  before: JsonObject | undefined,
): JsonObject {
  const metadata = object.metadata;
  const tidy =
    metadata !== before?.metadata && isObject(metadata)
      ? replace(object, 'metadata', dropEmpty(metadata))
      : object;
  if (resource.custom)
    return shape === undefined ? tidy : asObject(schemaDefaults(shape, tidy, before));
  const byKind = objectDefaults[resource.kind]?.(tidy) ?? tidy;
  const onSpec = specDefaults[resource.kind];
  if (onSpec === undefined || (before !== undefined && byKind.spec === before.spec)) return byKind;
  return replace(byKind, 'spec', onSpec(asObject(byKind.spec)));
}

/** Empty labels, annotations and the like are not stored. */
function dropEmpty(metadata: JsonObject): JsonObject {
  let tidy = metadata;
  for (const key of ['labels', 'annotations', 'ownerReferences', 'finalizers']) {
    const value = metadata[key];
    if (value === undefined || Object.keys(asObject(value)).length + asArray(value).length > 0)
      continue;
    tidy = without(tidy, key);
  }
  return tidy;
}

/** Defaults of a custom resource's schema, inside the objects that are there. */
function schemaDefaults(shape: Shape, value: Json, before: Json | undefined): Json {
  if (value === before) return value;
  if (isArray(value)) {
    const items = itemShape(shape);
    const old = asArray(before);
    return mapShared(value, (item, i) => schemaDefaults(items, item, old[i]));
  }
  if (!isObject(value) || shape.properties === undefined) return value;
  const old = asObject(before);
  let copy: Mutable | undefined;
  for (const [key, place] of shape.properties) {
    if (key === 'metadata' || key === 'status') continue;
    const given = value[key];
    if (given !== undefined && (given === old[key] || typeof given !== 'object')) continue;
    const filled = given === undefined ? place.default : given;
    if (filled === undefined) continue;
    const next = schemaDefaults(place, filled, old[key]);
    if (next !== given) (copy ??= { ...value })[key] = next;
  }
  return copy ?? value;
}
