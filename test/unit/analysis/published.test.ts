import { describe, expect, it } from 'vitest';
import { kayentaClass, kayentaHigh } from '../../../bench/analysis/kayenta.ts';
import { peers } from '../../../bench/analysis/peers.ts';
import { makeStream } from '../../../bench/analysis/stream.ts';
import { defaultPolicy } from '../../../src/analysis/policy.ts';
import { simulateRollout } from '../../../src/analysis/simulate.ts';
import { totalWealth } from '../../../src/analysis/total.ts';
import { poisson } from '../../../src/analysis/variates.ts';
import { seededRandom } from '../../../src/lib/random.ts';
import { percent } from '../../../src/lib/units.ts';
import { counts, errorsPoll, run, weight } from './polls.ts';
import { drawnArms } from './reference/arms.ts';
import {
  bestRho,
  betaBinomial,
  betaBinomialBound,
  lnDirichletMultinomial,
  normalBound,
  splitPValue,
  waldBernoulli,
  waldSaving,
} from './reference/mixtures.ts';
import {
  empiricalBand,
  firstIsBestPValue,
  firstRejection,
  gammaPoisson,
  gammaPoissonBound,
  logRatioSequence,
  quantilePValue,
  shareInterval,
} from './reference/sequences.ts';
import { upperNormal } from './reference/special.ts';

describe('confseq', () => {
  const mixture = { vOpt: 100, alphaOpt: 0.05, g: 0.2, h: 0.8 };

  it('beta-binomial mixture and its bound', () => {
    expect(betaBinomial(10, 100, { ...mixture, oneSided: true })).toBeCloseTo(-0.07134019, 6);
    expect(betaBinomial(10, 100, { ...mixture, oneSided: false })).toBeCloseTo(-0.6941012, 6);
    expect(betaBinomialBound(100, 0.05, { ...mixture, oneSided: true })).toBeCloseTo(28.41238, 4);
    expect(betaBinomialBound(100, 0.05, { ...mixture, oneSided: false })).toBeCloseTo(31.4308, 3);
  });

  it('normal mixture', () => {
    expect(bestRho(100, 0.05)).toBeCloseTo(12.60056, 5);
    expect(normalBound(100, bestRho(100, 0.05), 0.05)).toBeCloseTo(30.35209, 4);
  });

  it('gamma-Poisson mixture and its bound', () => {
    expect(gammaPoisson(10, 100, 100, 0.05, 2)).toBeCloseTo(-0.06991219, 6);
    expect(gammaPoissonBound(100, 100, 0.05, 2)).toBeCloseTo(30.1949, 4);
  });

  it('interval of a share', () => {
    const some = shareInterval(700, 1000, 0.05, 100);
    expect(some.low).toBeCloseTo(0.651629, 5);
    expect(some.high).toBeCloseTo(0.745949, 5);
    const few = shareInterval(1, 50, 0.05, 50);
    expect(few.low).toBe(0);
    expect(few.high).toBeCloseTo(0.13489, 5);
  });

  it('band of a distribution function', () => {
    expect(empiricalBand(1000, 0.05, 100, 0.85)).toBeCloseTo(0.08204769, 5);
  });

  const numbers = Array.from({ length: 1000 }, (_, i) => i + 1);
  it.each([
    [0.5, 70, 0.814704],
    [0.5, 85, 0.0838055],
    [0.5, 100, 0.0054947],
    [0.9, 55, 0.0340463],
  ])('quantile %f of 1 … 1000 and of the same shifted by %i', (quantile, by, expected) => {
    const shifted = numbers.map((x) => x + by);
    expect(quantilePValue([numbers, shifted], quantile, 100)).toBeCloseTo(expected, 6);
  });
});

