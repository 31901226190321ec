import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { instant } from '../../../src/lib/units.ts';
import type { Series, SeriesSet } from '../../../src/metric-sources/metric-source.ts';
import {
  advance,
  type CountedPoll,
  openStream,
  type PollStream,
  resumeStream,
  type StreamStep,
  windowOf,
} from '../../../src/metric-sources/poll-stream.ts';
import { firstOf } from './rows.ts';

const since = instant(1_000_000_000);

interface Target {
  readonly arm: 'stable' | 'canary';
  readonly offset: number;
  readonly birth: number;
  readonly death: number;
  /**
   * Growth of all and of failed requests per scrape; `restart` = from zero again, then this much.
   */
  readonly growth: readonly (readonly [good: number, bad: number, restart: boolean])[];
  /** Its samples reach the source so much after their timestamps. */
  readonly delay: number;
  readonly jitter: readonly number[];
}

const interval = 5000;

interface DelayedSeries extends Series {
  readonly delay: number;
}

/** The counters of one scraped process: its failed requests are a series once there are any. */
function seriesOf(target: Target, index: number): DelayedSeries[] {
  const all: [number, number][] = [];
  const failed: [number, number][] = [];
  let [good, bad] = [0, 0];
  for (const [step, [more, worse, restart]] of target.growth.entries()) {
    const jitter = target.jitter[step % target.jitter.length] ?? 0;
    const time = since - 60_000 + step * interval + target.offset + jitter;
    if (restart) [good, bad] = [0, 0];
    [good, bad] = [good + more, bad + worse];
    if (step < target.birth || step >= target.death) continue;
    all.push([time, good]);
    if (bad > 0 || failed.length > 0) failed.push([time, bad]);
  }
  const { arm } = target;
  const shape = (samples: [number, number][], isBad: boolean): DelayedSeries => ({
    delay: target.delay,
    key: `${index} ${isBad}`,
    arm,
    bad: isBad,
    bound: undefined,
    pod: `${index}`,
    times: samples.map(([time]) => time),
    values: samples.map(([, value]) => value),
  });
  return [shape(all, false), shape(failed, true)].filter(({ times }) => times.length > 0);
}

/** What a source answers at a moment: samples in (at − window, at] that have arrived. */
function answer(series: readonly DelayedSeries[], at: number, window: number): SeriesSet {
  const cut = series.map((one) => {
    const inside = one.times.map((time) => time > at - window && time + one.delay <= at);
    return {
      ...one,
      times: one.times.filter((_, i) => inside[i]),
      values: one.values.filter((_, i) => inside[i]),
    };
  });
  const seen = cut.filter(({ times }) => times.length > 0);
  return { kind: 'series', from: instant(at - window), at: instant(at), series: seen };
}

const steps = 60;
const growth = fc.array(
  fc.tuple(
    fc.nat(20),
    fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat(3) }),
    fc.oneof(
      { weight: 12, arbitrary: fc.constant(false) },
      { weight: 1, arbitrary: fc.constant(true) },
    ),
  ),
  { minLength: steps, maxLength: steps },
);
const target = (arm: 'stable' | 'canary', birth: fc.Arbitrary<number>): fc.Arbitrary<Target> =>
  fc.record({
    arm: fc.constant(arm),
    offset: fc.nat(interval - 1),
    birth,
    death: fc.oneof(fc.constant(steps), fc.integer({ min: 30, max: steps })),
    growth,
    delay: fc.nat(4500),
    jitter: fc.array(fc.nat(200), { minLength: 1, maxLength: 7 }),
  });
const world = fc
  .tuple(
    target('stable', fc.constant(0)).map((one) => ({ ...one, death: steps })),
    fc.array(target('stable', fc.oneof(fc.constant(0), fc.nat(40))), { maxLength: 3 }),
    fc.array(target('canary', fc.integer({ min: 13, max: 45 })), { maxLength: 3 }),
  )
  .map(([first, stable, canary]) =>
    [first, ...stable, ...canary]
      // A process that is scraped for the first time and late is counted one poll later: left out.
      .map((one) => (one.birth === 0 ? one : { ...one, delay: 0 }))
      .flatMap((one, index) => seriesOf(one, index)),
  );

