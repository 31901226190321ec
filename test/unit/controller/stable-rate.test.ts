import { expect, test } from 'vitest';
import { rateOf } from '../../../src/controller/ladder.ts';
import { instant, seconds } from '../../../src/lib/units.ts';
import type { Series, SeriesSet } from '../../../src/metric-sources/metric-source.ts';

const begin = 1_800_000_000_000;
const stable = { arm: 'stable', bad: false, bound: undefined, pod: '' } as const;

/** Looks at a counter, in seconds after the beginning. */
function looks(...samples: readonly (readonly [at: number, value: number])[]): SeriesSet {
  const times = samples.map(([at]) => begin + at * 1000);
  const values = samples.map(([, value]) => value);
  const series: readonly Series[] = [{ key: 'a', ...stable, times, values }];
  const at = instant(begin + seconds(120));
  return { kind: 'series', from: instant(begin - 1), at, series };
}

test.each([
  ['two looks', looks([0, 3], [60, 6003]), 100],
  ['an idle service', looks([0, 7], [60, 7]), 0],
  // Nobody looked since: that says nothing of the traffic.
  ['one look, a while ago', looks([0, 3]), undefined],
  ['looks too near to each other', looks([0, 3], [59, 403]), undefined],
  ['scrapes that failed since', looks([0, 0], [80, 8000]), 100],
  ['none', { ...looks(), series: [] }, undefined],
])('the rate of stable by %s', (_name, set, rate) => {
  expect(rateOf(set)).toBe(rate);
});
