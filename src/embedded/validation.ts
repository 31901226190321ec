import { asArray, asObject, equalJson, isArray, isObject, type Json } from './json.ts';
import type {
  KubernetesObject,
  ObjectMeta,
  OwnerReference,
  Resource,
  StringMap,
} from './resource.ts';
import { fieldShape, itemShape, type Shape } from './schema.ts';
import { type Cause, invalidValue, requiredValue, unsupportedValue } from './status.ts';
import { kindRules } from './validation-rules.ts';

const dnsSubdomain = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const dnsLabel = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const qualifiedName =
  /^([a-z0-9]([-a-z0-9.]*[a-z0-9])?\/)?([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)$/;
const labelText = /^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$/;
/** All annotations of one object together, in bytes. */
export const annotationLimit = 262_144;

const dnsLabelKinds = new Set(['Service', 'Namespace']);
const freeNames = new Set(['Role', 'ClusterRole', 'RoleBinding', 'ClusterRoleBinding']);

const standardFinalizers = new Set(['orphan', 'foregroundDeletion', 'kubernetes']);

/** Everything that is wrong with an object; an empty list means that it may be stored. */
export function validate(
  resource: Resource,
  shape: Shape | undefined,
  object: KubernetesObject,
  before: KubernetesObject | undefined,
): readonly Cause[] {
  const causes: Cause[] = [];
  if (object.metadata !== before?.metadata)
    causes.push(...metadataProblems(resource, object.metadata, before?.metadata));
  if (resource.custom && shape !== undefined) {
    for (const key of ['spec', 'status'] as const)
      if (object[key] !== undefined && object[key] !== before?.[key])
        schemaProblems(fieldShape(shape, key), object[key], key, causes, before?.[key]);
    if (shape.required?.includes('spec') === true && object.spec === undefined)
      causes.push(requiredValue('spec'));
  } else if (shape !== undefined) requiredProblems(shape, object, '', causes, before);
  causes.push(...(kindRules[resource.kind]?.(object, before) ?? []));
  return causes;
}

function metadataProblems(
  resource: Resource,
  { name, labels, annotations, ownerReferences = [], finalizers = [] }: ObjectMeta,
  before: ObjectMeta | undefined,
): Cause[] {
  const causes: Cause[] = [];
  if (name !== before?.name) causes.push(...nameProblems(resource, name));
  if (labels !== before?.labels) causes.push(...labelProblems(labels, 'metadata.labels'));
  if (annotations !== undefined && annotations !== before?.annotations)
    causes.push(...annotationProblems(annotations, before?.annotations));
  for (const finalizer of finalizers)
    if (!standardFinalizers.has(finalizer) && !/^[^/]+\/[^/]+$/.test(finalizer))
      causes.push(
        invalidValue(
          'metadata.finalizers',
          finalizer,
          'name is neither a standard finalizer name nor is it fully qualified',
        ),
      );
  if (ownerReferences !== before?.ownerReferences) causes.push(...ownerProblems(ownerReferences));
  return causes;
}

function nameProblems(resource: Resource, name: string): Cause[] {
  const form = dnsLabelKinds.has(resource.kind) ? dnsLabel : dnsSubdomain;
  const longest = form === dnsLabel ? 63 : 253;
  const valid = freeNames.has(resource.kind)
    ? !/[/%]/.test(name)
    : form.test(name) && name.length <= longest;
  return valid
    ? []
    : [
        invalidValue(
          'metadata.name',
          name,
          'a lowercase RFC 1123 name must consist of lower case alphanumeric characters, ' +
            "'-' or '.'",
        ),
      ];
}

/** At most, of a UTF-16 unit in UTF-8. */
const bytesPerUnit = 3;

const bytesOf = (annotations: StringMap): number =>
  Object.entries(annotations).reduce(
    (sum, [key, value]) => sum + key.length + Buffer.byteLength(value),
    0,
  );

function annotationProblems(annotations: StringMap, before: StringMap | undefined): Cause[] {
  const causes: Cause[] = [];
  // What surely fits is not measured to the byte: some of these texts are long.
  let size = 0;
  for (const key in annotations) {
    const value = annotations[key] as string;
    size += key.length + value.length * bytesPerUnit;
    if (before?.[key] === undefined && !qualifiedName.test(key.toLowerCase()))
      causes.push(
        invalidValue(
          'metadata.annotations',
          key,
          "name part must consist of alphanumeric characters, '-', '_' or '.'",
        ),
      );
  }
  if (size > annotationLimit && bytesOf(annotations) > annotationLimit)
    causes.push({
      field: 'metadata.annotations',
      reason: 'FieldValueTooLong',
      message: `Too long: may not be more than ${annotationLimit} bytes`,
    });
  return causes;
}

function ownerProblems(ownerReferences: readonly OwnerReference[]): Cause[] {
  const causes: Cause[] = [];
  if (ownerReferences.filter((owner) => owner.controller === true).length > 1)
    causes.push(
      invalidValue(
        'metadata.ownerReferences',
        'controller',
        'Only one reference can have Controller set to true',
      ),
    );
  ownerReferences.forEach((owner, i) => {
    for (const key of ['apiVersion', 'kind', 'name', 'uid'] as const)
      if (!owner[key])
        causes.push(
          invalidValue(`metadata.ownerReferences[${i}].${key}`, '', `${key} must not be empty`),
        );
  });
  return causes;
}

export function labelProblems(labels: StringMap | undefined, field: string): Cause[] {
  return Object.entries(labels ?? {}).flatMap(([key, value]) => {
    if (!qualifiedName.test(key))
      return [
        invalidValue(
          field,
          key,
          "name part must consist of alphanumeric characters, '-', '_' or '.'",
        ),
      ];
    if (!labelText.test(value) || value.length > 63)
      return [
        invalidValue(
          field,
          value,
          'a valid label must be an empty string or consist of alphanumeric characters, ' +
            "'-', '_' or '.'",
        ),
      ];
    return [];
  });
}

/** Fields that a built-in kind cannot be without, wherever the object changed. */
function requiredProblems(
  shape: Shape,
  value: Json,
  path: string,
  causes: Cause[],
  before: Json | undefined,
): void {
  if (value === before) return;
  if (isArray(value)) {
    const items = itemShape(shape);
    value.forEach((item, i) =>
      requiredProblems(items, item, `${path}[${i}]`, causes, asArray(before)[i]),
    );
    return;
  }
  if (!isObject(value)) return;
  for (const key of shape.required ?? [])
    if (value[key] === undefined && !neverMissed.has(key))
      causes.push(requiredValue(path === '' ? key : `${path}.${key}`));
  const old = asObject(before);
  for (const key in value) {
    const child = value[key];
    if (path === '' && (key === 'status' || key === 'metadata')) continue;
    if (typeof child !== 'object' || child === old[key]) continue;
    const place = path === '' ? key : `${path}.${key}`;
    requiredProblems(fieldShape(shape, key), child, place, causes, old[key]);
  }
}

/**
 * Marked as required in the schema, yet the server takes objects without them: their zero value
 * is valid.
 */
const neverMissed = new Set([
  'metadata',
  'endpoints',
  'addressType',
  'rules',
  'roleRef',
  'targetPort',
  'resources',
  'currentMetrics',
  'involvedObject',
  'desiredReplicas',
  'status',
  'conditions',
  'scope',
  'selector',
  'template',
  'containers',
  'image',
  'key',
  'operator',
]);

/** Parts shared with `before` were checked when it was stored. */
function schemaProblems(
  shape: Shape,
  value: Json,
  path: string,
  causes: Cause[],
  before: Json | undefined,
): void {
  if (value === before) return;
  if (typeof value === 'number') numberProblems(shape, value, path, causes);
  if (typeof value === 'string') textProblems(shape, value, path, causes);
  if (isArray(value)) {
    if (shape.maxItems !== undefined && value.length > shape.maxItems)
      causes.push({
        field: path,
        reason: 'FieldValueTooMany',
        message: `Too many: ${value.length}: must have at most ${shape.maxItems} items`,
      });
    if (shape.minItems !== undefined && value.length < shape.minItems)
      causes.push(
        invalidValue(
          path,
          value.length,
          `${path} in body should have at least ${shape.minItems} items`,
        ),
      );
    const items = itemShape(shape);
    duplicateItems(shape, value, path, causes);
    const old = asArray(before);
    value.forEach((item, i) => schemaProblems(items, item, `${path}[${i}]`, causes, old[i]));
  }
  if (!isObject(value)) return;
  for (const key of shape.required ?? [])
    if (value[key] === undefined) causes.push(requiredValue(`${path}.${key}`));
  const old = asObject(before);
  for (const key in value) {
    const child = value[key];
    if (child !== undefined && child !== old[key])
      schemaProblems(fieldShape(shape, key), child, `${path}.${key}`, causes, old[key]);
  }
}

function duplicateItems(shape: Shape, list: readonly Json[], path: string, causes: Cause[]): void {
  if (shape.listType !== 'map') return;
  const keys = list.map((item) => (shape.listKeys ?? []).map((key) => asObject(item)[key] ?? null));
  keys.forEach((key, i) => {
    if (keys.slice(0, i).some((other) => equalJson(other, key)))
      causes.push({
        field: `${path}[${i}]`,
        reason: 'FieldValueDuplicate',
        message: `Duplicate value: ${JSON.stringify(key)}`,
      });
  });
}

function numberProblems(shape: Shape, value: number, path: string, causes: Cause[]): void {
  if (shape.minimum !== undefined && value < shape.minimum)
    causes.push(
      invalidValue(
        path,
        value,
        `${path} in body should be greater than or equal to ${shape.minimum}`,
      ),
    );
  if (shape.maximum !== undefined && value > shape.maximum)
    causes.push(
      invalidValue(path, value, `${path} in body should be less than or equal to ${shape.maximum}`),
    );
}

const patterns = new Map<string, RegExp>();

function textProblems(shape: Shape, value: string, path: string, causes: Cause[]): void {
  if (shape.enum !== undefined && !shape.enum.includes(value))
    causes.push(unsupportedValue(path, value, shape.enum));
  if (shape.minLength !== undefined && value.length < shape.minLength)
    causes.push(
      invalidValue(path, value, `${path} in body should be at least ${shape.minLength} chars long`),
    );
  if (shape.maxLength !== undefined && value.length > shape.maxLength)
    causes.push({
      field: path,
      reason: 'FieldValueTooLong',
      message: `Too long: may not be more than ${shape.maxLength} bytes`,
    });
  if (shape.pattern === undefined) return;
  const pattern = patterns.get(shape.pattern) ?? new RegExp(shape.pattern);
  patterns.set(shape.pattern, pattern);
  if (!pattern.test(value))
    causes.push(invalidValue(path, value, `${path} in body should match '${shape.pattern}'`));
}
