import { fastWatch } from './fast-watch.ts';
import { againstStudy } from './reproduced.ts';
import { compare, halfShare, type RuleResult } from './stream.ts';
import { detectionStudy, studyRules } from './study.ts';
import { mean, median, percents, short, table } from './table.ts';

const traffic = [
  [9.26, 1],
  [9.26, 10],
  [100, 1],
  [100, 10],
  [1000, 1],
  [1000, 10],
] as const;
const poll = 5;

/** Every rule on the same streams: `stableRate` is known before, an hour at a fixed weight. */
function resultsOf(
  service: { rps: number; stableRate: number; canaryRate: number },
  weight: number,
  runs: number,
): readonly RuleResult[] {
  const options = { service, weight, interval: poll, horizon: 3600 };
  const known = { badRates: [service.stableRate] };
  const results = compare(options, runs, {
    Haldane: (stream) => fastWatch(stream, weight, known, halfShare),
  });
  return results.filter(({ name }) => name !== 'peeked z');
}

/** § 4.1: rolled back % / median s / mean failed requests: ours = the study's, and whether so. */
export function detectionTable(runs: number): string {
  let [agree, all] = [0, 0];
  const rows = detectionStudy.map(({ canaryRate, rps, weight, rules }) => {
    const results = resultsOf({ rps, stableRate: 0.001, canaryRate }, weight, runs);
    const cells = results.map(({ seconds, failed }, i) => {
      // Peers decide once a minute; Kayenta every ten.
      const grid = [60, 60, 60, 60, 600, poll][i] ?? poll;
      const found = againstStudy({ runs, seconds, failed }, rules[i] ?? null, grid);
      all += 1;
      if (found.agrees) agree += 1;
      return found.text;
    });
    return [`0.1→${short(canaryRate * 100)}`, rps, weight, ...cells];
  });
  const text = table(['base→canary %', 'rps', 'w %', ...studyRules], rows);
  return `${text}\n\n${agree} of ${all} cells within 3 standard deviations of the study's.`;
}

/** What the study did not look at: base 1 %, and the least that any valid test needs. */
export function smallFaultTable(runs: number): string {
  const rows = [0.02, 0.05].flatMap((canaryRate) =>
    traffic.map(([rps, weight]) => {
      const results = resultsOf({ rps, stableRate: 0.01, canaryRate }, weight, runs);
      const bound = leastRequests(0.01, canaryRate);
      const least = `${Math.round(bound)} / ${Math.round(bound / ((rps * weight) / 100))}`;
      return [`1→${canaryRate * 100}`, rps, weight, ...results.map(cell), least];
    }),
  );
  return table(['base→canary %', 'rps', 'w %', ...studyRules, 'bound'], rows);
}

const cell = ({ found, seconds, failed }: RuleResult): string =>
  found === 0 ? '–' : `${percents(found)}/${short(median(seconds))}/${short(mean(failed))}`;

/** Canary requests that any valid test needs: ln(1/α) over the information of one. */
function leastRequests(stable: number, canary: number): number {
  const line = 1.25 * stable + 0.0025;
  const rest = canary >= 1 ? 0 : (1 - canary) * Math.log((1 - canary) / (1 - line));
  return Math.log(100) / (canary * Math.log(canary / line) + rest);
}