const end = since - 60_000 + steps * interval + 10_000;

const checks = [{ name: 'errors' }];
const opened = () => openStream(since, checks);

function step(stream: PollStream, series: readonly DelayedSeries[], at: number): StreamStep {
  const window = windowOf(stream, 'errors', instant(at));
  return advance(stream, new Map([['errors', answer(series, at, window)]]), instant(at));
}

const replay = (series: readonly DelayedSeries[], stream = opened()) =>
  step(stream, series, end).polls;

test('any way of asking gives the same polls', () => {
  const pauses = fc.array(fc.integer({ min: 100, max: 40_000 }), { minLength: 5, maxLength: 80 });
  fc.assert(
    fc.property(world, pauses, (series, spans) => {
      const expected = replay(series);
      let stream = opened();
      const polls: CountedPoll[] = [];
      let at: number = since;
      for (const span of spans) {
        at = Math.min(end, at + span);
        const next = step(stream, series, at);
        stream = next.stream;
        polls.push(...next.polls);
      }
      expect(polls).toEqual(expected.slice(0, polls.length));
    }),
    { numRuns: 500 },
  );
});

test('a restart at any poll goes on with the same polls', () => {
  fc.assert(
    fc.property(world, fc.nat(50), (series, place) => {
      const whole = step(opened(), series, end);
      const last = whole.polls[place % Math.max(1, whole.polls.length)];
      const interval = whole.stream.cursor?.interval;
      fc.pre(last !== undefined && interval !== undefined);
      const resumed = resumeStream({ interval, boundary: last.at }, checks);
      const expected = whole.polls.filter((poll) => poll.since >= last.at);
      expect(replay(series, resumed)).toEqual(expected);
    }),
    { numRuns: 500 },
  );
});

test('the pods of the canary have answered what the canary has', () => {
  fc.assert(
    fc.property(world, (series) => {
      for (const { checks, pods } of replay(series)) {
        const each = Object.values(pods?.['errors'] ?? {});
        const { nc, xc } = firstOf(checks['errors']) ?? {};
        expect(each.reduce((sum, { requests }) => sum + requests, 0)).toBe(nc);
        expect(each.reduce((sum, { bad }) => sum + bad, 0)).toBe(xc);
      }
      const unnamed = series.map((one) => ({ ...one, pod: '' }));
      expect(replay(unnamed).every(({ pods }) => pods === undefined)).toBe(true);
    }),
    { numRuns: 100 },
  );
});

test('no request is lost or counted twice', () => {
  fc.assert(
    fc.property(world, (series) => {
      const polls = replay(series);
      const [first, last] = [polls[0], polls.at(-1)];
      fc.pre(first !== undefined && last !== undefined);
      const canary = series.filter(({ arm }) => arm === 'canary');
      const grown = (bad: boolean) =>
        canary
          .filter((one) => !bad || one.bad)
          .reduce((sum, one) => sum + totalGrowth(one, first.since, last.at), 0);
      const counted = (of: 'nc' | 'xc') =>
        polls.reduce((sum, { checks }) => sum + (firstOf(checks['errors'])?.[of] ?? 0), 0);
      expect(counted('nc')).toBe(grown(false));
      expect(counted('xc')).toBe(grown(true));
    }),
    { numRuns: 300 },
  );
});

/**
 * Written apart from the code under test: every rise, and the whole value after every fall or
 * birth.
 */
function totalGrowth({ times, values }: Series, from: number, until: number): number {
  let sum = 0;
  for (const [i, time] of times.entries()) {
    if (time <= from || time > until) continue;
    const [value, before] = [values[i] ?? 0, i === 0 ? 0 : (values[i - 1] ?? 0)];
    sum += value >= before ? value - before : value;
  }
  return sum;
}
