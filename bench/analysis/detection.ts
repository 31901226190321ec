import { compare, type RuleResult, watchOurs } from './stream.ts';
import { mean, median, percents, short, table } from './table.ts';

const traffic = [
  [9.26, 1],
  [9.26, 10],
  [100, 1],
  [100, 10],
  [1000, 1],
  [1000, 10],
] as const;
const faults = [
  [0.001, 0.01],
  [0.001, 0.02],
  [0.001, 0.05],
  [0.001, 0.5],
  [0.001, 1],
  [0.01, 0.02],
  [0.01, 0.05],
] as const;

/** § 4.1: rolled back % / median s / mean failed requests, at a fixed weight for an hour. */
export function detectionTable(runs: number): string {
  const rows = faults.flatMap(([stableRate, canaryRate]) =>
    traffic.map(([rps, weight]) => {
      const options = {
        service: { rps, stableRate, canaryRate },
        weight,
        interval: 5,
        horizon: 3600,
      };
      const results = compare(options, runs, {
        Haldane: (stream) => watchOurs(stream, weight, { badRates: [stableRate] }),
      });
      const bound = leastRequests(stableRate, canaryRate);
      return [
        `${stableRate * 100}→${canaryRate * 100}`,
        rps,
        weight,
        ...results.filter(({ name }) => name !== 'peeked z').map(cell),
        `${Math.round(bound)} / ${Math.round(bound / ((rps * weight) / 100))}`,
      ];
    }),
  );
  const names = ['Flagger', 'Argo 0', 'Argo 1', 'Argo 3', 'Kayenta', 'Haldane'];
  return table(['base→canary %', 'rps', 'w %', ...names, 'bound'], rows);
}

const cell = ({ found, seconds, failed }: RuleResult): string =>
  found === 0 ? '–' : `${percents(found)}/${short(median(seconds))}/${short(mean(failed))}`;

/** Canary requests that any valid test needs: ln(1/α) over the information of one. */
function leastRequests(stable: number, canary: number): number {
  const line = 1.25 * stable + 0.0025;
  const rest = canary >= 1 ? 0 : (1 - canary) * Math.log((1 - canary) / (1 - line));
  return Math.log(100) / (canary * Math.log(canary / line) + rest);
}
