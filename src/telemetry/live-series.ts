import type { Gauge } from 'prom-client';

/** The Deployment a series is about. */
export interface RolloutName {
  readonly namespace: string;
  readonly deployment: string;
}

type Labels = Readonly<Record<string, string>>;

/** Remembers which series each rollout has, because prom-client removes only by complete labels. */
export interface LiveSeries {
  set(rollout: RolloutName, gauge: Gauge, value: number, extra?: Labels): void;
  /**
   * As `set`, and removes the rollout's other series of this gauge: for gauges whose label is
   * the value.
   */
  setOnly(rollout: RolloutName, gauge: Gauge, value: number, extra: Labels): void;
  /** Removes the rollout's series: of one gauge, or of all. */
  remove(rollout: RolloutName, gauge?: Gauge): void;
  readonly count: () => number;
  /** The rollout that has had series for longest. */
  readonly oldest: () => RolloutName | undefined;
}

interface Entry {
  readonly rollout: RolloutName;
  readonly series: Map<Gauge, Map<string, Labels>>;
}

export function createLiveSeries(): LiveSeries {
  const entries = new Map<string, Entry>();
  const keyOf = (rollout: RolloutName) => `${rollout.namespace}/${rollout.deployment}`;

  const remember = (rollout: RolloutName, gauge: Gauge, labels: Labels) => {
    const { namespace, deployment } = rollout;
    const entry = entries.get(keyOf(rollout)) ?? {
      rollout: { namespace, deployment },
      series: new Map<Gauge, Map<string, Labels>>(),
    };
    entries.set(keyOf(rollout), entry);
    const ofGauge = entry.series.get(gauge) ?? new Map<string, Labels>();
    entry.series.set(gauge, ofGauge);
    ofGauge.set(JSON.stringify(labels), labels);
  };
  const set: LiveSeries['set'] = (rollout, gauge, value, extra = {}) => {
    const labels = { namespace: rollout.namespace, deployment: rollout.deployment, ...extra };
    remember(rollout, gauge, labels);
    gauge.set(labels, value);
  };
  const remove: LiveSeries['remove'] = (rollout, gauge) => {
    const entry = entries.get(keyOf(rollout));
    if (entry === undefined) return;
    for (const each of gauge === undefined ? [...entry.series.keys()] : [gauge]) {
      for (const labels of entry.series.get(each)?.values() ?? []) each.remove(labels);
      entry.series.delete(each);
    }
    if (entry.series.size === 0) entries.delete(keyOf(rollout));
  };
  return {
    set,
    remove,
    setOnly: (rollout, gauge, value, extra) => {
      remove(rollout, gauge);
      set(rollout, gauge, value, extra);
    },
    count: () => entries.size,
    oldest: () => entries.values().next().value?.rollout,
  };
}
