import {
  asObject,
  copyWithout,
  isArray,
  isObject,
  type Json,
  type JsonObject,
  type Mutable,
} from './json.ts';
import schemaFile from './schemas.json' with { type: 'json' };

/**
 * What is known of one place in an object: its type, how lists merge, defaults and bounds.
 * Generated from
 * the OpenAPI documents of a real API server by test/contract/kubernetes/generate-schemas.ts.
 */
export type Schema = Constraints & {
  readonly ref?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly values?: Schema;
  readonly items?: Schema;
};

type Constraints = {
  readonly type?: string;
  readonly format?: string;
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
  /** `apps/v1/Deployment` → name of its schema. */
  readonly kinds: Readonly<Record<string, string>>;
  readonly shapes: Readonly<Record<string, Schema>>;
};

export const schemas = schemaFile as unknown as SchemaFile;

/**
 * A schema whose references are followed. All have every key, in one order: every write walks
 * them, and objects of one form are read far faster than those of many.
 */
export type Shape = { readonly [K in keyof Constraints]-?: Constraints[K] | undefined } & {
  /** A time with exactly six fractional digits. */
  readonly micro: boolean;
  readonly properties: ReadonlyMap<string, Shape> | undefined;
  readonly values: Shape | undefined;
  readonly items: Shape | undefined;
};

const microTime = 'io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime';
const shapes = new Map<Schema, Shape>();

/**
 * Follows references; what the referring place says (merge keys, defaults) wins over the target.
 */
export function shapeFrom(schema: Schema): Shape {
  const known = shapes.get(schema);
  if (known !== undefined) return known;
  const { ref, ...own } = schema;
  const whole: Schema = ref === undefined ? own : { ...schemas.shapes[ref], ...own };
  const shape = {
    type: whole.type,
    format: whole.format,
    required: whole.required,
    default: whole.default,
    enum: whole.enum,
    pattern: whole.pattern,
    minimum: whole.minimum,
    maximum: whole.maximum,
    minLength: whole.minLength,
    maxLength: whole.maxLength,
    minItems: whole.minItems,
    maxItems: whole.maxItems,
    listType: whole.listType,
    listKeys: whole.listKeys,
    mapType: whole.mapType,
    mergeKey: whole.mergeKey,
    mergeStrategy: whole.mergeStrategy,
    intOrString: whole.intOrString,
    open: whole.open,
    micro: ref === microTime,
    properties: undefined as ReadonlyMap<string, Shape> | undefined,
    values: undefined as Shape | undefined,
    items: undefined as Shape | undefined,
  };
  // A shape may lead to itself.
  shapes.set(schema, shape);
  const { properties, values, items } = whole;
  if (properties !== undefined)
    shape.properties = new Map(
      Object.entries(properties).map(([key, child]) => [key, shapeFrom(child)]),
    );
  if (values !== undefined) shape.values = shapeFrom(values);
  if (items !== undefined) shape.items = shapeFrom(items);
  return shape;
}

export const anything = shapeFrom({ open: true });
/** Of kinds that are stored as they come. */
export const untyped = shapeFrom({ type: 'object', properties: {}, values: { open: true } });

/** Shape of a whole object; `undefined` for kinds that are stored as they come. */
export function shapeOf(apiVersion: string, kind: string): Shape | undefined {
  const name = schemas.kinds[`${apiVersion}/${kind}`];
  const schema = name === undefined ? undefined : schemas.shapes[name];
  return schema === undefined ? undefined : shapeFrom(schema);
}

/** Shape of one field of an object-like place. */
export const fieldShape = (shape: Shape, key: string): Shape =>
  shape.properties?.get(key) ?? shape.values ?? anything;

/** Shape of the items of a list. */
export const itemShape = (list: Shape): Shape => list.items ?? anything;

export type PruneResult = {
  readonly value: Json;
  readonly unknown: readonly string[];
  /** What stands where a time should. */
  readonly times: readonly Time[];
};

/** A text in a place of format `date-time`. */
export type Time = { readonly text: string; readonly micro: boolean };

type Findings = { readonly unknown: string[]; readonly times: Time[] };

/**
 * Drops fields that the shape does not know and names them, e.g. `spec.template.foo`; a null
 * counts as
 * absent. Subtrees shared with `before` are taken as they are: they were pruned when it was stored.
 * Those that equal it become the same: whoever comes after sees at once that nothing changed.
 * @throws TypeMismatch where a value has the wrong JSON type
 */
