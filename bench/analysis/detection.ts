import { fastWatch } from './fast-watch.ts';
import { againstStudy } from './reproduced.ts';
import { compare, halfShare, type RuleResult } from './stream.ts';
import { detectionStudy, studyRules } from './study.ts';
import { short, table } from './table.ts';

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
  const rows = detectionStudy.map(({ stableRate, canaryRate, rps, weight, rules }) => {
    const results = resultsOf({ rps, stableRate, canaryRate }, weight, runs);
    const cells = results.map(({ seconds, failed }, i) => {
      // Peers decide once a minute; Kayenta every ten.
      const grid = [60, 60, 60, 60, 600, poll][i] ?? poll;
      const found = againstStudy({ runs, seconds, failed }, rules[i] ?? null, grid);
      all += 1;
      if (found.agrees) agree += 1;
      return found.text;
    });
    return [`${short(stableRate * 100)}→${short(canaryRate * 100)}`, rps, weight, ...cells];
  });
  const text = table(['base→canary %', 'rps', 'w %', ...studyRules], rows);
  return `${text}\n\n${agree} of ${all} cells within 3 standard deviations of the study's.`;
}
