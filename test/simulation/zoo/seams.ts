import type { KubernetesTransport } from '../../../src/kubernetes/transport.ts';
import type { Clock } from '../../../src/lib/clock.ts';
import type { Reading, Series } from '../../../src/metric-sources/metric-source.ts';
import { type Rule, type RuleName, rules } from '../../../src/rollout/decide.ts';
import type { Condition } from '../../../src/rollout/mechanism.ts';
import { trafficProviders } from '../../../src/traffic-providers/registry.ts';
import type { Life, ProcessOptions, World } from '../world.ts';

// Where a bug goes in without a change of the source: tables are data, and the outside is handed
// in. Every seam gives back what takes the bug out again.

export interface Bug {
  readonly install?: () => () => void;
  readonly start?: Start;
}

/** How a process comes to life. */
export type Start = (world: World, process?: ProcessOptions) => Life;

type Table = Record<string, Rule>;

/** Puts another rule in the place of one. */
export const withRule = (name: RuleName, change: (original: Rule) => Rule): Bug => ({
  install: () => {
    const table: Table = rules;
    const original = table[name] as Rule;
    table[name] = change(original);
    return () => {
      table[name] = original;
    };
  },
});

export const withoutRule = (name: RuleName): Bug => withRule(name, () => () => undefined);

/** Changes an ordered list of conditions. */
export const withWay = (
  way: readonly Condition[],
  change: (conditions: Condition[]) => Condition[],
): Bug => ({
  install: () => {
    const list = way as Condition[];
    const original = [...list];
    list.splice(0, list.length, ...change([...original]));
    return () => list.splice(0, list.length, ...original);
  },
});

const named = (conditions: readonly Condition[], name: string): Condition => {
  const found = conditions.find((condition) => condition.name === name);
  if (found === undefined) throw new Error(`no condition is named ${name}`);
  return found;
};

export const withoutConditions = (way: readonly Condition[], ...names: readonly string[]): Bug =>
  withWay(way, (conditions) => {
    for (const name of names) named(conditions, name);
    return conditions.filter((condition) => !names.includes(condition.name));
  });

/** Moves one condition before another. */
export const withOrder = (way: readonly Condition[], first: string, second: string): Bug =>
  withWay(way, (conditions) => {
    const moved = named(conditions, first);
    const rest = conditions.filter((condition) => condition !== moved);
    rest.splice(rest.indexOf(named(rest, second)), 0, moved);
    return rest;
  });

export const withCondition = (
  way: readonly Condition[],
  name: string,
  change: Partial<Condition>,
): Bug =>
  withWay(way, (conditions) => {
    named(conditions, name);
    return conditions.map((one) => (one.name === name ? { ...one, ...change } : one));
  });

/** One bug in two places. */
export const together = (...parts: readonly Bug[]): Bug => ({
  install: () => {
    const uninstall = parts.map((part) => part.install?.());
    return () => {
      for (const undo of uninstall) undo?.();
    };
  },
});

type Provider = (typeof trafficProviders)['httproute'];

export const withProvider = (change: (original: Provider) => Partial<Provider>): Bug => ({
  install: () => {
    const original = trafficProviders.httproute;
    Object.assign(trafficProviders, { httproute: { ...original, ...change(original) } });
    return () => {
      Object.assign(trafficProviders, { httproute: original });
    };
  },
});

/** A process behind another transport; the user's own requests are not touched. */
export const withTransport = (wrap: (inner: KubernetesTransport) => KubernetesTransport): Bug => ({
  start: (world, process) => {
    const { cluster } = world;
    const original = cluster.transport.bind(cluster);
    const transport: typeof original = (options) => wrap(original(options));
    Object.assign(cluster, { transport });
    const life = world.start(undefined, process);
    Object.assign(cluster, { transport: original });
    return life;
  },
});

/** A source that tells other series than the true ones. */
export const withSeries = (change: (series: readonly Series[]) => readonly Series[]): Bug => ({
  start: (world, process) => {
    const { source } = world.traffic;
    const read = source.read.bind(source);
    const lie = (reading: Reading): Reading =>
      reading.kind === 'series' ? { ...reading, series: change(reading.series) } : reading;
    Object.assign(source, {
      read: async (...asked: Parameters<typeof read>) => {
        const answers = await read(...asked);
        return new Map([...answers].map(([id, reading]) => [id, lie(reading)]));
      },
    });
    return world.start(undefined, process);
  },
});

/** A process with another clock; the cluster's controllers keep theirs. */
export const withClock = (wrap: (inner: Clock) => Clock): Bug => ({
  start: (world, process) => {
    const { clock } = world;
    Object.assign(world, { clock: wrap(clock) });
    const life = world.start(undefined, process);
    Object.assign(world, { clock });
    return life;
  },
});