describe('ssrm', () => {
  it('log marginals one visitor at a time', () => {
    const rows = [0, 1, 0, 1, 2];
    const alternative: number[] = [];
    const fixed: number[] = [];
    const seen = [0, 0, 0];
    for (const row of rows) {
      const one = seen.map((_, i) => (i === row ? 1 : 0));
      const prior = seen.map((count) => count + 1);
      alternative.push((alternative.at(-1) ?? 0) + lnDirichletMultinomial(one, prior));
      fixed.push((fixed.at(-1) ?? 0) + Math.log([0.4, 0.4, 0.2][row] ?? 0));
      seen[row] = (seen[row] ?? 0) + 1;
    }
    close(alternative, [-1.098612, -2.484907, -3.401197, -4.49981, -6.44572]);
    close(fixed, [-0.916291, -1.832581, -2.748872, -3.665163, -5.274601]);
    expect(Math.exp((alternative[4] ?? 0) - (fixed[4] ?? 0))).toBeCloseTo(0.31002, 5);
  });

  it('log marginals of rows of counts', () => {
    const rows = [
      [20, 17, 9],
      [18, 21, 8],
      [4, 6, 4],
      [18, 19, 11],
    ];
    const found: number[] = [];
    let prior: readonly number[] = [1, 1, 1];
    for (const row of rows) {
      found.push((found.at(-1) ?? 0) + lnDirichletMultinomial(row, prior));
      prior = prior.map((value, i) => value + (row[i] ?? 0));
    }
    close(found, [-7.028201, -11.947848, -15.471402, -19.964845]);
  });
});

describe('savvi, on the streams that NumPy draws with seed 1', () => {
  it('a wrong split', () => {
    const arms = drawnArms(1, [0.1, 0.3, 0.6], 1000);
    const found = firstRejection(arms, 3, (seen) => splitPValue(seen, [0.1, 0.4, 0.5], 100));
    expect(found).toMatchObject({ n: 402, counts: [40, 129, 233] });
    expect(found?.p).toBeCloseTo(0.04845591105969517, 9);
  });

  it('two Poisson rates: when they differ, and by how much', () => {
    const weights = [0.8 * Math.exp(1.5), 0.2 * Math.exp(2)] as const;
    const first = weights[0] / (weights[0] + weights[1]);
    const arms = drawnArms(1, [first, 1 - first], 1500);
    const found = firstRejection(arms, 2, (seen) => splitPValue(seen, [0.8, 0.2], 100));
    expect(found).toMatchObject({ n: 210, counts: [148, 62] });
    expect(found?.p).toBeCloseTo(0.045579631759249686, 9);
    const { low, high } = logRatioSequence(arms.slice(0, 210), [0.8, 0.2], 0.05);
    expect(low).toBeCloseTo(0.00464625, 7);
    expect(high).toBeCloseTo(0.75493987, 6);
  });

  it('three arms of Bernoulli outcomes, the first not the best', () => {
    const weights = [0.1 * 0.2, 0.3 * 0.3, 0.6 * 0.4];
    const all = weights.reduce((a, b) => a + b, 0);
    const arms = drawnArms(
      1,
      weights.map((one) => one / all),
      5250,
    );
    const found = firstRejection(arms, 3, (seen) => firstIsBestPValue(seen, [0.1, 0.3, 0.6]));
    expect(found?.n).toBe(302);
    expect(found?.p).toBeCloseTo(0.04923546556969403, 7);
  });
});

describe('Wald', () => {
  it.each([
    [0.01, 0.01, 58],
    [0.05, 0.05, 51],
    [0.01, 0.05, 47],
    [0.05, 0.01, 63],
  ])('α = %f, β = %f saves %i %%', (alpha, beta, saving) => {
    const found = waldSaving(alpha, beta, upperNormal(alpha), upperNormal(beta));
    expect(Math.round(found * 100)).toBe(saving);
  });

  it('sample numbers of Bernoulli rates, and ours within a factor of 2.5', () => {
    const { atH1, atH0 } = waldBernoulli(0.005, 0.05, 0.01, 0.05);
    expect(atH1).toBeCloseTo(58.7, 1);
    expect(atH0).toBeCloseTo(84.3, 1);
    const service = { rps: 1000, stableRate: 0.002, canaryRate: 0.05 };
    const requests = Array.from({ length: 100 }, (_, seed) => {
      const rollout = { service, steps: [percent(1)], promote: false, interval: 1, horizon: 600 };
      return simulateRollout(rollout, defaultPolicy, seededRandom(seed + 1)).canaryRequests;
    }).toSorted((a, b) => a - b);
    // 0.2 % · 1.25 + 0.25 points is the line of 0.5 %; polls and confirmation are whole seconds.
    expect(requests[50]).toBeLessThan(2.5 * atH1 + 20);
    expect(requests[50]).toBeGreaterThan(atH1 / 2);
  });
});

