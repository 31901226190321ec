import { copyWithout, isObject, type Json, type JsonObject, type Mutable } from './json.ts';

/** JSON merge patch: objects merge, `null` removes, everything else replaces. Source: RFC 7396. */
export function mergePatch(target: Json | undefined, patch: Json): Json {
  if (!isObject(patch)) return patch;
  const base: JsonObject = isObject(target) ? target : {};
  let copy: Mutable | undefined = isObject(target) ? undefined : {};
  for (const key in patch) {
    const change = patch[key];
    if (change === undefined) continue;
    if (change === null) {
      if (base[key] !== undefined) copy = copyWithout(copy ?? base, key);
      continue;
    }
    const next = mergePatch(base[key], change);
    if (next !== base[key]) (copy ??= { ...base })[key] = next;
  }
  return copy ?? base;
}
