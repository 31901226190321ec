import { createHash } from 'node:crypto';
import { isRecord, type JsonRecord } from './raw-object.ts';

const hashLabel = 'pod-template-hash';

/**
 * Our name for a revision: the first 10 hex digits of SHA-256 over the pod template as canonical
 * JSON. The native
 * hash cannot be reproduced outside the Deployment controller (T9) and need not be.
 * `pod-template-hash`, nulls
 * and empty values are left out, as the controller's own comparison does (EqualIgnoreHash).
 */
export function templateHash(template: unknown): string {
  if (!isRecord(template) || !Object.isFrozen(template)) return hashOf(template);
  const known = hashes.get(template) ?? hashOf(template);
  hashes.set(template, known);
  return known;
}

/** What is frozen, as objects of the embedded cluster are, comes again and again as it was. */
const hashes = new WeakMap<JsonRecord, string>();

const hashOf = (template: unknown): string =>
  createHash('sha256')
    .update(canonicalJson(withoutHash(template)))
    .digest('hex')
    .slice(0, 10);

/** The template as it may be copied: raw, so that fields unknown to us survive (T8). */
export function withoutHash(template: unknown): JsonRecord {
  if (!isRecord(template)) return {};
  const metadata = isRecord(template['metadata']) ? template['metadata'] : {};
  const labels = isRecord(metadata['labels']) ? metadata['labels'] : {};
  const { [hashLabel]: _hash, ...kept } = labels;
  return { ...template, metadata: { ...metadata, labels: kept } };
}

/** The template with the hash label that ties its pods to one ReplicaSet. */
export function withHash(template: unknown, hash: string): JsonRecord {
  const plain = withoutHash(template);
  const metadata = plain['metadata'] as JsonRecord;
  return {
    ...plain,
    metadata: { ...metadata, labels: { ...(metadata['labels'] as JsonRecord), [hashLabel]: hash } },
  };
}

/** JSON with sorted keys, without nulls and empty objects or lists. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(canonical(value)) ?? 'null';
}

function canonical(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(canonical);
  if (!isRecord(value)) return value;
  const entries = Object.entries(value)
    .map(([key, entry]) => [key, canonical(entry)] as const)
    .filter(([, entry]) => !isEmpty(entry))
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries);
}

const isEmpty = (value: unknown): boolean =>
  value === null ||
  value === undefined ||
  (Array.isArray(value) && value.length === 0) ||
  (isRecord(value) && Object.keys(value).length === 0);
