import {
  describePath,
  equalSets,
  type FieldSet,
  intersect,
  isEmptySet,
  members,
  noFields,
  overlaps,
  subtract,
  unite,
} from './field-set.ts';
import { compareFields, fieldsOf } from './field-tracking.ts';
import { asObject, type Json, type JsonObject } from './json.ts';
import { type KubernetesObject, type ManagedFieldsEntry, serverWritten } from './resource.ts';
import type { Shape } from './schema.ts';

export type Writer = {
  readonly manager: string;
  readonly operation: 'Apply' | 'Update';
  readonly apiVersion: string;
  readonly subresource: string | undefined;
  /** RFC 3339, whole seconds. */
  readonly time: string;
};

const serverOwned = [...serverWritten, 'managedFields'];
const unowned: FieldSet = {
  'f:apiVersion': {},
  'f:kind': {},
  'f:metadata': Object.fromEntries(
    ['.', ...serverOwned.map((field) => `f:${field}`)].map((step) => [step, {}]),
  ),
};

/** Drops what the server itself writes, and what the resource written through does not govern. */
function ownable(set: FieldSet, { subresource }: Writer): FieldSet {
  const own = subtract(set, unowned);
  const foreign = subresource === 'status' ? 'f:spec' : 'f:status';
  if (own[foreign] === undefined) return own;
  const { [foreign]: _foreign, ...rest } = own;
  return rest;
}

const entries = (object: KubernetesObject | undefined) => object?.metadata.managedFields ?? [];
const fieldsIn = (entry: ManagedFieldsEntry) => entry.fieldsV1 as FieldSet;

const isSame = (entry: ManagedFieldsEntry, writer: Writer) =>
  entry.manager === writer.manager &&
  entry.operation === writer.operation &&
  entry.subresource === writer.subresource &&
  entry.apiVersion === writer.apiVersion;

const entryOf = (writer: Writer, fields: FieldSet): ManagedFieldsEntry => ({
  apiVersion: writer.apiVersion,
  fieldsType: 'FieldsV1',
  fieldsV1: fields,
  manager: writer.manager,
  operation: writer.operation,
  ...(writer.subresource === undefined ? {} : { subresource: writer.subresource }),
  time: writer.time,
});

/** Ownership after an ordinary write: the writer owns what it changed, everybody else loses it. */
export function trackUpdate(
  shape: Shape,
  before: KubernetesObject | undefined,
  after: KubernetesObject,
  writer: Writer,
): readonly ManagedFieldsEntry[] {
  const { changed, removed } = compareFields(shape, before, after);
  const gained = ownable(changed, writer);
  const lost = ownable(removed, writer);
  if (isEmptySet(gained) && isEmptySet(lost)) return entries(before);
  const gone = unite(gained, lost);
  const result: ManagedFieldsEntry[] = [];
  let own = noFields;
  for (const entry of entries(before)) {
    const fields = fieldsIn(entry);
    if (own === noFields && isSame(entry, writer)) {
      own = fields;
      continue;
    }
    const left = overlaps(fields, gone) ? subtract(fields, gone) : fields;
    if (left === fields) result.push(entry);
    else if (!isEmptySet(left)) result.push({ ...entry, fieldsV1: left });
  }
  const mine = subtract(unite(own, gained), lost);
  if (!isEmptySet(mine)) result.push(entryOf(writer, mine));
  return result;
}

export type FieldConflict = { readonly manager: string; readonly field: string };

export type ApplyPlan = {
  readonly conflicts: readonly FieldConflict[];
  /** Fields of the last configuration that this one leaves out and nobody else owns. */
  readonly abandoned: FieldSet;
  /** Ownership if the apply goes through. */
  readonly managedFields: readonly ManagedFieldsEntry[];
};

/**
 * Who owns what when a configuration is applied.
 * @param merged  the live object with the configuration merged in
 */
export function planApply(
  shape: Shape,
  live: KubernetesObject | undefined,
  merged: KubernetesObject,
  config: Json,
  writer: Writer,
): ApplyPlan {
  const wanted = ownable(fieldsOf(shape, config), writer);
  const { changed } = compareFields(shape, live, merged);
  const own = entries(live).find((entry) => isSame(entry, writer));
  const conflicts: FieldConflict[] = [];
  let others: FieldSet = noFields;
  const kept = entries(live)
    .filter((entry) => entry !== own)
    .flatMap((entry) => {
      const disputed =
        live === undefined ? noFields : intersect(intersect(fieldsIn(entry), wanted), changed);
      for (const path of members(disputed))
        conflicts.push({ manager: describeManager(entry), field: describePath(path) });
      const left = subtract(fieldsIn(entry), disputed);
      others = unite(others, left);
      if (isEmptySet(disputed)) return [entry];
      return isEmptySet(left) ? [] : [{ ...entry, fieldsV1: left }];
    });
  const before = own === undefined ? noFields : fieldsIn(own);
  const mine =
    own !== undefined && equalSets(before, wanted) ? { ...own } : entryOf(writer, wanted);
  return {
    conflicts,
    abandoned: subtract(subtract(before, wanted), others),
    managedFields: isEmptySet(wanted) ? kept : [mine, ...kept],
  };
}

const describeManager = (entry: ManagedFieldsEntry): string => {
  const using = entry.operation === 'Apply' ? '' : ` using ${entry.apiVersion}`;
  const subresource =
    entry.subresource === undefined ? '' : ` with subresource "${entry.subresource}"`;
  return `"${entry.manager}"${subresource}${using}`;
};

/** Whether two ownership lists differ in more than their times. */
export function sameOwnership(
  a: readonly ManagedFieldsEntry[],
  b: readonly ManagedFieldsEntry[],
): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  return a.every((entry) =>
    b.some(
      (other) =>
        other.manager === entry.manager &&
        other.operation === entry.operation &&
        other.subresource === entry.subresource &&
        equalSets(fieldsIn(other), fieldsIn(entry)),
    ),
  );
}

/**
 * The main resource does not own status, the status subresource nothing but status (and
 * metadata).
 */
export function resettable(config: JsonObject, subresource: string | undefined): JsonObject {
  if (subresource === 'status') {
    const { spec: _spec, ...rest } = config;
    return rest;
  }
  const { status: _status, ...rest } = config;
  return asObject(rest);
}
