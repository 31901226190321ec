import { readValue } from './answer.ts';

/**
 * One sample of a native histogram as the query API gives it: `count`, and the populated buckets as
 * `[boundary_rule, "left", "right", "count"]`, each with its own requests only.
 */
export interface NativeHistogram {
  readonly count: number;
  readonly buckets: readonly NativeBucket[];
}

interface NativeBucket {
  readonly left: number;
  readonly right: number;
  readonly count: number;
}

/** `undefined` for anything else, a count below zero or one that is not finite. */
export function readNative(value: unknown): NativeHistogram | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { count: text, buckets: list = [] } = value as { count?: unknown; buckets?: unknown };
  const count = readCount(text);
  if (count === undefined || !Array.isArray(list)) return undefined;
  const buckets: NativeBucket[] = [];
  for (const entry of list as unknown[]) {
    const bucket = readBucket(entry);
    if (bucket === undefined) return undefined;
    buckets.push(bucket);
  }
  return { count, buckets };
}

function readBucket(entry: unknown): NativeBucket | undefined {
  if (!Array.isArray(entry) || entry.length !== 4) return undefined;
  const [rule, left, right, count] = (entry as readonly unknown[]).map((part, i) =>
    i === 0 ? part : i === 3 ? readCount(part) : readBoundary(part),
  );
  const known = typeof rule === 'number' && [0, 1, 2, 3].includes(rule);
  return known && typeof left === 'number' && typeof right === 'number' && typeof count === 'number'
    ? { left, right, count }
    : undefined;
}

function readCount(text: unknown): number | undefined {
  const value = typeof text === 'string' ? readValue(text) : undefined;
  return value !== undefined && Number.isFinite(value) && value >= 0 ? value : undefined;
}

/** The outermost buckets may reach to infinity. */
function readBoundary(text: unknown): number | undefined {
  if (text === '+Inf') return Number.POSITIVE_INFINITY;
  if (text === '-Inf') return Number.NEGATIVE_INFINITY;
  const value = typeof text === 'string' ? readValue(text) : undefined;
  return Number.isFinite(value) ? value : undefined;
}

/**
 * Requests up to a bound; `undefined` where a populated bucket lies across it: interpolation inside
 * of a bucket would be a guess, and a test may not rest on one.
 */
export function countUpTo({ buckets }: NativeHistogram, bound: number): number | undefined {
  let sum = 0;
  for (const { left, right, count } of buckets) {
    if (right <= bound) sum += count;
    else if (left < bound && count > 0) return undefined;
  }
  return sum;
}

/** Most bounds that are compared: their evidence is averaged, and each costs room in the state. */
const mostBounds = 12;
/** Neighbours closer than this say nearly the same. */
const leastFactor = Math.SQRT2 - 1e-9;

/**
 * Bounds that every one of these samples can tell, rising: ends of populated buckets, at least a
 * factor of √2 apart. Powers of √2 come first, since they stay bounds when a histogram halves its
 * resolution, which it may do at any time.
 */
export function nativeBounds(samples: readonly NativeHistogram[]): readonly number[] {
  const ends = new Set<number>();
  for (const { buckets } of samples) {
    for (const { right } of buckets) if (right > 0 && Number.isFinite(right)) ends.add(right);
  }
  const told = [...ends]
    .sort((a, b) => a - b)
    .filter((end) => samples.every((sample) => countUpTo(sample, end) !== undefined));
  const lasting = told.filter(isPowerOfRootTwo);
  const spaced: number[] = [];
  for (const end of lasting.length >= 3 ? lasting : told) {
    if (end >= (spaced.at(-1) ?? 0) * leastFactor) spaced.push(end);
  }
  const step = Math.ceil(spaced.length / mostBounds);
  return spaced.filter((_end, i) => i % step === 0);
}

function isPowerOfRootTwo(value: number): boolean {
  const halves = 2 * Math.log2(value);
  return Math.abs(halves - Math.round(halves)) < 1e-9;
}
