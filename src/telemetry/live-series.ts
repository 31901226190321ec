import type { Gauge } from 'prom-client';

/** The Deployment a series is about. */
export interface RolloutName {
  readonly namespace: string;
  readonly deployment: string;
}

export const keyOf = ({ namespace, deployment }: RolloutName): string =>
  `${namespace}/${deployment}`;

type Labels = Readonly<Record<string, string>>;

/** One of a rollout's series of a gauge, by the labels beyond the rollout's own. */
export interface Point {
  readonly value: number;
  readonly extra: Labels;
}

/**
 * Remembers which series each rollout has, because prom-client removes only by complete labels, and
 * their values: most passes bring no other.
 */
export interface LiveSeries {
  set(rollout: RolloutName, gauge: Gauge, value: number): void;
  /** Sets these and removes the rollout's other series of this gauge. */
  setAll(rollout: RolloutName, gauge: Gauge, points: readonly Point[]): void;
  /** Removes the rollout's series: of one gauge, or of all. */
  remove(rollout: RolloutName, gauge?: Gauge): void;
  readonly count: () => number;
  /** The rollout that has had series for longest. */
  readonly oldest: () => RolloutName | undefined;
}

interface Series {
  readonly labels: Labels;
  value: number;
}

interface Entry {
  readonly rollout: RolloutName;
  readonly gauges: Map<Gauge, Map<string, Series>>;
}

const noLabels: Labels = {};

export function createLiveSeries(): LiveSeries {
  const entries = new Map<string, Entry>();

  const seriesOf = (rollout: RolloutName, gauge: Gauge): Map<string, Series> => {
    const { namespace, deployment } = rollout;
    const key = keyOf(rollout);
    const entry = entries.get(key) ?? { rollout: { namespace, deployment }, gauges: new Map() };
    entries.set(key, entry);
    const series = entry.gauges.get(gauge) ?? new Map<string, Series>();
    entry.gauges.set(gauge, series);
    return series;
  };
  const put = (
    { namespace, deployment }: RolloutName,
    gauge: Gauge,
    { value, extra }: Point,
    all: Map<string, Series>,
  ) => {
    const key = keyOfLabels(extra);
    const series = all.get(key) ?? { labels: { namespace, deployment, ...extra }, value: NaN };
    if (series.value === value) return;
    series.value = value;
    all.set(key, series);
    gauge.set(series.labels, value);
  };
  return {
    set: (rollout, gauge, value) =>
      put(rollout, gauge, { value, extra: noLabels }, seriesOf(rollout, gauge)),
    setAll: (rollout, gauge, points) => {
      const all = seriesOf(rollout, gauge);
      const wanted = new Set(points.map(({ extra }) => keyOfLabels(extra)));
      for (const [key, { labels }] of all) {
        if (wanted.has(key)) continue;
        gauge.remove(labels);
        all.delete(key);
      }
      for (const point of points) put(rollout, gauge, point, all);
    },
    remove: (rollout, gauge) => {
      const entry = entries.get(keyOf(rollout));
      if (entry === undefined) return;
      for (const each of gauge === undefined ? [...entry.gauges.keys()] : [gauge]) {
        for (const { labels } of entry.gauges.get(each)?.values() ?? []) each.remove(labels);
        entry.gauges.delete(each);
      }
      if (entry.gauges.size === 0) entries.delete(keyOf(rollout));
    },
    count: () => entries.size,
    oldest: () => entries.values().next().value?.rollout,
  };
}

/** One gauge has always the same names, in the same order. */
const keyOfLabels = (extra: Labels): string => Object.values(extra).join('\n');
