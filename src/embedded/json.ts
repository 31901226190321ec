/** JSON as the API server stores and answers it: never mutated, shared freely between readers. */
export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export type JsonObject = { readonly [key: string]: Json | undefined };
export type Mutable = Record<string, Json | undefined>;

export const isObject = (value: Json | undefined): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export const isArray = (value: Json | undefined): value is readonly Json[] => Array.isArray(value);

export const asObject = (value: Json | undefined): JsonObject => (isObject(value) ? value : {});
export const asArray = (value: Json | undefined): readonly Json[] => (isArray(value) ? value : []);
export const asString = (value: Json | undefined): string =>
  typeof value === 'string' ? value : '';
export const asNumber = (value: Json | undefined, otherwise = 0): number =>
  typeof value === 'number' ? value : otherwise;

/**
 * Structural equality; shared subtrees cost nothing. A key with `undefined` equals an absent one.
 */
export function equalJson(a: Json | undefined, b: Json | undefined): boolean {
  if (a === b) return true;
  // What is no object is the most there is, and equal only to itself.
  if (typeof a !== 'object' || typeof b !== 'object') return false;
  if (isArray(a) && isArray(b)) {
    if (a.length !== b.length) return false;
    for (let i = 0; i < a.length; i += 1) if (!equalJson(a[i], b[i])) return false;
    return true;
  }
  return isObject(a) && isObject(b) && equalFields(a, b);
}

/** Equality of two objects, one of their keys aside where it is named. */
export function equalFields(a: JsonObject, b: JsonObject, aside?: string): boolean {
  let more = 0;
  for (const key in a) {
    const mine = a[key];
    if (mine === undefined || key === aside) continue;
    if (!equalJson(mine, b[key])) return false;
    more += 1;
  }
  for (const key in b) if (b[key] !== undefined && key !== aside) more -= 1;
  return more === 0;
}

/**
 * Freezes a value all the way down; stops at subtrees that are frozen already. To ask that of a
 * subtree costs more than to see that it is the one of `before`, the frozen state before this one.
 */
export function deepFreeze<T>(value: T, before?: unknown): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  Object.freeze(value);
  if (Array.isArray(value)) {
    const old: readonly unknown[] = Array.isArray(before) ? before : [];
    for (let i = 0; i < value.length; i += 1) if (value[i] !== old[i]) deepFreeze(value[i], old[i]);
    return value;
  }
  const old = before as Partial<T> | undefined;
  for (const key in value) {
    const child = value[key];
    if (typeof child !== 'object') continue;
    const was = old?.[key];
    if (child !== was) deepFreeze(child, was);
  }
  return value;
}

/** Value at a path of object keys; `undefined` where the path ends early. */
export function valueAt(value: Json | undefined, path: readonly string[]): Json | undefined {
  let here = value;
  for (const key of path) {
    if (!isObject(here)) return undefined;
    here = here[key];
  }
  return here;
}

/**
 * Copy of an object with the value at `path` replaced (`undefined` removes it); the rest is
 * shared.
 */
export function withValueAt(
  value: JsonObject,
  path: readonly string[],
  replacement: Json | undefined,
): JsonObject {
  const [head, ...rest] = path;
  if (head === undefined) return asObject(replacement);
  const child =
    rest.length === 0 ? replacement : withValueAt(asObject(value[head]), rest, replacement);
  return child === undefined ? without(value, head) : { ...value, [head]: child };
}

/** Copy of an object without a key; the same object when the key is absent. */
export const without = (value: JsonObject, key: string): JsonObject =>
  key in value ? copyWithout(value, key) : value;

/**
 * Copy of an object without a key. Not a copy from which the key is deleted: such an object is slow
 * to read and to copy ever after.
 */
export function copyWithout(value: JsonObject, key: string): Mutable {
  const rest: Mutable = {};
  for (const name in value) if (name !== key) rest[name] = value[name];
  return rest;
}

/** JSON with object keys in alphabetical order: equal values give equal text. */
export function canonicalJson(value: Json | undefined): string {
  if (isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (!isObject(value)) return JSON.stringify(value ?? null);
  const keys = Object.keys(value).filter((key) => value[key] !== undefined);
  return `{${keys
    .sort()
    .map((key) => `${JSON.stringify(key)}:${canonicalJson(value[key])}`)
    .join(',')}}`;
}