describe('rules of others, as their users met them', () => {
  const hundreds = (bad: number) => Array.from({ length: 10 }, (_, i) => (i < bad ? 100 : 1));
  const ones = Array.from({ length: 10 }, () => 1);

  it('Kayenta: seven of ten values a hundred times higher pass, eight are high', () => {
    expect(kayentaClass(hundreds(7), ones)).toBe('Pass');
    expect(kayentaClass(hundreds(8), ones)).toBe('High');
    expect(kayentaClass([0, 1, 2, 1, 0, 0], [0, 0, 0, 0, 0, 0])).toBe('Pass');
    expect(kayentaClass([1, 4, 2, 3, 1], [0, 0, 0, 0, 0])).toBe('High');
    expect(kayentaClass(ones, ones)).toBe('Pass');
    expect(kayentaClass([], ones)).toBe('Nodata');
  });

  it('Kayenta: the short way to High is the same', () => {
    const random = seededRandom(9);
    const found = { high: 0, other: 0 };
    for (let i = 0; i < 200; i += 1) {
      const draw = (mean: number) => Array.from({ length: 12 }, () => poisson(mean, random) / 60);
      const [canary, stable] = [draw(i % 4), draw(i % 2)];
      const high = kayentaClass(canary, stable) === 'High';
      expect(kayentaHigh(canary, stable)).toBe(high);
      found[high ? 'high' : 'other'] += 1;
    }
    expect(Math.min(found.high, found.other)).toBeGreaterThan(20);
    expect(kayentaHigh([], [1])).toBe(false);
  });

  it('ours rejects the counts behind the first, and not those behind the second', () => {
    const minute = (k: number, bad: number, base: number) =>
      errorsPoll(k, counts(1000, bad, 1000, base), { seconds: 60, weight: weight(50) });
    const first = hundreds(7).map((bad, k) => minute(k, bad, 1));
    expect(run(first).rejected).not.toBeNull();
    const second = [0, 1, 2, 1, 0, 0].map((bad, k) => minute(k, bad, 0));
    expect(run(second).rejected).toBeNull();
    expect(totalWealth(run(second), defaultPolicy).wealth).toBeLessThan(1);
    // 1, 4, 2, 3 and 1 errors a minute mean something only beside the number of requests.
    const third = (requests: number) =>
      [1, 4, 2, 3, 1].map((bad, k) =>
        errorsPoll(k, counts(requests, bad, 9 * requests, 0), { seconds: 60, weight: weight(10) }),
      );
    expect(run(third(60)).rejected).not.toBeNull();
    expect(run(third(6000)).rejected).toBeNull();
  });

  it('a textbook test looked at again and again errs ten times as often as it says', () => {
    const peeked = peers.find(({ name }) => name === 'peeked z');
    const service = { rps: 100, stableRate: 0.01, canaryRate: 0.01 };
    const options = { service, weight: 1, interval: 5, horizon: 3600 };
    let rejected = 0;
    for (let seed = 1; seed <= 300; seed += 1) {
      const stream = makeStream(options, seededRandom(seed));
      if (peeked?.watch(stream) !== undefined) rejected += 1;
    }
    expect(rejected / 300).toBeGreaterThan(0.1);
    expect(rejected / 300).toBeLessThan(0.25);
  });
});

function close(found: readonly number[], expected: readonly number[]): void {
  expect(found).toHaveLength(expected.length);
  found.forEach((value, i) => {
    expect(value).toBeCloseTo(expected[i] ?? Number.NaN, 5);
  });
}
