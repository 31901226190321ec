import { describe, expect, test } from 'vitest';
import { type Instant, instant, millis, seconds } from '../../../src/lib/units.ts';
import { historyOf, podHistories } from '../../../src/metric-sources/history.ts';
import type { Arm, Reading, Series } from '../../../src/metric-sources/metric-source.ts';
import { unusable } from '../../../src/metric-sources/metric-source.ts';
import {
  advance,
  openStream,
  resumeStream,
  storedStream,
  windowOf,
} from '../../../src/metric-sources/poll-stream.ts';
import { nextTick } from '../../../src/metric-sources/poll-timing.ts';
import { firstOf } from './rows.ts';

const since = 1_000_000;
const at = (second: number): Instant => instant(since + second * 1000);

/** Samples as [second, value]; second 0 is the beginning of the rollout. */
function series(
  arm: Arm,
  samples: readonly (readonly [second: number, value: number])[],
  more: Partial<Series> = {},
): Series {
  return {
    key: JSON.stringify([arm, more]),
    arm,
    bad: false,
    bound: undefined,
    pod: '',
    times: samples.map(([second]) => at(second)),
    values: samples.map(([, value]) => value),
    ...more,
  };
}

const every = (step: number, from: number, to: number, growth: number) =>
  Array.from({ length: Math.floor((to - from) / step) + 1 }, (_, i): [number, number] => [
    from + i * step,
    i * growth,
  ]);

const reading = (second: number, all: readonly Series[], from = -200): Reading => ({
  kind: 'series',
  from: at(from),
  at: at(second),
  series: all,
});

const errors = [{ name: 'errors' }];
const both = [{ name: 'errors' }, { name: 'latency', bounds: [0.3] }];
const stableUntil = (second: number) => series('stable', every(5, -30, second, 50));
const stable = stableUntil(60);

const run = (second: number, all: readonly Series[]) =>
  advance(openStream(at(0), errors), new Map([['errors', reading(second, all)]]), at(second));

describe('one check', () => {
  test('Δ is the scrape interval and polls follow the samples', () => {
    const { stream, polls, unusable: faults } = run(60, [stable]);
    expect(stream.cursor).toEqual({ interval: 5000, boundary: at(60) });
    expect(polls.map((poll) => (poll.at - since) / 1000)).toEqual([
      5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 55, 60,
    ]);
    expect(polls[0]?.checks).toEqual({ errors: [{ nc: 0, xc: 0, ns: 50, xs: 0 }] });
    expect(faults.size).toBe(0);
  });

  test.each([
    [0.2, 1000],
    [1, 1000],
    [7.46, 7500],
    [60, 15_000],
  ])('a scrape every %s s gives an interval of %s ms', (step, interval) => {
    const { stream } = run(0, [series('stable', every(step, -10 * step, 0, 1))]);
    expect(stream.cursor?.interval).toBe(interval);
  });

  test('no series of the canary beside a fresh stable is no request, not a hold', () => {
    const step = run(60, [stable]);
    expect(step.unusable.size).toBe(0);
    expect(step.polls.every(({ checks }) => firstOf(checks['errors'])?.nc === 0)).toBe(true);
  });

  test('the first value of a series born during the rollout counts in full', () => {
    const canary = series('canary', [
      [10, 4],
      [15, 9],
      [20, 9],
    ]);
    const failed = series(
      'canary',
      every(5, 15, 20, 0).map(([second]) => [second, 3] as const),
      { bad: true },
    );
    const { polls } = run(20, [stableUntil(20), canary, failed]);
    const counted = polls.map(({ checks }) => firstOf(checks['errors']));
    expect(counted.reduce((sum, one) => sum + (one?.nc ?? 0), 0)).toBe(9 + 3);
    expect(counted.reduce((sum, one) => sum + (one?.xc ?? 0), 0)).toBe(3);
  });

  test('what stood before the rollout is not counted, and a restart counts its new value', () => {
    const counter = series('stable', [
      [-10, 1000],
      [-5, 1010],
      [0, 1020],
      [5, 7],
      [10, 9],
    ]);
    const { polls } = run(10, [counter]);
    expect(polls.map(({ checks }) => firstOf(checks['errors'])?.ns)).toEqual([7, 2]);
  });

  test.each<[what: string, all: Series[], second: number, code: string]>([
    ['nothing of stable', [series('canary', every(5, 0, 60, 1))], 60, 'no-stable-data'],
    [
      'stable seen twice',
      [
        series('stable', [
          [-5, 1],
          [0, 2],
        ]),
      ],
      1,
      'too-few-samples',
    ],
    ['an old last sample', [stable], 73, 'stale'],
  ])('%s holds', (_what, all, second, code) => {
    expect(run(second, all).unusable.get('errors')).toMatchObject({ code });
  });

  test('a stable that is younger than the rollout is counted as soon as its interval shows', () => {
    const young = series('stable', every(5, 2, 40, 50));
    const { stream, polls } = run(40, [young]);
    expect(stream.cursor?.interval).toBe(5000);
    expect((polls[0]?.since ?? 0) - since).toBe(12_000);
    expect(polls).toHaveLength(5);
  });

  test('a stale answer still gives the polls that were complete', () => {
    expect(run(80, [stable]).polls).toHaveLength(12);
  });

  test('stable is fresh enough for two and a half scrapes', () => {
    expect(run(72, [stable]).unusable.size).toBe(0);
    expect(run(73, [stable]).unusable.size).toBe(1);
  });

  test('both arms are counted to the same moment when one of them arrives late', () => {
    const late = series('stable', every(5, -30, 10, 50));
    const canary = series('canary', every(5, -30, 20, 1));
    const { polls } = run(20, [late, canary]);
    expect(polls.map((poll) => (poll.at - since) / 1000)).toEqual([5, 10]);
  });

  test('a pod that has gone is waited for during two intervals only', () => {
    const gone = series('stable', every(5, -30, 20, 10), { pod: 'gone' });
    const last = (second: number) => run(second, [stableUntil(second), gone]).polls.at(-1)?.at;
    expect(last(30)).toBe(at(20));
    expect(last(35)).toBe(at(35));
  });

  test('an answer that does not reach back gives the lost polls up and goes on', () => {
    const opened = run(20, [stableUntil(20)]);
    const short = reading(60, [series('stable', every(5, 40, 60, 50))], 39);
    const lost = advance(opened.stream, new Map([['errors', short]]), at(60));
    expect(lost.unusable.get('errors')).toMatchObject({ code: 'history-lost' });
    expect(lost.polls).toEqual([]);
    const onward = series('stable', every(5, -30, 80, 50));
    const next = advance(lost.stream, new Map([['errors', reading(80, [onward])]]), at(80));
    expect(next.polls.map(({ since: start }) => start)).toEqual([at(60), at(65), at(70), at(75)]);
  });

  test('an answer too large to be had is given up, a moment of it is not', () => {
    const opened = run(20, [stableUntil(20)]).stream;
    const large = new Map([['errors', unusable('too-large', '')]]);
    expect(advance(opened, large, at(30)).stream.cursor).toEqual(opened.cursor);
    expect(advance(opened, large, at(400)).stream.cursor).toBeUndefined();
  });
});

