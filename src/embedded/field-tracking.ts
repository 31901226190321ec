import { type FieldSet, leaf, noFields } from './field-set.ts';
import {
  asObject,
  canonicalJson,
  equalJson,
  isArray,
  isObject,
  type Json,
  type JsonObject,
} from './json.ts';
import { fieldShape, itemShape, type Shape } from './schema.ts';

type Tree = Record<string, FieldSet>;

/** Step that names an item of a keyed list; absent key fields take their schema default. */
export function itemStep(list: Shape, item: Json): string {
  if (list.listType === 'set') return `v:${JSON.stringify(item)}`;
  const fields = asObject(item);
  let text = '';
  for (const { key, label, otherwise } of keysOf(list)) {
    const value = fields[key] ?? otherwise;
    if (value !== undefined) text += `${text === '' ? '' : ','}${label}:${canonicalJson(value)}`;
  }
  return `k:{${text}}`;
}

type ListKey = {
  readonly key: string;
  readonly label: string;
  readonly otherwise: Json | undefined;
};
const listKeys = new WeakMap<Shape, readonly ListKey[]>();

/** What names the items of a list, in the order of canonical JSON. Shapes never change. */
function keysOf(list: Shape): readonly ListKey[] {
  const known = listKeys.get(list);
  if (known !== undefined) return known;
  const items = itemShape(list);
  const keys = [...(list.listKeys ?? [])].sort().map((key) => {
    return { key, label: JSON.stringify(key), otherwise: fieldShape(items, key).default };
  });
  listKeys.set(list, keys);
  return keys;
}

const fieldSteps = new Map<string, string>();
/** Names of fields, labels and annotations are few and come again and again: so many are kept. */
const stepLimit = 5000;

/** Step to a field: to look one up is cheaper than to make a text that was no key before. */
function fieldStep(key: string): string {
  let step = fieldSteps.get(key);
  if (step === undefined) {
    if (fieldSteps.size >= stepLimit) fieldSteps.clear();
    fieldSteps.set(key, (step = `f:${key}`));
  }
  return step;
}

export const isKeyedList = (shape: Shape): boolean =>
  shape.listType === 'map' || shape.listType === 'set';

const isGranularObject = (shape: Shape, value: Json | undefined): value is JsonObject =>
  isObject(value) &&
  shape.mapType !== 'atomic' &&
  (shape.properties !== undefined || shape.values !== undefined);

/** All fields that an applied configuration speaks of. */
export function fieldsOf(shape: Shape, value: Json): FieldSet {
  const tree: Tree = {};
  if (isGranularObject(shape, value)) {
    for (const key of Object.keys(value))
      tree[`f:${key}`] = fieldsOf(fieldShape(shape, key), value[key] as Json);
  } else if (isArray(value) && isKeyedList(shape)) {
    const items = itemShape(shape);
    for (const item of value)
      tree[itemStep(shape, item)] =
        shape.listType === 'set' ? {} : { '.': {}, ...fieldsOf(items, item) };
  }
  return tree;
}

export type FieldChanges = {
  /** Fields that are new or have another value. */
  readonly changed: FieldSet;
  readonly removed: FieldSet;
};

/** What differs between two states of an object, field by field; shared subtrees are skipped. */
export function compareFields(
  shape: Shape,
  before: Json | undefined,
  after: Json | undefined,
): FieldChanges {
  const changes = compareAt(shape, before, after, true);
  return { changed: changes?.changed ?? noFields, removed: changes?.removed ?? noFields };
}

type PartChanges = {
  readonly changed?: FieldSet | undefined;
  readonly removed?: FieldSet | undefined;
};

const wasChanged: PartChanges = { changed: leaf, removed: undefined };
const wasRemoved: PartChanges = { changed: undefined, removed: leaf };

/** `undefined` where nothing differs. */
function compareAt(
  shape: Shape,
  before: Json | undefined,
  after: Json | undefined,
  root = false,
  required = false,
): PartChanges | undefined {
  if (before === after) return undefined;
  if (
    isGranularObject(shape, after ?? before) &&
    isObjectOrAbsent(before) &&
    isObjectOrAbsent(after)
  )
    return compareObjects(shape, before, after, root);
  if (isKeyedList(shape) && isListOrAbsent(before) && isListOrAbsent(after))
    return compareLists(shape, before, after, required);
  if (after === undefined) return wasRemoved;
  return equalJson(before, after) ? undefined : wasChanged;
}

