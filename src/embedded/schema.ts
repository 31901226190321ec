import type { Json, JsonObject } from './json.ts';
import schemaFile from './schemas.json' with { type: 'json' };

/**
 * What is known of one place in an object: its type, how lists merge, defaults and bounds.
 * Generated from
 * the OpenAPI documents of a real API server by test/contract/kubernetes/generate-schemas.ts.
 */
export type Shape = {
  readonly ref?: string;
  readonly type?: string;
  readonly format?: string;
  readonly properties?: Readonly<Record<string, Shape>>;
  readonly values?: Shape;
  readonly items?: Shape;
  readonly required?: readonly string[];
  readonly default?: Json;
  readonly enum?: readonly string[];
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  /** Server-side apply: how a list is owned. */
  readonly listType?: 'atomic' | 'map' | 'set';
  readonly listKeys?: readonly string[];
  readonly mapType?: 'atomic' | 'granular';
  /** Strategic merge patch. */
  readonly mergeKey?: string;
  readonly mergeStrategy?: string;
  readonly intOrString?: boolean;
  readonly open?: boolean;
};

export type SchemaFile = {
  /** `apps/v1/Deployment` → name of its shape. */
  readonly kinds: Readonly<Record<string, string>>;
  readonly shapes: Readonly<Record<string, Shape>>;
};

export const schemas = schemaFile as unknown as SchemaFile;

const anything: Shape = { open: true };
const resolved = new WeakMap<Shape, Shape>();

/**
 * Follows a reference; what the referring place says (merge keys, defaults) wins over the target.
 */
export function resolveShape(shape: Shape | undefined): Shape {
  if (shape === undefined) return anything;
  if (shape.ref === undefined) return shape;
  const known = resolved.get(shape);
  if (known !== undefined) return known;
  const { ref, ...own } = shape;
  const whole = { ...schemas.shapes[ref], ...own };
  resolved.set(shape, whole);
  return whole;
}

/** Shape of a whole object; `undefined` for kinds that are stored as they come. */
export function shapeOf(apiVersion: string, kind: string): Shape | undefined {
  const name = schemas.kinds[`${apiVersion}/${kind}`];
  return name === undefined ? undefined : schemas.shapes[name];
}

/** Shape of one field of an object-like place. */
export function fieldShape(shape: Shape, key: string): Shape {
  return resolveShape(shape.properties?.[key] ?? shape.values);
}

export type PruneResult = { readonly value: Json; readonly unknown: readonly string[] };

/**
 * Drops fields that the shape does not know and names them, e.g. `spec.template.foo`; a null
 * counts as
 * absent. Subtrees shared with `before` are taken as they are.
 * @throws TypeMismatch where a value has the wrong JSON type
 */
export function prune(shape: Shape, value: Json, before: Json | undefined): PruneResult {
  const unknown: string[] = [];
  return { value: pruneAt(resolveShape(shape), value, before, '', unknown), unknown };
}

export class TypeMismatch extends Error {
  override readonly name = 'TypeMismatch';
}

function pruneAt(
  shape: Shape,
  value: Json,
  before: Json | undefined,
  path: string,
  unknown: string[],
): Json {
  if (value === before || value === null) return value;
  checkType(shape, value, path);
  if (Array.isArray(value)) {
    if (shape.items === undefined) return value;
    const items = resolveShape(shape.items);
    const old = Array.isArray(before) ? (before as readonly Json[]) : [];
    const list = value as readonly Json[];
    return mapShared(list, (item, i) => pruneAt(items, item, old[i], `${path}[${i}]`, unknown));
  }
  if (typeof value !== 'object') return value;
  return pruneObject(shape, value as JsonObject, before, path, unknown);
}

function pruneObject(
  shape: Shape,
  value: JsonObject,
  before: Json | undefined,
  path: string,
  unknown: string[],
): JsonObject {
  const closed = shape.properties !== undefined && shape.open !== true;
  if (!closed && shape.values === undefined && shape.properties === undefined) return value;
  const old = typeof before === 'object' && before !== null ? (before as JsonObject) : {};
  let copy: Record<string, Json | undefined> | undefined;
  for (const key in value) {
    const child = value[key];
    const place = path === '' ? key : `${path}.${key}`;
    if (child === undefined) continue;
    if (child === null) {
      copy ??= { ...value };
      delete copy[key];
      continue;
    }
    if (closed && shape.properties[key] === undefined && shape.values === undefined) {
      unknown.push(place);
      copy ??= { ...value };
      delete copy[key];
      continue;
    }
    const kept = pruneAt(fieldShape(shape, key), child, old[key], place, unknown);
    if (kept !== child) (copy ??= { ...value })[key] = kept;
  }
  return copy ?? value;
}

export function mapShared<T>(
  list: readonly T[],
  change: (item: T, index: number) => T,
): readonly T[] {
  let copy: T[] | undefined;
  list.forEach((item, i) => {
    const next = change(item, i);
    if (next !== item) (copy ??= [...list])[i] = next;
  });
  return copy ?? list;
}

const jsonTypes: Readonly<Record<string, (value: Json) => boolean>> = {
  object: (value) => typeof value === 'object' && !Array.isArray(value),
  array: (value) => Array.isArray(value),
  string: (value) => typeof value === 'string',
  boolean: (value) => typeof value === 'boolean',
  integer: (value) => Number.isInteger(value),
  number: (value) => typeof value === 'number',
};

function checkType(shape: Shape, value: Json, path: string): void {
  if (shape.intOrString === true || shape.format === 'int-or-string') {
    if (typeof value === 'string' || Number.isInteger(value)) return;
  } else if (shape.type === undefined || jsonTypes[shape.type]?.(value) !== false) return;
  // A quantity is a string in the schema, but a plain number is taken too.
  if (
    shape.type === 'string' &&
    typeof value === 'number' &&
    /resources\.|capacity|hard|averageValue|\.value$/.test(path)
  )
    return;
  const found = Array.isArray(value) ? 'array' : typeof value;
  throw new TypeMismatch(
    `${path}: cannot take ${found} for a field of type ${shape.type ?? 'int-or-string'}`,
  );
}
