import type { Counts, PodCounts, PodGauges } from '../analysis/counts.ts';
import { type Instant, type Millis, millis } from '../lib/units.ts';
import type { Arm, Series } from './metric-source.ts';

/** The last sample of a counter up to some moment. */
export interface KnownSample {
  readonly time: number;
  readonly value: number;
}

/** Last samples by the key of their series. */
export type KnownSamples = ReadonlyMap<string, KnownSample>;

/**
 * Growth of one counter in (known sample, end]. A fall is a restart: the new value is all growth. A
 * series without a known sample was born after the rollout began and counts from zero: the first
 * failed request of a canary is a new series.
 */
export function growth(series: Series, known: KnownSample | undefined, end: number): number {
  let last = known?.value ?? 0;
  let sum = 0;
  const start = known === undefined ? 0 : firstAtOrAfter(series.times, known.time + 1);
  for (let index = start; index < series.times.length; index += 1) {
    if ((series.times[index] ?? 0) > end) break;
    const value = series.values[index] ?? 0;
    sum += value >= last ? value - last : value;
    last = value;
  }
  return sum;
}

/** `before`, brought up to a moment: the last sample of every series that is not later. */
export function knownAt(
  series: readonly Series[],
  before: KnownSamples,
  moment: Instant,
): KnownSamples {
  const known = new Map(before);
  for (const { key, times, values } of series) {
    const index = firstAtOrAfter(times, moment + 1) - 1;
    const [time, value] = [times[index], values[index]];
    if (time === undefined || value === undefined) continue;
    if (time > (known.get(key)?.time ?? Number.NEGATIVE_INFINITY)) known.set(key, { time, value });
  }
  return known;
}

/** Index of the first time that is not before `moment`. */
export function firstAtOrAfter(times: readonly number[], moment: number): number {
  let low = 0;
  let high = times.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((times[middle] ?? 0) < moment) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Requests and failed requests of both arms up to `end`. No series of an arm = no request. */
export function ratioCounts(series: readonly Series[], known: KnownSamples, end: number): Counts {
  const counts = { nc: 0, xc: 0, ns: 0, xs: 0 };
  for (const one of series) {
    const grown = growth(one, known.get(one.key), end);
    if (one.arm === 'stable') {
      if (one.apart !== true) counts.ns += grown;
      if (one.bad) counts.xs += grown;
    } else {
      if (one.apart !== true) counts.nc += grown;
      if (one.bad) counts.xc += grown;
    }
  }
  return counts;
}

/** What each canary pod answered up to `end`, if anything; undefined where no pod is named. */
export function podCounts(
  series: readonly Series[],
  known: KnownSamples,
  end: number,
): Readonly<Record<string, PodCounts>> | undefined {
  const pods = new Map<string, { requests: number; bad: number }>();
  for (const one of series) {
    if (one.arm !== 'canary' || one.pod === '') continue;
    const grown = growth(one, known.get(one.key), end);
    if (grown === 0) continue;
    const counted = pods.get(one.pod) ?? { requests: 0, bad: 0 };
    if (one.apart !== true) counted.requests += grown;
    if (one.bad) counted.bad += grown;
    pods.set(one.pod, counted);
  }
  return pods.size === 0 ? undefined : Object.fromEntries(pods);
}

/**
 * Bounds, in seconds, of the buckets that every arm with any bucket has, rising, without infinity.
 */
export function commonBounds(series: readonly Series[]): readonly number[] {
  const found = { stable: new Set<number>(), canary: new Set<number>() };
  for (const { arm, bound } of series) if (bound !== undefined) found[arm].add(bound);
  return [...found.stable]
    .filter((bound) => bound !== Number.POSITIVE_INFINITY)
    .filter((bound) => found.canary.size === 0 || found.canary.has(bound))
    .sort((a, b) => a - b);
}

/** Per bound: requests, and those slower than it, of both arms up to `end`. */
export function bucketCounts(
  series: readonly Series[],
  known: KnownSamples,
  end: number,
  bounds: readonly number[],
): readonly Counts[] {
  const sums = new Map<number, Record<Arm, number>>();
  for (const one of series) {
    if (one.bound === undefined) continue;
    const sum = sums.get(one.bound) ?? { stable: 0, canary: 0 };
    sum[one.arm] += growth(one, known.get(one.key), end);
    sums.set(one.bound, sum);
  }
  const all = sums.get(Number.POSITIVE_INFINITY) ?? { stable: 0, canary: 0 };
  return bounds.map((bound) => {
    const within = sums.get(bound) ?? { stable: 0, canary: 0 };
    return {
      nc: all.canary,
      xc: Math.max(0, all.canary - within.canary),
      ns: all.stable,
      xs: Math.max(0, all.stable - within.stable),
    };
  });
}

/** A gauge that was not seen for so long is gone, with its pod or without. */
export const gaugeLookback = millis(60_000);

/** Over which span a gauge is looked at, and which of its ends is worse. */
export interface GaugeSpan {
  readonly span: Millis;
  readonly worseWhen: 'higher' | 'lower';
}

/**
 * The gauge of every pod in the span before `moment`: the best value of each canary pod, and the
 * worst of each stable one. Series of one pod, for example its containers, are added up.
 */
export function gaugesAt(
  series: readonly Series[],
  { span, worseWhen }: GaugeSpan,
  moment: number,
): PodGauges {
  const pods = { stable: new Map<string, number>(), canary: new Map<string, number>() };
  for (const { arm, pod, times, values } of series) {
    const end = firstAtOrAfter(times, moment + 1);
    const last = times[end - 1];
    if (last === undefined || last <= moment - Math.max(span, gaugeLookback)) continue;
    const start = Math.min(firstAtOrAfter(times, moment - span + 1), end - 1);
    const seen = values.slice(start, end);
    const most = (arm === 'stable') === (worseWhen === 'higher');
    const value = most ? Math.max(...seen) : Math.min(...seen);
    pods[arm].set(pod, (pods[arm].get(pod) ?? 0) + value);
  }
  return { canary: [...pods.canary.values()], stable: [...pods.stable.values()] };
}
