import { evaluateCel, type Scope } from './cel.ts';
import { CelError } from './cel-parser.ts';
import {
  asArray,
  asObject,
  asString,
  isObject,
  type Json,
  type JsonObject,
  type Mutable,
} from './json.ts';
import { jsonPatch } from './json-patch.ts';
import {
  apiVersionOf,
  type KubernetesObject,
  perResource,
  type Resource,
  type StringMap,
} from './resource.ts';
import { anything, shapeOf } from './schema.ts';
import { labelSelectorMatch } from './selectors.ts';
import { applyMerge } from './server-side-apply.ts';
import { ApiFailure, notFound } from './status.ts';
import type { Store } from './store.ts';

export type AdmissionRequest = {
  readonly resource: Resource;
  readonly subresource: string | undefined;
  readonly operation: 'CREATE' | 'UPDATE';
  readonly object: JsonObject;
  readonly before: JsonObject | undefined;
};

export type Admission = {
  /**
   * Objects are created only in namespaces that exist and are not going away. @throws ApiFailure
   * 404, 403
   */
  checkNamespace(resource: Resource, namespace: string, name: string): void;
  /** Mutating admission policies, in the order of their names. @throws ApiFailure 403 */
  mutate(request: AdmissionRequest): JsonObject;
  /** Checks that need more than the object itself. */
  validate(
    resource: Resource,
    object: KubernetesObject,
    before: KubernetesObject | undefined,
  ): void;
};

const policies = 'admissionregistration.k8s.io/mutatingadmissionpolicies';
const bindings = 'admissionregistration.k8s.io/mutatingadmissionpolicybindings';

/** Admission that evaluates the MutatingAdmissionPolicy objects which lie in the store. */
export function createAdmission(store: Store, namespaces: Resource): Admission {
  const bound = boundPolicies(store);
  return {
    checkNamespace: (resource, namespace, name) => {
      if (!resource.namespaced) return;
      const found = store.read('/namespaces', '', namespace);
      if (found === undefined) throw notFound(namespaces, namespace);
      if (found.metadata.deletionTimestamp !== undefined)
        throw new ApiFailure(
          403,
          'Forbidden',
          `${resource.plural} "${name}" is forbidden: unable to create new content in ` +
            `namespace ${namespace} because it is being terminated`,
          {
            details: {
              name,
              kind: resource.plural,
              causes: [
                {
                  reason: 'NamespaceTerminating',
                  message: `namespace ${namespace} is being terminated`,
                  field: 'metadata.namespace',
                },
              ],
            },
          },
        );
    },
    mutate: (request) => mutate(store, bound(), request),
    validate: () => undefined,
  };
}

type BoundPolicy = {
  readonly name: string;
  readonly spec: JsonObject;
  /** Whether its rules name what is asked for. */
  readonly concerns: (request: AdmissionRequest) => boolean;
};

/** The policies that have a binding; worked out anew only after one of either was written. */
function boundPolicies(store: Store): () => readonly BoundPolicy[] {
  let known: readonly BoundPolicy[] | undefined;
  for (const key of [policies, bindings]) store.onCommit(() => (known = undefined), key);
  return () => {
    if (known !== undefined) return known;
    const bound = new Set(
      store.list(bindings).map((binding) => asString(asObject(binding.spec).policyName)),
    );
    return (known = store
      .list(policies)
      .filter(({ metadata }) => bound.has(metadata.name))
      .map((policy) => {
        const spec = asObject(policy.spec);
        return { name: policy.metadata.name, spec, concerns: ruleReader(spec) };
      }));
  };
}

/** Most writes concern no policy: what its rules say of a kind of write is kept. */
function ruleReader(spec: JsonObject): BoundPolicy['concerns'] {
  const constraints = asObject(spec.matchConstraints);
  const answersFor = perResource(() => new Map<string, boolean>());
  return (request) => {
    const answers = answersFor(request.resource);
    const write = `${request.operation} ${request.subresource ?? ''}`;
    let answer = answers.get(write);
    if (answer === undefined) {
      const names = (rule: Json) => ruleMatches(asObject(rule), request);
      answer =
        asArray(constraints.resourceRules).some(names) &&
        !asArray(constraints.excludeResourceRules).some(names);
      answers.set(write, answer);
    }
    return answer;
  };
}