describe('two checks', () => {
  const buckets = (arm: Arm, until: number) => [
    series(arm, every(5, -30, until, 50), { bound: Number.POSITIVE_INFINITY }),
    series(arm, every(5, -30, until, 40), { bound: 0.3 }),
  ];
  const step = (
    stream: ReturnType<typeof openStream>,
    second: number,
    latency: Reading,
    until = second,
  ) =>
    advance(
      stream,
      new Map([
        ['errors', reading(second, [series('stable', every(5, -30, until, 50))])],
        ['latency', latency],
      ]),
      at(second),
    );

  test('share the ends of polls; slow = all − bucket', () => {
    const { polls } = step(openStream(at(0), both), 20, reading(20, buckets('stable', 20)));
    expect(polls).toHaveLength(4);
    expect(polls[0]?.checks['latency']).toEqual([{ nc: 0, xc: 0, ns: 50, xs: 10 }]);
  });

  test('the second without an answer holds up nothing; its gap is given up', () => {
    const down = unusable('timeout', '');
    const first = step(openStream(at(0), both), 10, reading(10, buckets('stable', 10)));
    const second = step(first.stream, 20, down);
    expect(second.polls.map(({ checks }) => Object.keys(checks))).toEqual([['errors'], ['errors']]);
    expect(second.unusable.get('latency')).toBe(down);
    expect(storedStream(second.stream)).toEqual({ interval: 5000, boundary: at(20) });
    expect(windowOf(second.stream, 'latency', at(25))).toBe(16_000);
    const third = step(second.stream, 25, reading(25, buckets('stable', 25)));
    expect(third.polls.map(({ checks }) => checks['latency'])).toEqual([
      [{ nc: 0, xc: 0, ns: 50, xs: 10 }],
    ]);
  });

  test('the first without an answer is waited for, and nothing of it is given up', () => {
    const latency = (second: number) => reading(second, buckets('stable', second));
    const fail = (stream: ReturnType<typeof openStream>, second: number) => {
      const readings = new Map([
        ['errors', unusable('timeout', '')],
        ['latency', latency(second)],
      ]);
      return advance(stream, readings, at(second));
    };
    const first = step(openStream(at(0), both), 10, latency(10));
    const failed = fail(first.stream, 20);
    expect(failed.polls).toEqual([]);
    const back = step(failed.stream, 20, latency(20));
    expect(back.polls.map(({ checks }) => firstOf(checks['errors'])?.ns)).toEqual([50, 50]);
    expect(fail(failed.stream, 45).polls.map(({ checks }) => Object.keys(checks))).toHaveLength(7);
  });

  test('sources that are asked at different moments are counted together', () => {
    const errorsAt = (second: number) =>
      new Map([['errors', reading(second, [stableUntil(second)])]]);
    const latencyAt = (second: number) =>
      new Map([['latency', reading(second, buckets('stable', second))]]);
    let { stream } = advance(openStream(at(0), both), errorsAt(10), at(10));
    const polls = [];
    for (const second of [10, 15, 20, 25, 30]) {
      const one = advance(stream, latencyAt(second), at(second));
      const two = advance(one.stream, errorsAt(second), at(second + 2));
      stream = two.stream;
      polls.push(...one.polls, ...two.polls);
    }
    const complete = polls.filter(({ checks }) => Object.keys(checks).length === 2);
    expect(complete.map((poll) => (poll.at - since) / 1000)).toEqual([15, 20, 25, 30]);
  });

  test('a source that has stopped is left out after two intervals', () => {
    const { polls } = step(openStream(at(0), both), 40, reading(40, buckets('stable', 10)));
    expect(polls).toHaveLength(8);
    expect(polls.every(({ checks }) => checks['latency'] === undefined)).toBe(true);
  });

  test('bounds that the buckets do not have hold that check', () => {
    const checks = [{ name: 'errors' }, { name: 'latency', bounds: [0.7] }];
    const { unusable: faults } = step(
      openStream(at(0), checks),
      20,
      reading(20, buckets('stable', 20)),
    );
    expect(faults.get('latency')).toMatchObject({ code: 'bounds-absent' });
    expect([...faults.keys()]).toEqual(['latency']);
  });
});

