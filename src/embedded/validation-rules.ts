import {
  asArray,
  asNumber,
  asObject,
  asString,
  equalJson,
  type Json,
  type JsonObject,
} from './json.ts';
import type { KubernetesObject } from './resource.ts';
import { labelSelectorMatch } from './selectors.ts';
import { type Cause, invalidValue, requiredValue, unsupportedValue } from './status.ts';

type Rule = (object: KubernetesObject, before: KubernetesObject | undefined) => readonly Cause[];

const immutable = (field: string, value: Json | undefined) =>
  invalidValue(field, value ?? null, 'field is immutable');

function nonNegative(spec: JsonObject, fields: readonly string[]): Cause[] {
  return fields
    .filter((field) => asNumber(spec[field]) < 0)
    .map((field) =>
      invalidValue(`spec.${field}`, spec[field], 'must be greater than or equal to 0'),
    );
}

const workload: Rule = (object, before) => {
  const spec = asObject(object.spec);
  if (spec === before?.spec) return [];
  const causes = nonNegative(spec, [
    'replicas',
    'minReadySeconds',
    'revisionHistoryLimit',
    'progressDeadlineSeconds',
  ]);
  const selector = asObject(spec.selector);
  const template = asObject(spec.template);
  const labels = asObject(asObject(template.metadata).labels) as Readonly<Record<string, string>>;
  if (
    Object.keys(asObject(selector.matchLabels)).length +
      asArray(selector.matchExpressions).length ===
    0
  )
    causes.push(
      spec.selector === undefined
        ? requiredValue('spec.selector')
        : invalidValue('spec.selector', {}, 'empty selector is invalid for deployment'),
    );
  else if (!labelSelectorMatch(spec.selector)(labels))
    causes.push(
      invalidValue(
        'spec.template.metadata.labels',
        labels,
        '`selector` does not match template `labels`',
      ),
    );
  const old = asObject(before?.spec);
  if (before !== undefined && !equalJson(old.selector, spec.selector))
    causes.push(immutable('spec.selector', spec.selector));
  const podSpec = asObject(template.spec);
  if (podSpec !== asObject(asObject(old.template).spec))
    causes.push(...podProblems(podSpec, 'spec.template.spec'));
  if (podSpec.restartPolicy !== 'Always')
    causes.push(
      unsupportedValue('spec.template.spec.restartPolicy', podSpec.restartPolicy, ['Always']),
    );
  return causes;
};

const deployment: Rule = (object, before) => {
  const spec = asObject(object.spec);
  if (spec === before?.spec) return [];
  const causes = [...workload(object, before)];
  const deadline = spec.progressDeadlineSeconds;
  if (typeof deadline === 'number' && deadline <= asNumber(spec.minReadySeconds))
    causes.push(
      invalidValue(
        'spec.progressDeadlineSeconds',
        deadline,
        'must be greater than minReadySeconds',
      ),
    );
  const strategy = asObject(spec.strategy);
  if (strategy.type !== 'RollingUpdate' && strategy.type !== 'Recreate')
    causes.push(unsupportedValue('spec.strategy', strategy.type, ['Recreate', 'RollingUpdate']));
  if (strategy.type === 'Recreate' && strategy.rollingUpdate !== undefined)
    causes.push({
      field: 'spec.strategy.rollingUpdate',
      reason: 'FieldValueForbidden',
      message: "Forbidden: may not be specified when strategy `type` is 'Recreate'",
    });
  const rolling = asObject(strategy.rollingUpdate);
  const none = (v: Json | undefined) => v === 0 || v === '0%';
  if (none(rolling.maxSurge) && none(rolling.maxUnavailable))
    causes.push(
      invalidValue(
        'spec.strategy.rollingUpdate.maxUnavailable',
        0,
        'may not be 0 when `maxSurge` is 0',
      ),
    );
  return causes;
};

