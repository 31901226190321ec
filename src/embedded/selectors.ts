import { asString, isObject, type Json, type JsonObject, valueAt } from './json.ts';
import type { Resource, StringMap } from './resource.ts';
import { badRequest } from './status.ts';

export type LabelMatch = (labels: StringMap | undefined) => boolean;

type Requirement = {
  readonly key: string;
  readonly operator: string;
  readonly values: readonly string[];
};

function meets(labels: StringMap, { key, operator, values }: Requirement): boolean {
  const value = labels[key];
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    case 'Gt':
      return value !== undefined && Number(value) > Number(values[0]);
    case 'Lt':
      return value !== undefined && Number(value) < Number(values[0]);
    default:
      return false;
  }
}

const all =
  (requirements: readonly Requirement[]): LabelMatch =>
  (labels) =>
    requirements.every((requirement) => meets(labels ?? {}, requirement));

/**
 * Reads `metadata.labels`-style selectors of objects: matchLabels and matchExpressions. An empty
 * one matches all.
 */
export function labelSelectorMatch(selector: Json | undefined): LabelMatch {
  if (!isObject(selector)) return () => false;
  const requirements: Requirement[] = Object.entries((selector.matchLabels ?? {}) as StringMap).map(
    ([key, value]) => ({ key, operator: 'In', values: [value] }),
  );
  for (const expression of (selector.matchExpressions ?? []) as readonly JsonObject[])
    requirements.push({
      key: asString(expression.key),
      operator: asString(expression.operator),
      values: (expression.values ?? []) as readonly string[],
    });
  return all(requirements);
}

/**
 * A plain map of labels, as in a Service: every pair must be there. An empty one matches nothing.
 */
export function mapSelectorMatch(selector: Json | undefined): LabelMatch {
  const pairs = Object.entries((selector ?? {}) as StringMap);
  if (pairs.length === 0) return () => false;
  return (labels) => pairs.every(([key, value]) => labels?.[key] === value);
}

/** `app=web,tier in (a,b),!old` as in the `labelSelector` parameter. @throws ApiFailure 400 */
export function parseLabelSelector(text: string | null): LabelMatch {
  if (text === null || text.trim() === '') return () => true;
  return all(splitTopLevel(text).map(parseRequirement));
}

/** Splits at commas that are not inside parentheses. */
function splitTopLevel(text: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let part = '';
  for (const char of text) {
    if (char === '(') depth += 1;
    if (char === ')') depth -= 1;
    if (char === ',' && depth === 0) {
      parts.push(part);
      part = '';
    } else part += char;
  }
  return [...parts, part].map((p) => p.trim());
}

const labelKey = '[A-Za-z0-9](?:[A-Za-z0-9._/-]*[A-Za-z0-9])?';
const labelValue = '[A-Za-z0-9._-]*';
const forms: readonly [RegExp, (m: RegExpExecArray) => Requirement][] = [
  [
    new RegExp(`^!\\s*(${labelKey})$`),
    (m) => ({ key: m[1] ?? '', operator: 'DoesNotExist', values: [] }),
  ],
  [new RegExp(`^(${labelKey})$`), (m) => ({ key: m[1] ?? '', operator: 'Exists', values: [] })],
  [
    new RegExp(`^(${labelKey})\\s*==?\\s*(${labelValue})$`),
    (m) => ({ key: m[1] ?? '', operator: 'In', values: [m[2] ?? ''] }),
  ],
  [
    new RegExp(`^(${labelKey})\\s*!=\\s*(${labelValue})$`),
    (m) => ({ key: m[1] ?? '', operator: 'NotIn', values: [m[2] ?? ''] }),
  ],
  [
    new RegExp(`^(${labelKey})\\s+(in|notin)\\s*\\(([^()]*)\\)$`),
    (m) => ({
      key: m[1] ?? '',
      operator: m[2] === 'in' ? 'In' : 'NotIn',
      values: (m[3] ?? '').split(',').map((v) => v.trim()),
    }),
  ],
  [
    new RegExp(`^(${labelKey})\\s*([<>])\\s*(\\d+)$`),
    (m) => ({ key: m[1] ?? '', operator: m[2] === '>' ? 'Gt' : 'Lt', values: [m[3] ?? ''] }),
  ],
];

function parseRequirement(text: string): Requirement {
  for (const [form, read] of forms) {
    const match = form.exec(text);
    if (match !== null) return read(match);
  }
  throw badRequest(`unable to parse requirement: ${JSON.stringify(text)}`);
}

export type ObjectMatch = (object: JsonObject) => boolean;

/**
 * `metadata.name=web,status.phase!=Failed`. @throws ApiFailure 400 for a field the resource does
 * not offer
 */
export function parseFieldSelector(text: string | null, resource: Resource): ObjectMatch {
  if (text === null || text === '') return () => true;
  const terms = text
    .split(',')
    .filter((term) => term !== '')
    .map((term) => {
      const match = /^([^=!]+)(==|=|!=)(.*)$/.exec(term);
      if (match === null)
        throw badRequest(`invalid selector: '${text}'; can't understand '${term}'`);
      const field = match[1] ?? '';
      const known =
        field === 'metadata.name' || (field === 'metadata.namespace' && resource.namespaced);
      if (!known && !resource.fieldSelectors.includes(field))
        throw badRequest(`field label not supported: ${field}`);
      return { path: fieldPath(field), equal: match[2] !== '!=', value: match[3] ?? '' };
    });
  return (object) =>
    terms.every(({ path, equal, value }) => (textAt(object, path) === value) === equal);
}

const fieldPath = (field: string): readonly string[] =>
  field === 'source' ? ['source', 'component'] : field.split('.');

function textAt(object: JsonObject, path: readonly string[]): string {
  const value = valueAt(object, path);
  return value === undefined || value === null
    ? path[0] === 'status' && path[1] === 'replicas'
      ? '0'
      : ''
    : String(value);
}