test('windows reach as far back as is needed, and two hours at most', () => {
  const opened = run(20, [stableUntil(20)]).stream;
  expect(windowOf(opened, 'errors', at(26))).toBe(7000);
  expect(windowOf(openStream(at(0), errors), 'errors', at(0))).toBe(200_000);
  const resumed = resumeStream({ interval: millis(5000), boundary: at(0) }, errors);
  expect(windowOf(resumed, 'errors', at(10))).toBe(610_000);
  expect(windowOf(resumed, 'errors', at(100_000))).toBe(7_200_000);
});

test('the next look comes soon after the next scrape', () => {
  const opened = run(20, [stableUntil(20)]).stream;
  expect(nextTick(openStream(at(0), errors), at(0), seconds(15))).toBe(15_000);
  expect(nextTick(opened, at(21), seconds(15))).toBe(4100);
  expect(nextTick(opened, at(26), seconds(15))).toBe(1250);
  expect(nextTick(opened, at(40), seconds(15))).toBe(5000);
});

test('a scrape that takes long is looked for later from then on', () => {
  const opened = run(20, [stableUntil(20)]).stream;
  const again = (moment: number) => {
    const same = reading(moment, [stableUntil(20)]);
    return advance(opened, new Map([['errors', same]]), at(moment)).stream;
  };
  expect(nextTick(again(24), at(24), seconds(15))).toBe(1100);
  const slow = again(25.1);
  expect(nextTick(slow, at(25.1), seconds(15))).toBe(250);
  expect(nextTick(slow, at(24), seconds(15))).toBe(1250);
  const away = advance(opened, new Map([['errors', unusable('unreachable', 'away')]]), at(26));
  expect(nextTick(away.stream, at(24), seconds(15))).toBe(1100);
});

describe('before a rollout', () => {
  const failed = series('stable', every(15, -600, 0, 1), { bad: true, pod: 'a' });
  const all = series('stable', every(15, -600, 0, 99), { pod: 'a' });
  const other = series('stable', every(15, -600, 0, 100), { pod: 'b' });
  const set = reading(0, [failed, all, other], -600);
  if (set.kind !== 'series') throw new Error('unreachable');

  test('the base rate is that of the whole span', () => {
    expect(historyOf(set)).toMatchObject({ requests: 8000, bad: 40, covered: 600_000 });
  });

  test('pods are counted apart in aligned cells', () => {
    const pods = podHistories(set, seconds(15));
    expect(pods.map((cells) => cells.length)).toEqual([40, 40]);
    expect(pods.map((cells) => cells.at(-1))).toEqual([
      { requests: 100, bad: 1 },
      { requests: 100, bad: 0 },
    ]);
  });

  test('slow requests are those outside the bucket', () => {
    const buckets = reading(
      0,
      [
        series('stable', every(15, -600, 0, 100), { bound: Number.POSITIVE_INFINITY }),
        series('stable', every(15, -600, 0, 60), { bound: 0.1 }),
        series('stable', every(15, -600, 0, 90), { bound: 0.3 }),
      ],
      -600,
    );
    if (buckets.kind !== 'series') throw new Error('unreachable');
    expect(historyOf(buckets).tails).toEqual([
      { bound: 0.1, requests: 4000, slow: 1600 },
      { bound: 0.3, requests: 4000, slow: 400 },
    ]);
    expect(podHistories(buckets, seconds(15), 0.3)[0]?.at(-1)).toEqual({ requests: 100, bad: 10 });
  });
});
