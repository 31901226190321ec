import { describe, expect, it } from 'vitest';
import {
  betterOdds,
  type Line,
  lnBetter,
  lnWorse,
  worseTilts,
} from '../../../src/analysis/bets.ts';

/** Probabilities of 0 … n bad requests of n. */
function law(n: number, p: number): readonly number[] {
  const all: number[] = [];
  let value = (1 - p) ** n;
  for (let k = 0; k <= n; k += 1) {
    all.push(p >= 1 ? (k === n ? 1 : 0) : value);
    value *= ((n - k) / (k + 1)) * (p / (1 - p));
  }
  return all;
}

/** Exact mean of a factor over both arms' outcomes. */
function mean(
  [nc, ns]: readonly [number, number],
  [pc, ps]: readonly [number, number],
  ln: (xc: number, xs: number) => number,
): number {
  let sum = 0;
  law(nc, pc).forEach((probabilityC, xc) => {
    law(ns, ps).forEach((probabilityS, xs) => {
      sum += probabilityC * probabilityS * Math.exp(ln(xc, xs));
    });
  });
  return sum;
}

const sizes = [
  [1, 30],
  [5, 20],
  [15, 15],
  [30, 3],
] as const;
const anchors = [0, 0.001, 0.05, 0.4];
const bases = [0, 0.0005, 0.01, 0.1, 0.4, 0.7];

describe('fairness, by exact enumeration', () => {
  it.each([
    [1.25, 0.0025],
    [1.1, 0.0005],
    [1.25, 0.01],
    [1, 0],
  ])('no bet on worse gains on average at canary = %f · stable + %f', (rho, delta) => {
    let most = 0;
    for (const [nc, ns] of sizes) {
      for (const pHat of anchors) {
        const line: Line = { rho, delta, pHat, kappa: nc / ns };
        for (const tilt of worseTilts) {
          for (const ps of bases) {
            const pc = Math.min(1, rho * ps + delta);
            const ln = (xc: number, xs: number) => lnWorse({ nc, xc, ns, xs }, line, tilt);
            most = Math.max(most, mean([nc, ns], [pc, ps], ln));
          }
        }
      }
    }
    expect(most).toBeLessThanOrEqual(1 + 1e-12);
    expect(most).toBeGreaterThan(0.99);
  });

  it.each([
    [1.5, 0.005],
    [1.5, 0.1],
    [1, 0.02],
  ])('no bet on better gains on average at canary = %f · stable + %f', (rho, delta) => {
    let most = 0;
    for (const [nc, ns] of sizes) {
      for (const pHat of anchors) {
        const line: Line = { rho, delta, pHat, kappa: nc / ns };
        for (const odds of betterOdds) {
          for (const ps of bases) {
            const pc = Math.min(1, rho * ps + delta);
            if (pc >= 1) continue;
            const ln = (xc: number, xs: number) => lnBetter({ nc, xc, ns, xs }, line, odds);
            most = Math.max(most, mean([nc, ns], [pc, ps], ln));
          }
        }
      }
    }
    expect(most).toBeLessThanOrEqual(1 + 1e-12);
    expect(most).toBeGreaterThan(0.99);
  });

  it('while a weight settles, no bet gains at any share up to the greater of the two', () => {
    let most = 0;
    const kappa = 0.1 / 0.9;
    const line: Line = { rho: 1.25, delta: 0.0025, pHat: 0, kappa };
    for (const share of [0, 0.01, 0.05, 0.1]) {
      for (const ps of bases) {
        const pc = Math.min(1, 1.25 * ps + 0.0025);
        for (const tilt of worseTilts) {
          // One request: the canary's with probability `share`, else stable's.
          const canary = mean([1, 0], [pc, ps], (xc) =>
            lnWorse({ nc: 1, xc, ns: 0, xs: 0 }, line, tilt),
          );
          const stable = mean([0, 1], [pc, ps], (_, xs) =>
            lnWorse({ nc: 0, xc: 0, ns: 1, xs }, line, tilt),
          );
          most = Math.max(most, share * canary + (1 - share) * stable);
        }
      }
    }
    expect(most).toBeLessThanOrEqual(1 + 1e-12);
  });

  it('counts of nothing say nothing, and without stable the bets fade', () => {
    const none = { nc: 0, xc: 0, ns: 0, xs: 0 };
    const line: Line = { rho: 1.25, delta: 0.0025, pHat: 0.01, kappa: 1 };
    for (const tilt of worseTilts) {
      expect(lnWorse(none, line, tilt)).toBeCloseTo(0, 15);
      const alone = { nc: 10, xc: 10, ns: 0, xs: 0 };
      expect(Math.abs(lnWorse(alone, { ...line, kappa: 1e12 }, tilt))).toBeLessThan(1e-9);
    }
  });

  it('is linear in the counts of one line', () => {
    const line: Line = { rho: 1.25, delta: 0.0025, pHat: 0.01, kappa: 0.1 };
    const a = { nc: 12, xc: 1, ns: 120, xs: 2 };
    const b = { nc: 7, xc: 0, ns: 71, xs: 1 };
    const both = { nc: 19, xc: 1, ns: 191, xs: 3 };
    for (const tilt of worseTilts) {
      const apart = lnWorse(a, line, tilt) + lnWorse(b, line, tilt);
      expect(lnWorse(both, line, tilt)).toBeCloseTo(apart, 10);
    }
  });
});