export function prune(shape: Shape, value: Json, before: Json | undefined): PruneResult {
  const found: Findings = { unknown: [], times: [] };
  const kept = pruneAt(shape, value, before, undefined, found);
  return { value: kept, unknown: found.unknown, times: found.times };
}

export class TypeMismatch extends Error {
  override readonly name = 'TypeMismatch';
}

function pruneAt(
  shape: Shape,
  value: Json,
  before: Json | undefined,
  path: Path,
  found: Findings,
): Json {
  if (value === before || value === null) return value;
  if (!takes(shape, value)) checkQuantity(shape, value, placeOf(path));
  if (Array.isArray(value)) {
    if (shape.items === undefined) return value;
    return pruneList(shape.items, value as readonly Json[], before, path, found);
  }
  if (typeof value === 'object')
    return pruneObject(shape, value as JsonObject, before, path, found);
  noteTime(shape, value, found);
  return value;
}

function noteTime(shape: Shape, value: Json, found: Findings): void {
  if (shape.format === 'date-time' && typeof value === 'string')
    found.times.push({ text: value, micro: shape.micro });
}

function pruneList(
  items: Shape,
  list: readonly Json[],
  before: Json | undefined,
  path: Path,
  found: Findings,
): readonly Json[] {
  const old = isArray(before) ? before : [];
  let same = list.length === old.length;
  const kept = mapShared(list, (item, i) => {
    const was = old[i];
    const pruned = item === was ? item : pruneAt(items, item, was, { parent: path, key: i }, found);
    if (pruned !== was) same = false;
    return pruned;
  });
  return same && isArray(before) ? before : kept;
}

function pruneObject(
  shape: Shape,
  value: JsonObject,
  before: Json | undefined,
  path: Path,
  found: Findings,
): JsonObject {
  const { properties, values } = shape;
  if (properties === undefined && values === undefined) return value;
  const closed = properties !== undefined && shape.open !== true;
  const old = asObject(before);
  let count = 0;
  let same = true;
  let copy: Mutable | undefined;
  for (const key in value) {
    const child = value[key];
    if (child === undefined) continue;
    if (child === null) {
      copy = copyWithout(copy ?? value, key);
      continue;
    }
    const was = old[key];
    if (child === was) {
      count += 1;
      continue;
    }
    const place = properties?.get(key) ?? values;
    if (place === undefined && closed) {
      found.unknown.push(placeOf({ parent: path, key }));
      copy = copyWithout(copy ?? value, key);
      continue;
    }
    count += 1;
    const kept = pruneField(place ?? anything, child, was, path, key, found);
    if (kept !== was) same = false;
    if (kept !== child) (copy ??= { ...value })[key] = kept;
  }
  return same && isObject(before) && count === Object.keys(before).length
    ? before
    : (copy ?? value);
}

/** Most fields are no objects and have the right type: nobody asks for the place of those. */
function pruneField(
  shape: Shape,
  value: Json,
  before: Json | undefined,
  path: Path,
  key: string,
  found: Findings,
): Json {
  if (typeof value === 'object' || !takes(shape, value))
    return pruneAt(shape, value, before, { parent: path, key }, found);
  noteTime(shape, value, found);
  return value;
}

/** Where a value stands, from the inside out; told in words only when something is wrong there. */
type Path = { readonly parent: Path; readonly key: string | number } | undefined;

function placeOf(path: Path): string {
  if (path === undefined) return '';
  const { parent, key } = path;
  if (typeof key === 'number') return `${placeOf(parent)}[${key}]`;
  return parent === undefined ? key : `${placeOf(parent)}.${key}`;
}

export function mapShared<T>(
  list: readonly T[],
  change: (item: T, index: number) => T,
): readonly T[] {
  let copy: T[] | undefined;
  for (let i = 0; i < list.length; i += 1) {
    const item = list[i] as T;
    const next = change(item, i);
    if (next !== item) (copy ??= [...list])[i] = next;
  }
  return copy ?? list;
}

function hasType(type: string | undefined, value: Json): boolean {
  switch (type) {
    case 'object':
      return typeof value === 'object' && !Array.isArray(value);
    case 'array':
      return Array.isArray(value);
    case 'integer':
      return Number.isInteger(value);
    case 'string':
    case 'boolean':
    case 'number':
      return typeof value === type;
    default:
      return true;
  }
}

const takes = (shape: Shape, value: Json): boolean =>
  shape.intOrString === true || shape.format === 'int-or-string'
    ? typeof value === 'string' || Number.isInteger(value)
    : hasType(shape.type, value);

/** A quantity is a string in the schema, but a plain number is taken too. */
function checkQuantity(shape: Shape, value: Json, path: string): void {
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