function podProblems(spec: JsonObject, path: string): Cause[] {
  const containers = asArray(spec.containers).map(asObject);
  const causes: Cause[] = containers.length === 0 ? [requiredValue(`${path}.containers`)] : [];
  containers.forEach((container, i) => {
    const place = `${path}.containers[${i}]`;
    if (asString(container.image).trim() === '') causes.push(requiredValue(`${place}.image`));
    if (containers.slice(0, i).some((other) => other.name === container.name))
      causes.push({
        field: `${place}.name`,
        reason: 'FieldValueDuplicate',
        message: `Duplicate value: ${JSON.stringify(container.name)}`,
      });
    asArray(container.ports)
      .map(asObject)
      .forEach((port, j) => {
        const number = asNumber(port.containerPort);
        if (number < 1 || number > 65_535)
          causes.push(
            invalidValue(
              `${place}.ports[${j}].containerPort`,
              number,
              'must be between 1 and 65535, inclusive',
            ),
          );
      });
  });
  return causes;
}

const pod: Rule = (object, before) => {
  const spec = asObject(object.spec);
  if (spec === before?.spec) return [];
  if (before === undefined) return podProblems(spec, 'spec');
  const movable = ({
    containers,
    initContainers: _i,
    activeDeadlineSeconds: _a,
    tolerations: _t,
    terminationGracePeriodSeconds: _g,
    schedulingGates: _s,
    nodeName: _n,
    ...rest
  }: JsonObject): Json => ({
    ...rest,
    containers: asArray(containers).map((c) => ({ ...asObject(c), image: '' })),
  });
  return equalJson(movable(spec), movable(asObject(before.spec)))
    ? []
    : [
        {
          field: 'spec',
          reason: 'FieldValueForbidden',
          message:
            'Forbidden: pod updates may not change fields other than `spec.containers[*].image`',
        },
      ];
};

const service: Rule = (object, before) => {
  const spec = asObject(object.spec);
  if (spec === before?.spec) return [];
  const causes: Cause[] = [];
  const ports = asArray(spec.ports).map(asObject);
  if (ports.length === 0 && spec.type !== 'ExternalName' && spec.clusterIP !== 'None')
    causes.push(requiredValue('spec.ports'));
  ports.forEach((port, i) => {
    const number = asNumber(port.port);
    if (number < 1 || number > 65_535)
      causes.push(
        invalidValue(`spec.ports[${i}].port`, number, 'must be between 1 and 65535, inclusive'),
      );
    if (ports.length > 1 && port.name === undefined)
      causes.push(requiredValue(`spec.ports[${i}].name`));
    if (ports.slice(0, i).some((other) => other.name !== undefined && other.name === port.name))
      causes.push({
        field: `spec.ports[${i}].name`,
        reason: 'FieldValueDuplicate',
        message: `Duplicate value: ${JSON.stringify(port.name)}`,
      });
  });
  const types = ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort'];
  if (!types.includes(asString(spec.type)))
    causes.push(unsupportedValue('spec.type', spec.type, types));
  const old = asObject(before?.spec);
  if (
    before !== undefined &&
    old.clusterIP !== undefined &&
    spec.clusterIP !== old.clusterIP &&
    spec.type !== 'ExternalName'
  )
    causes.push(invalidValue('spec.clusterIPs[0]', [spec.clusterIP], 'may not change once set'));
  return causes;
};

const endpointSlice: Rule = (object, before) => {
  const slice = object as JsonObject;
  const old = before as JsonObject | undefined;
  const causes: Cause[] = [];
  const types = ['FQDN', 'IPv4', 'IPv6'];
  if (!types.includes(asString(slice.addressType)))
    causes.push(
      slice.addressType === undefined
        ? requiredValue('addressType')
        : unsupportedValue('addressType', slice.addressType, types),
    );
  if (old !== undefined && old.addressType !== slice.addressType)
    causes.push(immutable('addressType', slice.addressType));
  asArray(slice.endpoints)
    .map(asObject)
    .forEach((endpoint, i) => {
      if (asArray(endpoint.addresses).length === 0)
        causes.push(requiredValue(`endpoints[${i}].addresses`));
      asArray(endpoint.addresses).forEach((address, j) => {
        if (slice.addressType === 'IPv4' && asString(address).startsWith('127.'))
          causes.push(
            invalidValue(
              `endpoints[${i}].addresses[${j}]`,
              address,
              'may not be in the loopback range (127.0.0.0/8, ::1/128)',
            ),
          );
      });
    });
  return causes;
};

