import type { SimulatedService } from '../../src/analysis/simulated-traffic.ts';
import { compare, halfShare, priorOf, watchOurs } from './stream.ts';
import { percents, table } from './table.ts';

const traffic = [
  [9.26, 1],
  [9.26, 10],
  [100, 1],
  [100, 10],
  [1000, 10],
] as const;

type Stress = Partial<SimulatedService>;

const stresses: Readonly<Record<string, Stress>> = {
  'independent errors': {},
  'outage 60 s, +20 %': { outage: { from: 240, to: 300, rate: 0.2 } },
  'outage 5 min, +5 %': { outage: { from: 240, to: 540, rate: 0.05 } },
  'outage 30 s, 100 %': { outage: { from: 240, to: 270, rate: 1 } },
  'bursts of 5': { burst: 5 },
  'pods vary, CV 0.7': { podVariation: 0.7 },
  'pods vary, CV 1.4': { podVariation: 1.4 },
};

/** § 4.1, 4.3: releases as good as stable, false rollbacks in % (least–most over the traffic). */
export function falseAlarmTable(runs: number): string {
  const rows = Object.entries(stresses).flatMap(([name, stress]) =>
    [0.001, 0.01].map((rate) => [name, `${rate * 100}`, ...rangesOf(stress, rate, runs)]),
  );
  const peers = ['Flagger', 'Argo 0', 'Argo 1', 'Argo 3', 'Kayenta', 'peeked z'];
  return table(['stress', 'base %', ...peers, 'Haldane φ=1', 'Haldane φ̂', 'φ̂, 1 s polls'], rows);
}

function rangesOf(stress: Stress, rate: number, runs: number): readonly string[] {
  const all = traffic.map(([rps, weight]) => {
    const service = { rps, stableRate: rate, canaryRate: rate, ...stress };
    const at = (interval: number) => ({ service, weight, interval, horizon: 3600 });
    const five = compare(at(5), runs, {
      plain: (stream) => watchOurs(stream, weight, { badRates: [rate] }),
      known: (stream, random) => watchOurs(stream, weight, priorOf(service, random)),
    });
    return [...five, ...oneSecond(service, weight, Math.ceil(runs / 4))];
  });
  return (all[0] ?? []).map((_, i) => {
    const found = all.map((results) => results[i]?.found ?? 0);
    const [least, most] = [Math.min(...found), Math.max(...found)];
    return least === most ? percents(most) : `${percents(least)}–${percents(most)}`;
  });
}

/** A quarter of the runs: five times the polls. */
function oneSecond(service: SimulatedService, weight: number, runs: number) {
  const options = { service, weight, interval: 1, horizon: 3600 };
  const results = compare(options, runs, {
    known: (stream, random) => watchOurs(stream, weight, priorOf(service, random), halfShare),
  });
  return results.slice(-1);
}