const mutate = (
  store: Store,
  bound: readonly BoundPolicy[],
  request: AdmissionRequest,
): JsonObject =>
  bound.reduce<JsonObject>((object, { name, spec, concerns }) => {
    if (!concerns(request)) return object;
    const now = { ...request, object };
    return isSelected(store, spec, now) ? applyPolicy(name, spec, now) : object;
  }, request.object);

function isSelected(store: Store, spec: JsonObject, request: AdmissionRequest): boolean {
  const constraints = asObject(spec.matchConstraints);
  const metadata = asObject(request.object.metadata);
  if (
    isObject(constraints.objectSelector) &&
    !labelSelectorMatch(constraints.objectSelector)(metadata.labels as StringMap | undefined)
  )
    return false;
  if (!request.resource.namespaced || !isObject(constraints.namespaceSelector)) return true;
  const namespace = store.read('/namespaces', '', asString(metadata.namespace));
  return labelSelectorMatch(constraints.namespaceSelector)(namespace?.metadata.labels);
}

function ruleMatches(
  rule: JsonObject,
  { resource, subresource, operation }: AdmissionRequest,
): boolean {
  const has = (list: Json | undefined, value: string) =>
    asArray(list).some((item) => item === value || item === '*');
  const name = subresource === undefined ? resource.plural : `${resource.plural}/${subresource}`;
  const named = asArray(rule.resources)
    .map(asString)
    .some(
      (r) =>
        r === name ||
        r === '*/*' ||
        (r === '*' && subresource === undefined) ||
        (subresource !== undefined && (r === `${resource.plural}/*` || r === `*/${subresource}`)),
    );
  return (
    named &&
    has(rule.apiGroups, resource.group) &&
    has(rule.apiVersions, resource.version) &&
    has(rule.operations, operation)
  );
}

function applyPolicy(name: string, spec: JsonObject, request: AdmissionRequest): JsonObject {
  try {
    const scope = scopeOf(spec, request);
    for (const condition of asArray(spec.matchConditions).map(asObject))
      if (evaluateCel(asString(condition.expression), scope) !== true) return request.object;
    return asArray(spec.mutations)
      .map(asObject)
      .reduce<JsonObject>(
        (object, mutation) =>
          applyMutation(object, mutation, { ...scope, object }, request.resource),
        request.object,
      );
  } catch (error) {
    if (!(error instanceof CelError)) throw error;
    if (spec.failurePolicy === 'Ignore') return request.object;
    throw new ApiFailure(403, 'Forbidden', `policy '${name}' denied request: ${error.message}`);
  }
}

function scopeOf(spec: JsonObject, request: AdmissionRequest): Scope {
  const base: Scope = {
    object: request.object,
    oldObject: request.before ?? null,
    request: {
      operation: request.operation,
      ...(request.subresource === undefined ? {} : { subResource: request.subresource }),
    },
    variables: {},
  };
  const variables: Mutable = {};
  for (const variable of asArray(spec.variables).map(asObject)) {
    const value = evaluateCel(asString(variable.expression), {
      ...base,
      variables: { ...variables },
    });
    variables[asString(variable.name)] = value;
  }
  return { ...base, variables };
}

function applyMutation(
  object: JsonObject,
  mutation: JsonObject,
  scope: Scope,
  resource: Resource,
): JsonObject {
  if (mutation.patchType === 'JSONPatch') {
    const operations = evaluateCel(asString(asObject(mutation.jsonPatch).expression), scope);
    return asObject(jsonPatch(object, asArray(operations)));
  }
  const change = evaluateCel(asString(asObject(mutation.applyConfiguration).expression), scope);
  const shape = shapeOf(apiVersionOf(resource), resource.kind);
  return asObject(applyMerge(shape ?? anything, object, change));
}