const lease: Rule = (object) => {
  const spec = asObject(object.spec);
  const causes: Cause[] = [];
  if (typeof spec.leaseDurationSeconds === 'number' && spec.leaseDurationSeconds <= 0)
    causes.push(
      invalidValue(
        'spec.leaseDurationSeconds',
        spec.leaseDurationSeconds,
        'must be greater than 0',
      ),
    );
  if (asNumber(spec.leaseTransitions) < 0)
    causes.push(
      invalidValue(
        'spec.leaseTransitions',
        spec.leaseTransitions,
        'must be greater than or equal to 0',
      ),
    );
  return causes;
};

const httpRoute: Rule = (object, before) => {
  const spec = asObject(object.spec);
  if (spec === before?.spec) return [];
  const causes: Cause[] = [];
  asArray(spec.rules)
    .map(asObject)
    .forEach((rule, i) => {
      asArray(rule.backendRefs)
        .map(asObject)
        .forEach((ref, j) => {
          if (ref.group === '' && ref.kind === 'Service' && ref.port === undefined)
            causes.push(
              invalidValue(
                `spec.rules[${i}].backendRefs[${j}]`,
                'object',
                'Must have port for Service reference',
              ),
            );
        });
      const redirects = asArray(rule.filters).some(
        (filter) => asObject(filter).type === 'RequestRedirect',
      );
      if (redirects && asArray(rule.backendRefs).length > 0)
        causes.push(
          invalidValue(
            `spec.rules[${i}]`,
            'object',
            'RequestRedirect filter must not be used together with backendRefs',
          ),
        );
    });
  return causes;
};

const event: Rule = (object) => {
  const involved = asObject((object as JsonObject).involvedObject);
  const { namespace } = object.metadata;
  const fits =
    involved.namespace === undefined ? namespace === 'default' : involved.namespace === namespace;
  return fits
    ? []
    : [
        invalidValue(
          'involvedObject.namespace',
          asString(involved.namespace),
          'does not match event.namespace',
        ),
      ];
};

const autoscaler: Rule = (object) => {
  const spec = asObject(object.spec);
  const causes = nonNegative(spec, ['minReplicas']);
  if (asNumber(spec.maxReplicas) < 1)
    causes.push(invalidValue('spec.maxReplicas', spec.maxReplicas, 'must be greater than 0'));
  if (asNumber(spec.maxReplicas) < asNumber(spec.minReplicas))
    causes.push(
      invalidValue(
        'spec.maxReplicas',
        spec.maxReplicas,
        'must be greater than or equal to `minReplicas`',
      ),
    );
  return causes;
};

const keyed: Rule = (object) =>
  Object.keys(asObject((object as JsonObject).data))
    .filter((key) => !/^[-._a-zA-Z0-9]+$/.test(key) || key.length > 253)
    .map((key) =>
      invalidValue(
        `data[${key}]`,
        key,
        "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
      ),
    );

const roleBinding: Rule = (object, before) => {
  const binding = object as JsonObject;
  const old = before as JsonObject | undefined;
  return old !== undefined && !equalJson(old.roleRef, binding.roleRef)
    ? [invalidValue('roleRef', binding.roleRef, 'cannot change roleRef')]
    : [];
};

/** What schemas cannot say, kind by kind. */
export const kindRules: Readonly<Record<string, Rule>> = {
  Deployment: deployment,
  ReplicaSet: workload,
  Pod: pod,
  Service: service,
  EndpointSlice: endpointSlice,
  Lease: lease,
  HTTPRoute: httpRoute,
  Event: event,
  HorizontalPodAutoscaler: autoscaler,
  ConfigMap: keyed,
  Secret: keyed,
  RoleBinding: roleBinding,
  ClusterRoleBinding: roleBinding,
};
