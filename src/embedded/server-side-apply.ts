import type { FieldSet } from './field-set.ts';
import { isKeyedList, itemStep } from './field-tracking.ts';
import {
  asArray,
  asObject,
  copyWithout,
  isArray,
  isObject,
  type Json,
  type JsonObject,
  type Mutable,
} from './json.ts';
import { fieldShape, itemShape, type Shape } from './schema.ts';

/**
 * Merges an applied configuration into the live value: granular maps and keyed lists merge, the
 * rest replaces.
 */
export function applyMerge(shape: Shape, live: Json | undefined, config: Json): Json {
  if (
    isObject(config) &&
    isObject(live) &&
    shape.mapType !== 'atomic' &&
    (shape.properties ?? shape.values)
  ) {
    let copy: Mutable | undefined;
    for (const key of Object.keys(config)) {
      const next = applyMerge(fieldShape(shape, key), live[key], config[key] as Json);
      if (next !== live[key]) (copy ??= { ...live })[key] = next;
    }
    return copy ?? live;
  }
  if (isArray(config) && isArray(live) && isKeyedList(shape))
    return mergeKeyed(shape, live, config);
  return sameValue(live, config) ? (live as Json) : config;
}

const sameValue = (a: Json | undefined, b: Json) =>
  a === b || (a !== undefined && JSON.stringify(a) === JSON.stringify(b));

/** Items in the order of the configuration where it names them; others stay where they were. */
function mergeKeyed(shape: Shape, live: readonly Json[], config: readonly Json[]): readonly Json[] {
  const items = itemShape(shape);
  const merged = [...live];
  const places = new Map(live.map((item, i) => [itemStep(shape, item), i]));
  for (const item of config) {
    const at = places.get(itemStep(shape, item));
    if (at === undefined) merged.push(item);
    else merged[at] = shape.listType === 'set' ? item : applyMerge(items, live[at], item);
  }
  return merged.length === live.length && merged.every((item, i) => item === live[i])
    ? live
    : merged;
}

/** Removes abandoned fields; a container that this leaves empty goes with them. */
export function removeFields(shape: Shape, value: Json, fields: FieldSet): Json | undefined {
  const steps = Object.keys(fields).filter((step) => step !== '.');
  if (steps.length === 0) return undefined;
  if (isArray(value)) return removeItems(shape, value, fields);
  if (!isObject(value)) return value;
  let copy: Mutable | undefined;
  for (const step of steps) {
    const key = step.slice(2);
    const child = value[key];
    if (child === undefined) continue;
    const left = removeFields(fieldShape(shape, key), child, fields[step] as FieldSet);
    if (left === child) continue;
    if (left === undefined) copy = copyWithout(copy ?? value, key);
    else (copy ??= { ...value })[key] = left;
  }
  if (copy === undefined) return value;
  return Object.keys(copy).length === 0 ? undefined : copy;
}

function removeItems(shape: Shape, list: readonly Json[], fields: FieldSet): Json | undefined {
  const items = itemShape(shape);
  const left = list.flatMap((item) => {
    const going = fields[itemStep(shape, item)];
    if (going === undefined) return [item];
    // The item itself was abandoned, not only some of its fields.
    if ('.' in going || Object.keys(going).length === 0) return [];
    return asArray([removeFields(items, item, going) ?? {}]);
  });
  return left.length === 0 ? undefined : left;
}

/** Removes abandoned fields from a whole object, whose root never goes. */
export function removeAbandoned(shape: Shape, object: JsonObject, fields: FieldSet): JsonObject {
  if (Object.keys(fields).length === 0) return object;
  return asObject(removeFields(shape, object, fields) ?? object);
}
