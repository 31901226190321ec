import type { JsonObject } from './json.ts';

/**
 * A set of fields in the form of `FieldsV1`: `f:name` for fields, `k:{…}` for items of keyed
 * lists, `v:…`
 * for items of sets. A node without children is a member; with children it is one only if it has
 * `.`.
 */
export type FieldSet = { readonly [step: string]: FieldSet };

export const noFields: FieldSet = {};

const isMember = (node: FieldSet): boolean => '.' in node || Object.keys(node).length === 0;

/** Puts a node together; `undefined` when nothing is left of it. */
function node(member: boolean, children: Record<string, FieldSet>): FieldSet | undefined {
  const empty = Object.keys(children).length === 0;
  if (empty) return member ? {} : undefined;
  return member ? { '.': {}, ...children } : children;
}

const steps = (set: FieldSet) => Object.keys(set).filter((step) => step !== '.');

export const isEmptySet = (set: FieldSet | undefined): boolean =>
  set === undefined || Object.keys(set).length === 0;

function uniteNodes(a: FieldSet, b: FieldSet): FieldSet {
  const children: Record<string, FieldSet> = {};
  for (const step of steps(a)) children[step] = a[step] as FieldSet;
  for (const step of steps(b)) {
    const mine = children[step];
    children[step] =
      mine === undefined ? (b[step] as FieldSet) : uniteNodes(mine, b[step] as FieldSet);
  }
  return node(isMember(a) || isMember(b), children) ?? {};
}

function subtractNodes(a: FieldSet, b: FieldSet): FieldSet | undefined {
  const children: Record<string, FieldSet> = {};
  for (const step of steps(a)) {
    const other = b[step];
    const left = other === undefined ? a[step] : subtractNodes(a[step] as FieldSet, other);
    if (left !== undefined) children[step] = left;
  }
  return node(isMember(a) && !isMember(b), children);
}

function intersectNodes(a: FieldSet, b: FieldSet): FieldSet | undefined {
  const children: Record<string, FieldSet> = {};
  for (const step of steps(a)) {
    const other = b[step];
    const both = other === undefined ? undefined : intersectNodes(a[step] as FieldSet, other);
    if (both !== undefined) children[step] = both;
  }
  return node(isMember(a) && isMember(b), children);
}

// The root of a set is never a member itself, so an empty root is the empty set.
export function unite(a: FieldSet, b: FieldSet): FieldSet {
  if (isEmptySet(a)) return b;
  if (isEmptySet(b)) return a;
  return uniteNodes(a, b);
}

export function subtract(a: FieldSet, b: FieldSet): FieldSet {
  if (isEmptySet(a) || isEmptySet(b)) return a;
  return subtractNodes(a, b) ?? noFields;
}

export function intersect(a: FieldSet, b: FieldSet): FieldSet {
  if (isEmptySet(a) || isEmptySet(b)) return noFields;
  return intersectNodes(a, b) ?? noFields;
}

export function equalSets(a: FieldSet, b: FieldSet): boolean {
  return isEmptySet(a) || isEmptySet(b) ? isEmptySet(a) === isEmptySet(b) : equalNodes(a, b);
}

function equalNodes(a: FieldSet, b: FieldSet): boolean {
  const mine = steps(a);
  if (mine.length !== steps(b).length || isMember(a) !== isMember(b)) return false;
  return mine.every((step) => step in b && equalNodes(a[step] as FieldSet, b[step] as FieldSet));
}

/** Every member as a path of steps. */
export function members(set: FieldSet, prefix: readonly string[] = []): (readonly string[])[] {
  return steps(set).flatMap((step) => {
    const child = set[step] as FieldSet;
    const path = [...prefix, step];
    return [...(isMember(child) ? [path] : []), ...members(child, path)];
  });
}

/** `.spec.containers[name="web"].image`, as conflict messages spell it. */
export function describePath(path: readonly string[]): string {
  return path
    .map((step) => {
      if (step.startsWith('f:')) return `.${step.slice(2)}`;
      if (step.startsWith('v:')) return `[=${step.slice(2)}]`;
      const keys = JSON.parse(step.slice(2)) as JsonObject;
      return `[${Object.entries(keys)
        .map(([k, v]) => `${k}=${JSON.stringify(v)}`)
        .join(',')}]`;
    })
    .join('');
}
