import { type FieldSet, noFields } from './field-set.ts';
import {
  asObject,
  canonicalJson,
  equalJson,
  isArray,
  isObject,
  type Json,
  type JsonObject,
} from './json.ts';
import { fieldShape, resolveShape, type Shape } from './schema.ts';

type Tree = Record<string, FieldSet>;

/** Step that names an item of a keyed list; absent key fields take their schema default. */
export function itemStep(list: Shape, item: Json): string {
  if (list.listType === 'set') return `v:${JSON.stringify(item)}`;
  const items = resolveShape(list.items);
  const keys: Record<string, Json | undefined> = {};
  for (const key of list.listKeys ?? [])
    keys[key] = asObject(item)[key] ?? fieldShape(items, key).default;
  return `k:${canonicalJson(keys)}`;
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
    const items = resolveShape(shape.items);
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
  return { changed: changes.changed ?? noFields, removed: changes.removed ?? noFields };
}

type PartChanges = { changed?: FieldSet; removed?: FieldSet };

function compareAt(
  shape: Shape,
  before: Json | undefined,
  after: Json | undefined,
  root = false,
  required = false,
): PartChanges {
  if (before === after) return {};
  if (
    isGranularObject(shape, after ?? before) &&
    isObjectOrAbsent(before) &&
    isObjectOrAbsent(after)
  )
    return compareObjects(shape, before, after, root);
  if (isKeyedList(shape) && isListOrAbsent(before) && isListOrAbsent(after))
    return compareLists(shape, before, after, required);
  if (after === undefined) return { removed: {} };
  return equalJson(before, after) ? {} : { changed: {} };
}

const isObjectOrAbsent = (v: Json | undefined): v is JsonObject | undefined =>
  v === undefined || isObject(v);
const isListOrAbsent = (v: Json | undefined): v is readonly Json[] | undefined =>
  v === undefined || isArray(v);

/**
 * Collects the changes of children; the container itself appears when it comes or goes as a
 * whole.
 */
class Collected {
  readonly changed: Tree = {};
  readonly removed: Tree = {};
  add(step: string, part: PartChanges): void {
    if (part.changed !== undefined) this.changed[step] = part.changed;
    if (part.removed !== undefined) this.removed[step] = part.removed;
  }
  finish(came: boolean, went: boolean): PartChanges {
    if (came) this.changed['.'] = {};
    if (went) this.removed['.'] = {};
    return {
      ...(came || Object.keys(this.changed).length > 0
        ? { changed: leafIfAlone(this.changed) }
        : {}),
      ...(went || Object.keys(this.removed).length > 0
        ? { removed: leafIfAlone(this.removed) }
        : {}),
    };
  }
}

const leafIfAlone = (tree: Tree): FieldSet =>
  Object.keys(tree).length === 1 && '.' in tree ? {} : tree;

function compareObjects(
  shape: Shape,
  before: JsonObject | undefined,
  after: JsonObject | undefined,
  root: boolean,
): PartChanges {
  const parts = new Collected();
  for (const key in after)
    parts.add(
      `f:${key}`,
      compareAt(
        fieldShape(shape, key),
        before?.[key],
        after[key],
        false,
        shape.required?.includes(key),
      ),
    );
  for (const key in before)
    if (after?.[key] === undefined)
      parts.add(`f:${key}`, compareAt(fieldShape(shape, key), before[key], undefined));
  // A place that is always there (default {}) is not owned as such; nor is the object itself.
  const structural = root || (shape.default !== undefined && isObject(shape.default));
  const emptyLeaf = after !== undefined && before === undefined && Object.keys(after).length === 0;
  return parts.finish(
    before === undefined && after !== undefined && (!structural || (emptyLeaf && !root)),
    before !== undefined && after === undefined && !structural,
  );
}

function compareLists(
  shape: Shape,
  before: readonly Json[] | undefined,
  after: readonly Json[] | undefined,
  required: boolean,
): PartChanges {
  const items = resolveShape(shape.items);
  const parts = new Collected();
  const old = new Map((before ?? []).map((item) => [itemStep(shape, item), item]));
  for (const item of after ?? []) {
    const step = itemStep(shape, item);
    const was = old.get(step);
    old.delete(step);
    if (shape.listType === 'set') parts.add(step, was === undefined ? { changed: {} } : {});
    else
      parts.add(
        step,
        compareAt(items.default === undefined ? items : { ...items, default: null }, was, item),
      );
  }
  for (const [step, item] of old)
    parts.add(
      step,
      shape.listType === 'set'
        ? { removed: {} }
        : compareAt({ ...items, default: null }, item, undefined),
    );
  return parts.finish(
    before === undefined && after !== undefined && !required,
    before !== undefined && after === undefined,
  );
}