const isObjectOrAbsent = (v: Json | undefined): v is JsonObject | undefined =>
  v === undefined || isObject(v);
const isListOrAbsent = (v: Json | undefined): v is readonly Json[] | undefined =>
  v === undefined || isArray(v);

/** Changes of children while they are collected. */
type Collected = { changed: Tree | undefined; removed: Tree | undefined };

function collect(into: Collected, step: string, part: PartChanges | undefined): void {
  if (part === undefined) return;
  if (part.changed !== undefined) (into.changed ??= {})[step] = part.changed;
  if (part.removed !== undefined) (into.removed ??= {})[step] = part.removed;
}

/** The container itself appears when it comes or goes as a whole. */
function finish(parts: Collected, came: boolean, went: boolean): PartChanges | undefined {
  const changed = withContainer(parts.changed, came);
  const removed = withContainer(parts.removed, went);
  return changed === undefined && removed === undefined ? undefined : { changed, removed };
}

function withContainer(children: Tree | undefined, whole: boolean): FieldSet | undefined {
  if (!whole) return children;
  if (children === undefined) return leaf;
  children['.'] = leaf;
  return children;
}

function compareObjects(
  shape: Shape,
  before: JsonObject | undefined,
  after: JsonObject | undefined,
  root: boolean,
): PartChanges | undefined {
  const parts: Collected = { changed: undefined, removed: undefined };
  for (const key in after) {
    const was = before?.[key];
    const now = after[key];
    if (was === now) continue;
    const required = isArray(now) && shape.required?.includes(key) === true;
    const part = compareAt(fieldShape(shape, key), was, now, false, required);
    if (part !== undefined) collect(parts, fieldStep(key), part);
  }
  for (const key in before) {
    if (after?.[key] !== undefined) continue;
    const part = compareAt(fieldShape(shape, key), before[key], undefined);
    if (part !== undefined) collect(parts, fieldStep(key), part);
  }
  // A place that is always there (default {}) is not owned as such; nor is the object itself.
  const structural = root || (shape.default !== undefined && isObject(shape.default));
  const emptyLeaf = after !== undefined && before === undefined && Object.keys(after).length === 0;
  return finish(
    parts,
    before === undefined && after !== undefined && (!structural || (emptyLeaf && !root)),
    before !== undefined && after === undefined && !structural,
  );
}

function compareLists(
  shape: Shape,
  before: readonly Json[] | undefined,
  after: readonly Json[] | undefined,
  required: boolean,
): PartChanges | undefined {
  const items = itemsOf(shape);
  const parts: Collected = { changed: undefined, removed: undefined };
  // To name an item costs more than to see that it is where it was.
  const old = new Map<string, Json>();
  before?.forEach((item, i) => item !== after?.[i] && old.set(itemStep(shape, item), item));
  after?.forEach((item, i) => {
    if (item === before?.[i]) return;
    const step = itemStep(shape, item);
    collect(parts, step, compareItems(shape, items, old.get(step), item));
    old.delete(step);
  });
  for (const [step, item] of old) collect(parts, step, compareItems(shape, items, item, undefined));
  return finish(
    parts,
    before === undefined && after !== undefined && !required,
    before !== undefined && after === undefined,
  );
}

const ownedItems = new WeakMap<Shape, Shape>();

/** An item is owned as such, whatever its default. */
function itemsOf(list: Shape): Shape {
  const given = itemShape(list);
  if (given.default === undefined) return given;
  let items = ownedItems.get(given);
  if (items === undefined) ownedItems.set(given, (items = { ...given, default: null }));
  return items;
}

function compareItems(
  list: Shape,
  items: Shape,
  was: Json | undefined,
  now: Json | undefined,
): PartChanges | undefined {
  if (list.listType !== 'set') return compareAt(items, was, now);
  if (was === undefined) return wasChanged;
  return now === undefined ? wasRemoved : undefined;
}
