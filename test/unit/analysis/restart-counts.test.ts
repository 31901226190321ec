import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Counts } from '../../../src/analysis/counts.ts';
import {
  noLives,
  type PodLives,
  rememberLives,
  restartCounts,
  restartLag,
  restartPrior,
  type SeenPod,
} from '../../../src/analysis/restart-counts.ts';
import { instant } from '../../../src/lib/units.ts';
import { counts } from './polls.ts';

const epoch = 1_760_000_000_000;
/** Seconds since the beginning of the test. */
const at = (second: number) => instant(epoch + second * 1000);

const seen = (uid: string, change: Partial<SeenPod> = {}): SeenPod => ({
  uid,
  restarts: 0,
  startedAt: at(0),
  until: undefined,
  ends: [],
  ...change,
});
const end = (second: number, container = 'web') => ({ container, at: at(second) });
const look = (
  canary: readonly SeenPod[],
  stable: readonly SeenPod[],
  { known = noLives, countedTo = at(0), now = at(1000) } = {},
): PodLives => rememberLives(known, { canary, stable }, countedTo, now);

const lag = restartLag / 1000;
/** Of the poll whose span, moved back, is the one of these seconds. */
const counted = (lives: PodLives, from: number, to: number): Counts | undefined =>
  restartCounts(lives, { since: at(from + lag), at: at(to + lag) });

describe('restarts of a poll', () => {
  const stable = [seen('s')];

  it.each<[what: string, canary: readonly SeenPod[], nc: number, xc: number]>([
    ['of a pod that runs', [seen('a')], 10, 0],
    ['of two pods', [seen('a'), seen('b')], 20, 0],
    ['of a pod that began in it', [seen('a', { startedAt: at(107) })], 3, 0],
    ['of a pod that began later', [seen('a', { startedAt: at(111) })], 0, 0],
    ['of a pod that no node has', [seen('a', { startedAt: undefined })], 0, 0],
    ['of a pod that was deleted in it', [seen('a', { until: at(104) })], 4, 0],
    ['of a pod that was deleted before', [seen('a', { until: at(90) })], 0, 0],
    ['with an end in it', [seen('a', { ends: [end(105)] })], 10, 1],
    ['with one at its beginning, of the poll before', [seen('a', { ends: [end(100)] })], 10, 0],
    ['with one in its last second', [seen('a', { ends: [end(110)] })], 10, 1],
    ['with one later', [seen('a', { ends: [end(111)] })], 10, 0],
    [
      'with ends of two containers at once',
      [seen('a', { ends: [end(105), end(105, 'proxy')] })],
      10,
      2,
    ],
    [
      'with an end in the second in which the pod began',
      [seen('a', { startedAt: at(110), ends: [end(110)] })],
      0,
      1,
    ],
  ])('%s', (_what, canary, nc, xc) => {
    expect(counted(look(canary, stable), 100, 110)).toEqual(counts(nc, xc, 10, 0));
  });

  it('is nothing to compare without pods of stable', () => {
    expect(counted(look([seen('a')], []), 100, 110)).toBeUndefined();
    expect(counted(look([seen('a')], stable), 100, 100)).toBeUndefined();
  });
});

describe('what is remembered', () => {
  it('an end that another one has taken the place of', () => {
    const first = look([], [seen('s', { ends: [end(50)] })]);
    const second = look([], [seen('s', { ends: [end(70)] })], { known: first });
    expect(counted(second, 40, 80)).toEqual(counts(0, 0, 40, 2));
    // Seen again and again, it is one.
    const third = look([], [seen('s', { ends: [end(70)] })], { known: second });
    expect(counted(third, 40, 80)).toEqual(counts(0, 0, 40, 2));
  });

  it('a pod that is gone, up to when it was missed', () => {
    const known = look([], [seen('s', { ends: [end(50)] }), seen('t')]);
    const later = look([], [seen('t')], { known, now: at(60) });
    expect(counted(later, 40, 80)).toEqual(counts(0, 0, 60, 1));
    expect(counted(look([], [seen('t')], { known: later }), 40, 80)).toEqual(counts(0, 0, 60, 1));
  });

  it('nothing that no later poll needs', () => {
    const known = look([], [seen('s', { ends: [end(50), end(70)] }), seen('t')]);
    const lives = look([], [seen('s', { ends: [end(70)] })], { known, now: at(75) });
    const sizes = (countedTo: number, now = 80) => {
      const later = look([], [seen('s')], { known: lives, countedTo: at(countedTo), now: at(now) });
      return [later.stable.size, later.stable.get('s')?.ends.length];
    };
    expect(sizes(50 + lag - 1)).toEqual([2, 2]);
    expect(sizes(50 + lag)).toEqual([2, 1]);
    expect(sizes(75 + lag)).toEqual([1, 0]);
    // A source that has been away for hours is not asked for them.
    expect(sizes(0, 100_000)).toEqual([1, 0]);
  });
});

