import { describe, expect, it } from 'vitest';
import { fastSteps, stepsForward } from '../../../bench/analysis/promises.ts';
import { makeStream, watchOurs } from '../../../bench/analysis/stream.ts';
import { type AnalysisPolicy, defaultPolicy, errorsCheck } from '../../../src/analysis/policy.ts';
import { seededRandom } from '../../../src/lib/random.ts';

const runs = 150;

describe('what is promised, on the worst release it is promised for', () => {
  it.each([
    [100, 10, 0.001],
    [100, 1, 0.01],
  ])(
    '%f rps, weight %i, base %f: exactly on the tolerance line, rejected at most α',
    (rps, w, base) => {
      const { rho, delta } = errorsCheck.worse;
      const service = { rps, stableRate: base, canaryRate: rho * base + delta };
      const policy = { ...defaultPolicy, alpha: 0.05, confirmPolls: 0, leastBad: 1 };
      let rejected = 0;
      for (let seed = 1; seed <= runs; seed += 1) {
        const options = { service, weight: w, interval: 5, horizon: 1800 };
        const stream = makeStream(options, seededRandom(seed));
        if (watchOurs(stream, w, { badRates: [base] }, policy) !== undefined) rejected += 1;
      }
      expect(rejected / runs).toBeLessThanOrEqual(0.05);
    },
  );

  it.each([
    [100, 10, 0, 25],
    [100, 10, 0.01, 100],
  ])(
    '%f rps, weight %i, base %f: exactly at the margin, stepped at most β',
    (rps, w, base, next) => {
      const policy: AnalysisPolicy = {
        ...defaultPolicy,
        alpha: 1e-9,
        limit: { rate: 1, alpha: 1e-9 },
      };
      const canaryRate = 1.5 * base + 0.005 / (next / 100);
      let taken = 0;
      for (let seed = 1; seed <= runs; seed += 1) {
        const service = { rps, stableRate: base, canaryRate };
        const slow = stepsForward(service, w, next, policy, seed, 360);
        if (seed <= 30) expect(fastSteps(service, w, next, seed, 360)).toBe(slow);
        if (slow) taken += 1;
      }
      // Three standard deviations of 5 % in 150 runs.
      expect(taken / runs).toBeLessThanOrEqual(0.05 + 0.054);
      expect(taken).toBeGreaterThan(0);
    },
  );
});
