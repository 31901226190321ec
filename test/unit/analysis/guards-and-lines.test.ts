import { describe, expect, it } from 'vitest';
import { objectiveBound, usableBounds } from '../../../src/analysis/bounds.ts';
import { dispersionOf } from '../../../src/analysis/dispersion.ts';
import { excessInterval } from '../../../src/analysis/interval.ts';
import { growSplit, openSplit } from '../../../src/analysis/split.ts';
import { binomial, geometric, poisson } from '../../../src/analysis/variates.ts';
import { seededRandom } from '../../../src/lib/random.ts';
import { percent } from '../../../src/lib/units.ts';
import { counts } from './polls.ts';

describe('dispersion', () => {
  const history = (cells: number, pods: number, draw: (random: () => number) => number) => {
    const random = seededRandom(7);
    return Array.from({ length: pods }, () =>
      Array.from({ length: cells }, () => ({ requests: 75, bad: Math.min(75, draw(random)) })),
    );
  };

  it('is about 1 for independent errors', () => {
    const found = dispersionOf(
      history(240, 20, (random) => binomial(75, 0.01, random)),
      15_000,
    );
    expect(found).toBeGreaterThanOrEqual(1);
    expect(found).toBeLessThan(1.2);
  });

  it('is about E[J²]/E[J] for bursts', () => {
    const found = dispersionOf(
      history(240, 20, (random) => {
        let bad = 0;
        for (let left = poisson(75 * 0.002, random); left > 0; left -= 1) {
          bad += geometric(5, random);
        }
        return bad;
      }),
      15_000,
    );
    expect(found).toBeGreaterThan(6);
    expect(found).toBeLessThan(12);
  });

  it('leaves an outage of all pods out, but not without pods to compare', () => {
    const outage = (pods: number) =>
      Array.from({ length: pods }, () =>
        Array.from({ length: 40 }, (_, i) => ({ requests: 100, bad: i >= 20 && i < 24 ? 100 : 1 })),
      );
    expect(dispersionOf(outage(10), 15_000)).toBe(1);
    expect(dispersionOf(outage(1), 15_000)).toBeGreaterThan(20);
  });

  it('is 1 without history', () => {
    expect(dispersionOf([], 15_000)).toBe(1);
    expect(dispersionOf([[]], 15_000)).toBe(1);
  });
});

describe('split', () => {
  it('proves the absence of canary traffic as fast as promised: ln 100 / (w/2 · Λ)', () => {
    let split = openSplit;
    let seconds = 0;
    while (split.less < Math.log(100)) {
      split = growSplit(split, counts(0, 0, 100, 0), percent(1));
      seconds += 1;
    }
    expect(seconds).toBe(Math.ceil(Math.log(100) / (0.0045 * 100)));
  });

  it('hardly ever holds a right split, and then for a moment', () => {
    const random = seededRandom(3);
    let held = 0;
    for (const w of [1, 5, 25, 50]) {
      let split = openSplit;
      for (let k = 0; k < 2000; k += 1) {
        const nc = binomial(100, w / 100, random);
        split = growSplit(split, counts(nc, 0, 100 - nc, 0), percent(w));
        if (Math.max(split.less, split.more) >= Math.log(100)) held += 1;
      }
    }
    expect(held).toBeLessThanOrEqual(2);
  });

  it('finds a canary that gets four times its share, and forgives when it ends', () => {
    let split = openSplit;
    for (let k = 0; k < 60; k += 1) split = growSplit(split, counts(4, 0, 96, 0), percent(1));
    expect(split.more).toBeGreaterThan(Math.log(100));
    for (let k = 0; k < 60; k += 1) split = growSplit(split, counts(1, 0, 99, 0), percent(1));
    expect(split.more).toBeLessThan(Math.log(100));
  });
});

describe('excess interval', () => {
  const split = { pHat: 0.001, kappa: 1 / 9 };

  it('holds the observed excess, and narrows with more requests', () => {
    const some = excessInterval(counts(1000, 11, 9000, 9), split, 1);
    expect(some.low).toBeGreaterThan(0);
    expect(some.low).toBeLessThan(0.01);
    expect(some.high).toBeGreaterThan(0.01);
    const more = excessInterval(counts(10_000, 110, 90_000, 90), split, 1);
    expect(more.high - more.low).toBeLessThan((some.high - some.low) / 2);
  });

  it('says nothing of nothing', () => {
    expect(excessInterval(counts(0, 0, 0, 0), split, 1)).toEqual({ low: -0.001, high: 0.999 });
  });

  it('errs less often than 1 in 20 on either side, read after every 50 requests', () => {
    const random = seededRandom(11);
    let missed = 0;
    for (let run = 0; run < 60; run += 1) {
      let sum = counts(0, 0, 0, 0);
      let out = false;
      for (let look = 0; look < 20; look += 1) {
        sum = counts(
          sum.nc + 50,
          sum.xc + binomial(50, 0.02, random),
          sum.ns + 450,
          sum.xs + binomial(450, 0.01, random),
        );
        const { low, high } = excessInterval(sum, { pHat: 0.01, kappa: 1 / 9 }, 1);
        out ||= low > 0.01 || high < 0.01;
      }
      if (out) missed += 1;
    }
    expect(missed).toBeLessThanOrEqual(6);
  });
});

describe('bounds', () => {
  const tails = [0.9, 0.75, 0.4, 0.1, 0.01, 0.0005, 0.0001].map((tail, i) => ({
    bound: 2 ** i,
    slower: tail * 10_000,
    total: 10_000,
  }));

  it('are those that 0.05 % to 75 % of requests exceed', () => {
    expect(usableBounds(tails)).toEqual([2, 4, 8, 16, 32]);
    expect(usableBounds([{ bound: 1, slower: 0, total: 0 }])).toEqual([]);
  });

  it('are thinned evenly, ends included', () => {
    const many = Array.from({ length: 100 }, (_, i) => ({ bound: i, slower: 10, total: 100 }));
    const chosen = usableBounds(many);
    expect(chosen).toHaveLength(8);
    expect([chosen[0], chosen[7]]).toEqual([0, 99]);
  });

  it('an objective is judged at the next bound', () => {
    expect(objectiveBound([1, 0.25, 0.5, Number.POSITIVE_INFINITY], 0.3)).toBe(0.5);
    expect(objectiveBound([0.25, Number.POSITIVE_INFINITY], 0.3)).toBeUndefined();
  });
});
