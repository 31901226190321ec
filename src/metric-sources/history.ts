import type { PodHistory } from '../analysis/dispersion.ts';
import type { Millis } from '../lib/units.ts';
import { firstAtOrAfter, type GaugeSpan, gaugesAt, growth } from './counts.ts';
import type { Series, SeriesSet } from './metric-source.ts';

export interface History {
  /** Stable's requests and bad requests in the whole span. */
  readonly requests: number;
  readonly bad: number;
  /** How much of the span asked for had samples. */
  readonly covered: Millis;
  /** Share of stable's requests slower than each bound, in seconds. Latency checks. */
  readonly tails: readonly {
    readonly bound: number;
    readonly requests: number;
    readonly slow: number;
  }[];
}

/** Stable before a rollout: its base rate, and which latency bounds tell anything. */
export function historyOf(set: SeriesSet): History {
  const stable = set.series.filter(({ arm }) => arm === 'stable');
  const total = { requests: 0, bad: 0 };
  const within = new Map<number, number>();
  let oldest = set.at as number;
  for (const one of stable) {
    oldest = Math.min(oldest, one.times[0] ?? oldest);
    const grown = growthBetween(one, set.from, set.at);
    if (one.bound !== undefined && one.bound !== Number.POSITIVE_INFINITY) {
      within.set(one.bound, (within.get(one.bound) ?? 0) + grown);
      continue;
    }
    if (one.apart !== true) total.requests += grown;
    if (one.bad) total.bad += grown;
  }
  const tails = [...within]
    .sort(([a], [b]) => a - b)
    .map(([bound, faster]) => ({
      bound,
      requests: total.requests,
      slow: Math.max(0, total.requests - faster),
    }));
  return { ...total, covered: (set.at - oldest) as Millis, tails };
}

/**
 * Stable's counts per pod in cells of `width`, oldest first and aligned to the end of the span, one
 * list of equal length per pod: what `dispersionOf` takes. All of stable is one pod where pods have
 * no label. `bound` chooses slow requests of a histogram instead of failed ones.
 */
export function podHistories(set: SeriesSet, width: Millis, bound?: number): readonly PodHistory[] {
  const length = Math.floor((set.at - set.from) / width);
  const start = set.at - length * width;
  const pods = new Map<string, { requests: number; bad: number }[]>();
  for (const one of set.series) {
    if (one.arm !== 'stable' || !countsFor(one, bound)) continue;
    const cells = pods.get(one.pod) ?? Array.from({ length }, () => ({ requests: 0, bad: 0 }));
    pods.set(one.pod, cells);
    const isTotal = one.bound === undefined || one.bound === Number.POSITIVE_INFINITY;
    let from = start;
    for (const cell of cells) {
      const grown = growthBetween(one, from, from + width);
      if (isTotal && one.apart !== true) cell.requests += grown;
      if (one.bad || (bound !== undefined && isTotal)) cell.bad += grown;
      else if (!isTotal) cell.bad -= grown;
      from += width;
    }
  }
  return [...pods.values()].map((cells) =>
    cells.map(({ requests, bad }) => ({ requests, bad: Math.max(0, bad) })),
  );
}

const countsFor = (one: Series, bound: number | undefined): boolean =>
  one.bound === undefined || one.bound === Number.POSITIVE_INFINITY || one.bound === bound;

/**
 * Growth in (from, end]; a series is counted from its first sample in view, whatever it was before.
 */
function growthBetween(one: Series, from: number, end: number): number {
  const base = Math.max(0, firstAtOrAfter(one.times, from + 1) - 1);
  const [time, value] = [one.times[base], one.values[base]];
  if (time === undefined || value === undefined || time > end) return 0;
  return growth(one, { time, value }, end);
}

/** Stable's gauges at every look that the span has room for, oldest first. */
export function gaugeHistory(set: SeriesSet, look: GaugeSpan): readonly (readonly number[])[] {
  const looks: (readonly number[])[] = [];
  for (let at = set.from + look.span; at <= set.at; at += look.span) {
    const { stable } = gaugesAt(set.series, look, at);
    if (stable.length > 0) looks.push(stable);
  }
  return looks;
}
