import { asString, equalJson, isArray, isObject, type Json, type JsonObject } from './json.ts';

/** An operation that cannot be applied: a missing path or a failed `test`. Answered with 422. */
export class PatchRefused extends Error {
  override readonly name = 'PatchRefused';
}

/** Applies operations in order, all or nothing. Source: RFC 6902. @throws PatchRefused */
export function jsonPatch(target: Json, operations: readonly Json[]): Json {
  return operations.reduce<Json>((value, operation) => {
    if (!isObject(operation)) throw new PatchRefused('an operation must be an object');
    return applyOperation(value, operation);
  }, target);
}

function applyOperation(value: Json, operation: JsonObject): Json {
  const path = pointer(asString(operation.path));
  switch (operation.op) {
    case 'add':
      return change(value, path, () => required(operation), 'add');
    case 'replace':
      read(value, path);
      return change(value, path, () => required(operation), 'replace');
    case 'remove':
      read(value, path);
      return change(value, path, () => undefined, 'replace');
    case 'test': {
      const found = readIfThere(value, path);
      if (!equalJson(found ?? null, operation.value ?? null))
        throw new PatchRefused(`testing value ${asString(operation.path)} failed`);
      return value;
    }
    case 'copy':
      return change(value, path, () => read(value, pointer(asString(operation.from))), 'add');
    case 'move': {
      const from = pointer(asString(operation.from));
      const moved = read(value, from);
      return change(
        change(value, from, () => undefined, 'replace'),
        path,
        () => moved,
        'add',
      );
    }
    default:
      throw new PatchRefused(`unexpected kind: ${JSON.stringify(operation.op)}`);
  }
}

function required(operation: JsonObject): Json {
  if (operation.value === undefined) throw new PatchRefused('the operation has no value');
  return operation.value;
}

function pointer(text: string): readonly string[] {
  if (text === '') return [];
  if (!text.startsWith('/'))
    throw new PatchRefused(`${JSON.stringify(text)} is not a JSON pointer`);
  const parts = text.slice(1).split('/');
  if (!text.includes('~')) return parts;
  return parts.map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
}

function readIfThere(value: Json, path: readonly string[]): Json | undefined {
  return path.reduce<Json | undefined>((here, key) => {
    if (isArray(here)) return here[Number(key)];
    return isObject(here) ? here[key] : undefined;
  }, value);
}

function read(value: Json, path: readonly string[]): Json {
  const found = readIfThere(value, path);
  if (found === undefined) throw new PatchRefused(`missing path: /${path.join('/')}`);
  return found;
}

/** Copy with the place at `path` set (`undefined` removes it); `add` inserts into arrays. */
function change(
  value: Json,
  path: readonly string[],
  next: () => Json | undefined,
  mode: 'add' | 'replace',
): Json {
  const [key, ...rest] = path;
  if (key === undefined) return next() ?? null;
  if (isArray(value)) return changeItem(value, key, rest, next, mode);
  if (!isObject(value)) throw new PatchRefused(`missing path: ${key}`);
  if (rest.length > 0) {
    if (value[key] === undefined) throw new PatchRefused(`missing path: ${key}`);
    return { ...value, [key]: change(value[key], rest, next, mode) };
  }
  const replacement = next();
  if (replacement !== undefined) return { ...value, [key]: replacement };
  const { [key]: _removed, ...others } = value;
  return others;
}

function changeItem(
  list: readonly Json[],
  key: string,
  rest: readonly string[],
  next: () => Json | undefined,
  mode: 'add' | 'replace',
): Json {
  const index = key === '-' ? list.length : Number(key);
  if (!Number.isInteger(index) || index < 0 || index > list.length)
    throw new PatchRefused(`index ${key} is out of bounds`);
  const copy = [...list];
  if (rest.length > 0) {
    if (index === list.length) throw new PatchRefused(`index ${key} is out of bounds`);
    copy[index] = change(list[index] as Json, rest, next, mode);
    return copy;
  }
  const replacement = next();
  if (replacement === undefined) copy.splice(index, 1);
  else copy.splice(index, mode === 'add' ? 0 : 1, replacement);
  return copy;
}
