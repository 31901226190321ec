import type { SimulatedService } from '../../src/analysis/simulated-traffic.ts';
import { seededRandom } from '../../src/lib/random.ts';
import { fastWatch } from './fast-watch.ts';
import { peers } from './peers.ts';
import { shareAgrees } from './reproduced.ts';
import { compare, halfShare, makeStream, priorOf } from './stream.ts';
import { stressRules, stressStudy } from './study.ts';
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
  // Two canary pods beside twenty, as the study has them: the fewer, the harder.
  'pods vary, CV 0.7': { podVariation: 0.7, canaryPods: 2 },
  'pods vary, CV 1.4': { podVariation: 1.4, canaryPods: 2 },
};

/** Highest share of false rollbacks that is accepted where the study has any. */
const accepted = 0.005;

const bases = [0.001, 0.01];
const rules = [...peers.map(({ name }) => name), 'Haldane φ=1', 'Haldane φ̂', 'φ̂, 1 s polls'];

/** § 4.1, 4.3: releases as good as stable, false rollbacks in % (least–most over the traffic). */
export function falseAlarmTable(runs: number): string {
  const found = Object.entries(stresses).flatMap(([name, stress]) =>
    bases.map((rate) => ({ name, rate, shares: sharesOf(stress, rate, runs) })),
  );
  const rows = found.map(({ name, rate, shares }) => [name, rate * 100, ...shares.map(range)]);
  const most = Object.keys(stresses).map((name) => {
    const own = found.filter((one) => one.name === name).map(({ shares }) => shares);
    return [name, ...stressRules.map((rule, i) => mostOf(rule, own, stressStudy[name]?.[i], runs))];
  });
  const verdict = found.every(({ name, shares }) => isKept(name, shares)) ? 'none' : 'some';
  const note = `Cells with φ̂ beyond 0 where the study has 0, beyond 0.5 % elsewhere: ${verdict}.`;
  const title = 'The most in any of the ten cells of a row = the study’s:';
  const against = table(['stress', ...stressRules], most);
  return `${table(['stress', 'base %', ...rules], rows)}\n\n${note}\n\n${title}\n\n${against}`;
}

type Shares = readonly (readonly number[])[];

/** With what is known of stable's dispersion nobody is rolled back falsely, or hardly ever. */
function isKept(name: string, shares: Shares): boolean {
  const known = stressStudy[name]?.[stressRules.indexOf('Haldane φ̂')] ?? 0;
  return Math.max(...shares.slice(-2).flat()) <= (known === 0 ? 0 : accepted);
}

/** Of ours, fewer than the study found are as good. */
function mostOf(
  rule: (typeof stressRules)[number],
  own: readonly Shares[],
  study = Number.NaN,
  runs: number,
): string {
  const most = Math.max(...own.flatMap((shares) => shares[rules.indexOf(rule)] ?? []));
  const fewer = rule.startsWith('Haldane') && most * 100 <= study;
  const agrees = fewer || shareAgrees(most, runs, study) ? '✓' : '✗';
  return `${percents(most)} = ${study} ${agrees}`;
}

/** Shares of false rollbacks: by rule, then by kind of traffic. */
function sharesOf(stress: Stress, rate: number, runs: number): Shares {
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
