export interface RawMetadata {
  readonly name: string;
  readonly namespace?: string;
  readonly uid?: string;
  readonly resourceVersion?: string;
  readonly generation?: number;
  readonly creationTimestamp?: string;
  readonly deletionTimestamp?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly ownerReferences?: readonly RawOwnerReference[];
  readonly finalizers?: readonly string[];
  readonly [field: string]: unknown;
}

export interface RawOwnerReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
  readonly controller?: boolean;
  readonly blockOwnerDeletion?: boolean;
}

/** A Kubernetes object exactly as the server sent it. Nothing is dropped, nothing is converted. */
export interface RawObject {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata: RawMetadata;
  readonly [field: string]: unknown;
}

export type JsonRecord = Readonly<Record<string, unknown>>;

export const isRecord = (value: unknown): value is JsonRecord =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export const recordAt = (value: JsonRecord, key: string): JsonRecord =>
  isRecord(value[key]) ? value[key] : {};

export const listAt = (value: JsonRecord, key: string): readonly JsonRecord[] =>
  Array.isArray(value[key]) ? (value[key] as unknown[]).filter(isRecord) : [];

/** True for anything with a name, a uid and a resourceVersion: what every stored object has. */
export function isStoredObject(value: unknown): value is RawObject {
  if (!isRecord(value) || !isRecord(value['metadata'])) return false;
  const { name, uid, resourceVersion } = value['metadata'];
  return [name, uid, resourceVersion].every((field) => typeof field === 'string' && field !== '');
}
