import type { SimulatedService } from '../../src/analysis/simulated-traffic.ts';
import { seededRandom } from '../../src/lib/random.ts';
import { fastWatch } from './fast-watch.ts';
import { shareAgrees } from './reproduced.ts';
import { compare, halfShare, makeStream, priorOf } from './stream.ts';
import { stressStudy } from './study.ts';
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

/** Highest share of false rollbacks that is accepted where the study has any. */
const accepted = 0.005;

/** § 4.1, 4.3: releases as good as stable, false rollbacks in % (least–most over the traffic). */
export function falseAlarmTable(runs: number): string {
  let good = true;
  const rows = Object.entries(stresses).flatMap(([name, stress]) =>
    [0.001, 0.01].map((rate) => {
      const all = sharesOf(stress, rate, runs);
      const [plain, known] = [Math.max(...(all.at(-3) ?? [])), Math.max(...(all.at(-2) ?? []))];
      const [studyPlain, studyKnown] = stressStudy[name] ?? [0, 0];
      // The study's figure is the most over its cells: ours may be below, not above.
      const chance = plain * 100 <= studyPlain || shareAgrees(plain, runs, studyPlain) ? '✓' : '✗';
      const bound = studyKnown === 0 ? 0 : accepted;
      const kept = known <= bound && Math.max(...(all.at(-1) ?? [])) <= bound;
      good &&= kept;
      const study = `≤ ${studyPlain} ${chance}, ≤ ${studyKnown} ${kept ? '✓' : '✗'}`;
      return [name, `${rate * 100}`, ...all.map(range), study];
    }),
  );
  const peers = ['Flagger', 'Argo 0', 'Argo 1', 'Argo 3', 'Kayenta', 'peeked z'];
  const ours = ['Haldane φ=1', 'Haldane φ̂', 'φ̂, 1 s polls', 'study: φ=1, φ̂'];
  const verdict = good ? 'none' : 'some';
  const note = `Cells with φ̂ beyond 0 where the study has 0, beyond 0.5 % elsewhere: ${verdict}.`;
  return `${table(['stress', 'base %', ...peers, ...ours], rows)}\n\n${note}`;
}

/** Shares of false rollbacks: by rule, then by kind of traffic. */
function sharesOf(stress: Stress, rate: number, runs: number): readonly (readonly number[])[] {
  const all = traffic.map(([rps, weight]) => {
    const service = { rps, stableRate: rate, canaryRate: rate, ...stress };
    const at = (interval: number) => ({ service, weight, interval, horizon: 3600 });
    const five = compare(at(5), runs, {
      plain: (stream) => fastWatch(stream, weight, { badRates: [rate] }, halfShare),
      known: (stream, random) => fastWatch(stream, weight, priorOf(service, random), halfShare),
    });
    return [...five, ...oneSecond(service, weight, Math.ceil(runs / 4))];
  });
  return (all[0] ?? []).map((_, i) => all.map((results) => results[i]?.found ?? 0));
}

function range(found: readonly number[]): string {
  const [least, most] = [Math.min(...found), Math.max(...found)];
  return least === most ? percents(most) : `${percents(least)}–${percents(most)}`;
}

/** A quarter of the runs: five times the polls. */
function oneSecond(service: SimulatedService, weight: number, runs: number) {
  let rejected = 0;
  for (let run = 1; run <= runs; run += 1) {
    const random = seededRandom(run * 7919);
    const stream = makeStream({ service, weight, interval: 1, horizon: 3600 }, random);
    if (fastWatch(stream, weight, priorOf(service, random), halfShare) !== undefined) rejected += 1;
  }
  return [{ found: rejected / runs }];
}
