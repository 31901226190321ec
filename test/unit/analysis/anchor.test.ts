import { describe, expect, it } from 'vitest';
import { anchorOf } from '../../../src/analysis/advance-check.ts';
import { packEvidence, unpackEvidence } from '../../../src/analysis/packing.ts';
import { defaultPolicy } from '../../../src/analysis/policy.ts';
import { simulateRollout } from '../../../src/analysis/simulate.ts';
import { seededRandom } from '../../../src/lib/random.ts';
import { percent } from '../../../src/lib/units.ts';
import { counts, errorsPoll, run, weight } from './polls.ts';

/** Median seconds from a fault at 120 s to its rollback, where nothing is known beforehand. */
function secondsToFind(canaryRate: number, outage: { from: number; to: number } | undefined) {
  const found = Array.from({ length: 40 }, (_, seed) => {
    const shared = outage === undefined ? {} : { outage: { ...outage, rate: 1 } };
    const service = { rps: 100, stableRate: 0.001, canaryRate, faultAt: 120, ...shared };
    const course = { steps: [percent(10)], promote: false, interval: 5, horizon: 3600 };
    const rollout = { service, ...course, prior: {} };
    const outcome = simulateRollout(rollout, defaultPolicy, seededRandom(seed + 1));
    return outcome.kind === 'rolled-back' ? outcome.seconds - 120 : Number.POSITIVE_INFINITY;
  }).toSorted((a, b) => a - b);
  return found[20] ?? Number.NaN;
}

describe('the anchor of a service without history', () => {
  it.each([0.02, 0.05])(
    'is not poisoned by an outage of both versions: %f errors are found as fast',
    (rate) => {
      const usual = secondsToFind(rate, undefined);
      expect(secondsToFind(rate, { from: 10, to: 70 })).toBeLessThan(usual * 1.6);
      expect(secondsToFind(rate, { from: 0, to: 60 })).toBeLessThan(usual * 1.6);
    },
  );

  const at = (rates: readonly number[]) =>
    rates.map((rate, k) =>
      errorsPoll(k, counts(10, 10 * rate, 90, 90 * rate), { weight: weight(10) }),
    );
  const anchorAfter = (rates: readonly number[]) => {
    const [component] = run(at(rates)).checks.errors?.components ?? [];
    return component === undefined ? Number.NaN : anchorOf(component);
  };

  it('is the mean while nothing surges, and learns a rate that is high for good', () => {
    expect(anchorAfter([0, 0.01, 0, 0.01, 0.02, 0.02])).toBeCloseTo(0.01, 12);
    expect(anchorAfter(Array.from({ length: 300 }, () => 0.2))).toBeGreaterThan(0.15);
    expect(anchorAfter([...Array.from({ length: 30 }, () => 0.001), 1, 1, 1])).toBeLessThan(0.005);
  });

  it('is stored bit for bit, also while a known rate takes its place', () => {
    const polls = at([0.1, 0.3, 1, 0.02]);
    const known = errorsPoll(4, counts(10, 0, 90, 0), {
      weight: weight(5),
      step: 1,
      settling: weight(25),
      priors: { errors: { badRates: [0.001] } },
    });
    for (const state of [run(polls), run([...polls, known])]) {
      expect(unpackEvidence(packEvidence(state))).toEqual(state);
    }
    expect(run([...polls, known]).checks.errors?.components[0]).toMatchObject({ prior: 0.001 });
  });
});