describe('what stable is expected to do', () => {
  it.each<[what: string, pods: readonly SeenPod[], badRates: readonly number[] | undefined]>([
    ['restarts over lives', [seen('a', { restarts: 3 }), seen('b')], [3 / 2000]],
    ['no restart', [seen('a')], [0]],
    ['no pod that a node has', [seen('a', { startedAt: undefined })], undefined],
  ])('%s', (_what, pods, badRates) => {
    expect(restartPrior(pods, at(1000)).badRates).toEqual(badRates);
  });
});

/** A pod as it really is; the watch tells what happened some seconds ago. */
interface Truth {
  readonly uid: string;
  readonly start: number;
  readonly ends: readonly number[];
}

/** Ends of a container lie further apart than a controller is ever away and behind. */
const apart = 120;
const truths = (arm: string) =>
  fc
    .array(
      fc.record({
        start: fc.nat(300),
        gaps: fc.array(fc.integer({ min: apart, max: 400 }), { maxLength: 5 }),
      }),
      { maxLength: 4 },
    )
    .map((pods) =>
      pods.map(({ start, gaps }, i): Truth => {
        let last = start;
        return { uid: `${arm}${i}`, start, ends: gaps.map((gap) => (last += gap)) };
      }),
    );

const viewed = (pods: readonly Truth[], now: number, delay: number): readonly SeenPod[] =>
  pods
    .filter(({ start }) => start + delay <= now)
    .map(({ uid, start, ends }) => {
      const told = ends.filter((one) => one + delay <= now);
      const last = told.slice(-1).map((one) => end(one));
      return seen(uid, { startedAt: at(start), restarts: told.length, ends: last });
    });

describe('a controller that was restarted', () => {
  it('counts what the one before it would have, at whatever poll it takes over', () => {
    const span = fc.integer({ min: 1000, max: 15_000 });
    fc.assert(
      fc.property(
        truths('c'),
        truths('s'),
        fc.array(span, { minLength: 5, maxLength: 80 }),
        // The watch is behind by less than the lag, less the source's own delay.
        fc.double({ min: 0, max: 9, noNaN: true }),
        fc.nat(),
        fc.integer({ min: 0, max: 45 }),
        (canary, stable, spans, delay, killed, away) => {
          const ends = spans.map((_, i) => spans.slice(0, i + 1).reduce((a, b) => a + b, 0) / 1000);
          const kill = killed % ends.length;
          const polls = ends.map((to, i) => ({ since: at(ends[i - 1] ?? 0), at: at(to), to }));
          const see = (known: PodLives, countedTo: number, now: number) =>
            rememberLives(
              known,
              { canary: viewed(canary, now, delay), stable: viewed(stable, now, delay) },
              at(countedTo),
              at(now),
            );
          let live = noLives;
          const first = polls.map((poll, i) => {
            live = see(live, ends[i - 1] ?? 0, poll.to);
            return restartCounts(live, poll);
          });
          // From the last record on, which is so far behind, all polls are made at once.
          const from = Math.max(0, kill - 3);
          const back = (ends[kill] ?? 0) + away;
          let other = noLives;
          const again = polls.slice(from).map((poll, i) => {
            other = see(other, ends[from + i - 1] ?? 0, Math.max(back, poll.to));
            return restartCounts(other, poll);
          });
          expect(again).toEqual(first.slice(from));
          // Polls add up to the whole: every second of a pod once, and every end.
          const sum = (key: keyof Counts) => first.reduce((all, one) => all + (one?.[key] ?? 0), 0);
          const last = Math.floor((ends.at(-1) ?? 0) - lag);
          const lived = stable.map(({ start }) => Math.max(0, last - start));
          expect(sum('ns')).toBe(lived.reduce((a, b) => a + b, 0));
          const ended = stable.flatMap((pod) => pod.ends).filter((one) => one <= last);
          expect(sum('xs')).toBe(ended.length);
        },
      ),
      { numRuns: 1000 },
    );
  });
});
