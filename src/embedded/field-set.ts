import type { JsonObject } from './json.ts';

/**
 * A set of fields in the form of `FieldsV1`: `f:name` for fields, `k:{…}` for items of keyed
 * lists, `v:…`
 * for items of sets. A node without children is a member; with children it is one only if it has
 * `.`.
 */
export type FieldSet = { readonly [step: string]: FieldSet };

export const noFields: FieldSet = {};
/** A field that is one as a whole; all of them are this one. */
export const leaf: FieldSet = Object.freeze({});

const isMember = (node: FieldSet): boolean => '.' in node || isEmptySet(node);

/** Puts a node together; `undefined` when nothing is left of it. */
function node(member: boolean, children: FieldSet): FieldSet | undefined {
  if (isEmptySet(children)) return member ? leaf : undefined;
  return member ? { '.': leaf, ...children } : children;
}

const steps = (set: FieldSet) => Object.keys(set).filter((step) => step !== '.');

export function isEmptySet(set: FieldSet | undefined): boolean {
  for (const _step in set) return false;
  return true;
}

/** Copy of the children of a node, in their order, up to one of them. */
function childrenOf(set: FieldSet, end?: string): Record<string, FieldSet> {
  const children: Record<string, FieldSet> = {};
  for (const step in set) {
    if (step === end) break;
    if (step !== '.') children[step] = set[step] as FieldSet;
  }
  return children;
}

/** Whether `node` would put it together in just this way, so that it can be shared. */
function isTidy(set: FieldSet): boolean {
  if (!('.' in set)) return true;
  const [first, second] = Object.keys(set);
  return first === '.' && second !== undefined;
}

function uniteNodes(a: FieldSet, b: FieldSet): FieldSet {
  let children: Record<string, FieldSet> | undefined;
  for (const step in b) {
    if (step === '.') continue;
    const mine = a[step];
    const theirs = b[step] as FieldSet;
    const both = mine === undefined ? theirs : uniteNodes(mine, theirs);
    if (both !== mine) (children ??= childrenOf(a))[step] = both;
  }
  const member = isMember(a) || isMember(b);
  if (children === undefined && member === isMember(a) && isTidy(a)) return a;
  return node(member, children ?? childrenOf(a)) ?? leaf;
}

function subtractNodes(a: FieldSet, b: FieldSet): FieldSet | undefined {
  let children: Record<string, FieldSet> | undefined;
  for (const step in a) {
    if (step === '.') continue;
    const mine = a[step] as FieldSet;
    const other = b[step];
    const left = other === undefined ? mine : subtractNodes(mine, other);
    if (left !== mine) children ??= childrenOf(a, step);
    if (children !== undefined && left !== undefined) children[step] = left;
  }
  const member = isMember(a) && !isMember(b);
  if (children === undefined && member === isMember(a) && isTidy(a)) return a;
  return node(member, children ?? childrenOf(a));
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
// What does not change is shared: most writes touch few of the fields that somebody owns.
export function unite(a: FieldSet, b: FieldSet): FieldSet {
  if (isEmptySet(a)) return b;
  if (isEmptySet(b)) return a;
  return uniteNodes(a, b);
}

export function subtract(a: FieldSet, b: FieldSet): FieldSet {
  if (isEmptySet(a) || isEmptySet(b)) return a;
  return subtractNodes(a, b) ?? noFields;
}

/** Whether two sets have a member in common: whether one can take anything from the other. */
export function overlaps(a: FieldSet, b: FieldSet): boolean {
  for (const step in b) {
    const mine = a[step];
    if (mine === undefined || step === '.') continue;
    const theirs = b[step] as FieldSet;
    if ((isMember(mine) && isMember(theirs)) || overlaps(mine, theirs)) return true;
  }
  return false;
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
