import {
  asArray,
  copyWithout,
  equalJson,
  isArray,
  isObject,
  type Json,
  type JsonObject,
  type Mutable,
} from './json.ts';
import { fieldShape, itemShape, type Shape } from './schema.ts';

const setOrder = '$setElementOrder/';
const deleteFrom = '$deleteFromPrimitiveList/';
const retain = '$retainKeys';
const directive = '$patch';

/**
 * Strategic merge patch: lists with a merge key merge item by item, the rest replaces. Knows
 * `$patch`
 * (delete, replace, merge), `$setElementOrder/…`, `$deleteFromPrimitiveList/…` and `$retainKeys`.
 */
export function strategicMerge(shape: Shape, target: Json | undefined, patch: Json): Json {
  if (!isObject(patch)) return patch;
  return mergeObject(shape, isObject(target) ? target : {}, patch) ?? {};
}

/** `undefined` when the patch deletes the object. */
function mergeObject(shape: Shape, target: JsonObject, patch: JsonObject): JsonObject | undefined {
  if (patch[directive] === 'delete') return undefined;
  if (patch[directive] === 'replace') return stripDirectives(patch);
  let copy: Mutable | undefined;
  const set = (key: string, value: Json | undefined) => {
    if (value === undefined) copy = copyWithout(copy ?? target, key);
    else (copy ??= { ...target })[key] = value;
  };
  const kept = patch[retain];
  if (isArray(kept))
    for (const key of Object.keys(target)) if (!kept.includes(key)) set(key, undefined);
  for (const key of changedKeys(patch)) {
    const before = (copy ?? target)[key];
    const next = mergeField(fieldShape(shape, key), before, patch, key);
    if (next !== before) set(key, next);
  }
  return copy ?? target;
}

/** Fields that a patch speaks of, directly or by a directive for their list. */
function changedKeys(patch: JsonObject): Set<string> {
  const keys = new Set<string>();
  for (const key of Object.keys(patch)) {
    if (key.startsWith(setOrder)) keys.add(key.slice(setOrder.length));
    else if (key.startsWith(deleteFrom)) keys.add(key.slice(deleteFrom.length));
    else if (key !== retain && key !== directive) keys.add(key);
  }
  return keys;
}

function mergeField(
  shape: Shape,
  before: Json | undefined,
  patch: JsonObject,
  key: string,
): Json | undefined {
  const change = patch[key];
  if (change === null) return undefined;
  const merges = (shape.mergeStrategy ?? '').includes('merge');
  if (isArray(change) || (change === undefined && isArray(before))) {
    if (!merges) return change ?? before;
    return mergeList(shape, asArray(before), change, patch, key);
  }
  if (isObject(change)) {
    if (shape.mergeStrategy === 'replace') return stripDirectives(change);
    return mergeObject(shape, isObject(before) ? before : {}, change);
  }
  return change === undefined ? before : change;
}

function mergeList(
  shape: Shape,
  before: readonly Json[],
  change: readonly Json[] | undefined,
  patch: JsonObject,
  key: string,
): readonly Json[] {
  const order = patch[setOrder + key];
  if (shape.mergeKey === undefined) {
    const removed = asArray(patch[deleteFrom + key]);
    const merged = before.filter((item) => !removed.includes(item));
    for (const item of change ?? []) if (!merged.includes(item)) merged.push(item);
    return shared(before, isArray(order) ? reorder(merged, order, (item) => item) : merged);
  }
  const mergeKey = shape.mergeKey;
  const keyOf = (item: Json): Json => (isObject(item) ? (item[mergeKey] ?? null) : item);
  const merged = mergeItems(itemShape(shape), before, change ?? [], keyOf);
  return shared(before, isArray(order) ? reorder(merged, order, keyOf) : merged);
}

function mergeItems(
  items: Shape,
  before: readonly Json[],
  change: readonly Json[],
  keyOf: (item: Json) => Json,
): Json[] {
  if (
    change.some(
      (item) => isObject(item) && item[directive] === 'replace' && Object.keys(item).length === 1,
    )
  )
    return change.filter((item) => !isObject(item) || item[directive] === undefined);
  let merged = [...before];
  for (const item of change) {
    if (!isObject(item)) continue;
    const at = merged.findIndex((old) => equalJson(keyOf(old), keyOf(item)));
    if (at < 0) {
      if (item[directive] !== 'delete') merged.push(mergeObject(items, {}, item) ?? {});
      continue;
    }
    const next = mergeObject(items, merged[at] as JsonObject, item);
    if (next === undefined) merged = merged.filter((_, i) => i !== at);
    else merged[at] = next;
  }
  return merged;
}

/**
 * Items named in the order come in that order; items it does not name keep their place before the
 * next named one.
 */
function reorder(
  list: readonly Json[],
  order: readonly Json[],
  keyOf: (item: Json) => Json,
): Json[] {
  const keys = order.map(keyOf);
  const rank = (item: Json) => keys.findIndex((key) => equalJson(key, keyOf(item)));
  const named = list.filter((item) => rank(item) >= 0).sort((a, b) => rank(a) - rank(b));
  const result: Json[] = [];
  let next = 0;
  for (const item of list) {
    if (rank(item) < 0) result.push(item);
    else result.push(named[next++] as Json);
  }
  return result;
}

const shared = (before: readonly Json[], after: readonly Json[]): readonly Json[] =>
  before.length === after.length && before.every((item, i) => item === after[i]) ? before : after;

function stripDirectives(value: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(value).filter(([key]) => !key.startsWith('$')));
}
