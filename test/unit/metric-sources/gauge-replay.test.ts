import { expect, test } from 'vitest';
import { seededRandom } from '../../../src/lib/random.ts';
import { instant, seconds } from '../../../src/lib/units.ts';
import type { Arm, Reading, Series } from '../../../src/metric-sources/metric-source.ts';
import { advance, openStream, windowOf } from '../../../src/metric-sources/poll-stream.ts';

const at = 1_800_000_000_000;

test('a gauge says the same when it is read at once, second by second, or a second late', () => {
  const random = seededRandom(3);
  const samples = Array.from({ length: 120 }, (_, i) => 1000 * i);
  const memory = (arm: Arm, pod: string): Series => ({
    key: `${arm} ${pod}`,
    arm,
    bad: false,
    bound: undefined,
    pod,
    times: samples.map((time) => at - 120_000 + time),
    values: samples.map(() => Math.round(100 * random())),
  });
  const gauges = [memory('stable', 'a'), memory('stable', 'b'), memory('canary', 'c')];
  const counter: Series = { ...memory('stable', ''), values: samples.map((_time, i) => i) };
  const upTo = (one: Series, from: number, end: number): Series => {
    const kept = one.times.flatMap((time, i) => (time > from && time <= end ? [i] : []));
    const pick = (list: readonly number[]) => kept.map((i) => list[i] ?? 0);
    return { ...one, times: pick(one.times), values: pick(one.values) };
  };
  const play = (moments: readonly number[], late: number) => {
    const checks = [
      { name: 'errors' },
      { name: 'memory', gauge: { span: seconds(5), worseWhen: 'higher' as const } },
    ];
    let stream = openStream(instant(at - 60_000), checks);
    return moments.flatMap((moment) => {
      const now = instant(at - moment);
      const read = (name: string, all: readonly Series[], behind: number): [string, Reading] => {
        const from = instant(now - windowOf(stream, name, now));
        const series = all.map((one) => upTo(one, from, now - behind));
        return [name, { kind: 'series', from, at: now, series }];
      };
      const readings = new Map([read('errors', [counter], 0), read('memory', gauges, late)]);
      const step = advance(stream, readings, now);
      stream = step.stream;
      return step.polls.map((poll) => [poll.at, poll.checks['memory']] as const);
    });
  };
  const seconds60 = Array.from({ length: 60 }, (_, i) => 1000 * (59 - i));
  const atOnce = play([0], 0);
  expect(atOnce.length).toBeGreaterThan(50);
  expect(atOnce.every(([, found]) => found !== undefined)).toBe(true);
  expect(play(seconds60, 0)).toEqual(atOnce);
  expect(play(seconds60, 900)).toEqual(atOnce);
});
