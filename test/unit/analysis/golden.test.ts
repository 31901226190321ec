import { describe, expect, it } from 'vitest';
import { lnBetter, lnBetterEvidence, lnWorse, worseTilts } from '../../../src/analysis/bets.ts';
import { growWealth, lnWealth, openWealth } from '../../../src/analysis/wealth.ts';
import golden from './fixtures/golden.json' with { type: 'json' };

const close = (actual: number, expected: number) =>
  expect(Math.abs(actual - expected)).toBeLessThanOrEqual(1e-9 * Math.max(1, Math.abs(expected)));

describe('golden vectors', () => {
  it('lnWorse', () => {
    expect(golden.lnWorse).toHaveLength(40);
    for (const { counts, line, A, expected } of golden.lnWorse) {
      close(lnWorse(counts, line, A), expected);
    }
  });

  it('lnBetter', () => {
    expect(golden.lnBetter).toHaveLength(40);
    for (const { counts, line, B, expected } of golden.lnBetter) {
      close(lnBetter(counts, line, B), expected);
    }
  });

  it('promotion evidence', () => {
    expect(golden.promotion).toHaveLength(40);
    for (const { counts, line, phi, expected } of golden.promotion) {
      close(lnBetterEvidence(counts, line, phi), expected);
    }
  });

  it.each(golden.rollback.map((sequence, i) => [i, sequence] as const))(
    'rollback sequence %i',
    (_, { alpha, phi, rho, delta, pHat, polls }) => {
      let wealth = openWealth(worseTilts.length);
      polls.forEach(({ counts, kappa, newStep, lnE }, k) => {
        const line = { rho, delta, pHat, kappa };
        wealth = growWealth(wealth, {
          factors: worseTilts.map((tilt) => lnWorse(counts, line, tilt) / phi),
          hazard: k === 0 ? 0 : newStep ? 0.2 : 1 / (k + 720),
          cap: -Math.log(alpha),
          newWindow: true,
          forget: true,
          single: false,
        });
        close(lnWealth(wealth), lnE);
      });
    },
  );

  it('the single vectors of the study', () => {
    const worse = (nc: number, xc: number, ns: number, xs: number) => ({ nc, xc, ns, xs });
    const line = { rho: 1.25, delta: 0.0025, pHat: 0.001, kappa: 1 / 99 };
    close(lnWorse(worse(10, 2, 990, 1), line, 16), 5.061000107);
    close(lnWorse(worse(10, 2, 990, 1), { ...line, pHat: 0 }, 128), 4.683507145);
    close(lnWorse(worse(500, 20, 500, 5), { ...line, pHat: 0.01, kappa: 1 }, 8), -1.456613312);
    const better = { rho: 1.5, delta: 0.005, pHat: 0.001, kappa: 1 / 99 };
    close(lnBetter(worse(700, 0, 69_300, 70), better, 0.02), 4.475991786);
    close(lnBetter(worse(700, 2, 700, 1), { ...better, kappa: 1 }, 0.25), 0.613413204);
  });
});
