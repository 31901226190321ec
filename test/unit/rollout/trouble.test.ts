import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { poissonTail } from '../../../src/analysis/poisson.ts';
import { poisson } from '../../../src/analysis/variates.ts';
import { seededRandom } from '../../../src/lib/random.ts';
import { brokenPods } from '../../../src/rollout/trouble.ts';
import type { PodTrouble, PodView } from '../../../src/rollout/views.ts';
import { aPod, aSnapshot, at, canaryHash, stableHash } from '../../builders/snapshot.ts';

const hour = 3600;
const crashed: PodTrouble = { kind: 'crashed', message: 'container web crashed', endedAt: at(-1) };
const killed: PodTrouble = { kind: 'out-of-memory', message: 'container web was killed' };
const noImage: PodTrouble = { kind: 'image-pull', message: 'container web: ErrImagePull' };
/** Longer ago than any pause of CrashLoopBackOff. */
const longAgo: PodTrouble = { ...crashed, endedAt: at(-hour) };

/** One canary pod that has lived so many seconds, and restarted so often. */
const canary = (age: number, restarts: number, trouble = crashed, change = {}) =>
  aPod(canaryHash, 0, { startedAt: at(-age), restarts, trouble, ...change });
/** Four stable pods of ten hours each, with so many restarts in all, none of late. */
const stable = (restarts: number) =>
  [0, 1, 2, 3].map((i) =>
    aPod(stableHash, i, {
      startedAt: at(-10 * hour),
      ...(i === 0 ? { restarts, trouble: restarts > 0 ? longAgo : undefined } : {}),
    }),
  );
const judged = (canaries: readonly PodView[], stables: readonly PodView[]) =>
  brokenPods(aSnapshot({ pods: { canary: canaries, stable: stables } }));

describe('a canary pod that crashed', () => {
  const pod = `web-${canaryHash}-0`;

  it.each<[what: string, canaries: PodView[], stables: readonly PodView[], broken: boolean]>([
    ['while stable never did', [canary(10 * hour, 1)], stable(0), true],
    ['at once, while stable restarts once in forty hours', [canary(20, 1)], stable(1), true],
    ['after an hour of the same habit as stable', [canary(hour, 1)], stable(40), false],
    ['killed for memory, as stable is now and then', [canary(hour, 1, killed)], stable(40), false],
    ['three times in an hour, stable once an hour', [canary(hour, 3)], stable(40), false],
    ['six times in an hour, stable once an hour', [canary(hour, 6)], stable(40), true],
    ['and waits for its first restart', [canary(hour, 0)], stable(40), false],
    ['and waits for its first restart, stable well', [canary(hour, 0)], stable(0), true],
    ['has no image, whatever stable does', [canary(hour, 0, noImage)], stable(400), true],
    [
      'by habit, while another has no image',
      [canary(hour, 1), aPod(canaryHash, 1, { trouble: noImage })],
      stable(40),
      true,
    ],
    ['on a node that says nothing', [canary(0, 1, crashed, { startedAt: undefined })], [], true],
    [
      'and is to be deleted, which is no crash of the others',
      [canary(hour, 60, crashed, { deleting: true }), aPod(canaryHash, 1)],
      stable(0),
      false,
    ],
    [
      'by habit, beside one that crashed too often and is being deleted',
      [canary(hour, 60, crashed, { deleting: true }), canary(hour, 1)],
      stable(40),
      false,
    ],
    [
      'within the same ten minutes as every stable pod',
      [canary(20, 1)],
      stable(0).map((one) => ({ ...one, trouble: crashed })),
      false,
    ],
  ])('%s', (_what, canaries, stables, broken) => {
    expect(judged(canaries, stables)?.startsWith('pod web-') ?? false).toBe(broken);
  });

  it('is named with what it died of', () => {
    expect(judged([canary(20, 1)], stable(0))).toBe(`pod ${pod}: container web crashed`);
    const second = aPod(canaryHash, 1, { trouble: noImage });
    expect(judged([canary(hour, 1), second], stable(40))).toBe(
      `pod web-${canaryHash}-1: container web: ErrImagePull`,
    );
  });

  it('more restarts of it excuse nothing, and more of stable blame nobody', () => {
    const span = fc.integer({ min: 1, max: 100 * hour });
    fc.assert(
      fc.property(
        span,
        fc.nat(50),
        fc.nat(5),
        fc.nat(200),
        fc.nat(50),
        (age, restarts, more, usual, extra) => {
          const broken = (own: number, theirs: number) =>
            judged([canary(age, own)], stable(theirs)) !== undefined;
          if (broken(restarts, usual)) expect(broken(restarts + more, usual)).toBe(true);
          if (!broken(restarts, usual)) expect(broken(restarts, usual + extra)).toBe(false);
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe('a canary that restarts as stable does', () => {
  /** Share of rollouts of half an hour, looked at each second, in which a crash rejects. */
  const rejected = (factor: number, perHour: number): number => {
    const random = seededRandom(7);
    const runs = 2000;
    let bad = 0;
    for (let run = 0; run < runs; run += 1) {
      let restarts = 0;
      for (let second = 1; second <= hour / 2; second += 1) {
        const more = poisson((factor * perHour) / hour, random);
        restarts += more;
        if (more === 0) continue;
        if (judged([canary(second, restarts)], stable(40 * perHour)) === undefined) continue;
        bad += 1;
        break;
      }
    }
    return bad / runs;
  };

  // Each look is wrong with 0.3 % at the most, and a rollout has many.
  it.each([1, 10])('%d times an hour is rarely taken for a broken one', (perHour) => {
    expect(rejected(1, perHour)).toBeLessThan(0.01);
  });

  it('ten times as often mostly is, within half an hour', () => {
    expect(rejected(10, 1)).toBeGreaterThan(0.65);
    expect(rejected(10, 10)).toBeGreaterThan(0.99);
  });
});

describe('the tail of the Poisson law', () => {
  it.each([
    [1, 0, 1],
    [0, 1, 0],
    [0, 0, 1],
    // 1 − e^−1, 1 − 2e^−1, and ppois(9, 2, lower.tail = FALSE) of R.
    [1, 1, 0.632_120_558_828_557_7],
    [1, 2, 0.264_241_117_657_115_4],
    [2, 10, 4.649_807_501_726_377e-5],
    [1e-9, 1, 9.999_999_995e-10],
  ])('expecting %d, at least %d: %d', (mean, least, tail) => {
    expect(poissonTail(mean, least)).toBeCloseTo(tail, 12);
    expect(poissonTail(mean, least) / (tail || 1)).toBeCloseTo(tail === 0 ? 0 : 1, 9);
  });

  it('is a probability that falls with the events and rises with the mean', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0, max: 5000, noNaN: true }),
        fc.double({ min: 0, max: 100, noNaN: true }),
        fc.nat(6000),
        (mean, more, least) => {
          const tail = poissonTail(mean, least);
          expect(tail).toBeGreaterThanOrEqual(0);
          expect(tail).toBeLessThanOrEqual(1);
          expect(poissonTail(mean, least + 1)).toBeLessThanOrEqual(tail + 1e-12);
          expect(poissonTail(mean + more, least)).toBeGreaterThanOrEqual(tail - 1e-12);
        },
      ),
    );
  });
});
