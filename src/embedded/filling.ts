import { isArray, isObject, type Json, type JsonObject, type Mutable } from './json.ts';
import { mapShared } from './schema.ts';

/** Copy with missing fields filled in; the same object when none is missing. */
export function fill(value: JsonObject, fields: JsonObject): JsonObject {
  let copy: Mutable | undefined;
  for (const key in fields)
    if (value[key] === undefined) (copy ??= { ...value })[key] = fields[key];
  return copy ?? value;
}

/** Copy with one field changed by a function; the same object when the function changes nothing. */
export function adjust(
  value: JsonObject,
  key: string,
  change: (child: Json | undefined) => Json | undefined,
): JsonObject {
  return replace(value, key, change(value[key]));
}

/** Copy with one field replaced; the same object when that changes nothing. */
export function replace(value: JsonObject, key: string, next: Json | undefined): JsonObject {
  if (next === value[key]) return value;
  const copy: Mutable = { ...value };
  copy[key] = next;
  return copy;
}

export const adjustItems = (
  value: JsonObject,
  key: string,
  change: (item: JsonObject) => JsonObject,
): JsonObject =>
  adjust(value, key, (list) =>
    isArray(list) ? mapShared(list, (item) => (isObject(item) ? change(item) : item)) : list,
  );
