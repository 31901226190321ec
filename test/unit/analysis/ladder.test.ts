import { describe, expect, test } from 'vitest';
import { chooseLadder, expectedStepSeconds, type Ladder } from '../../../src/analysis/ladder.ts';
import { ladderWords } from '../../../src/analysis/ladder-words.ts';
import { planRollout } from '../../../src/analysis/plan.ts';
import { defaultPolicy } from '../../../src/analysis/policy.ts';
import { percent, ratio } from '../../../src/lib/units.ts';

const priors = { errors: { badRates: [0.001] } };
const stable = (requestsPerSecond: number) => ({ requestsPerSecond, priors });
const full = [1, 5, 10, 25, 50].map(percent);

describe('the steps follow from the traffic', () => {
  test.each([
    [9.26, [10, 25, 50]],
    [19.9, [10, 25, 50]],
    [20, [1, 5, 10, 25, 50]],
  ])('%d requests/s: %j', (rps, steps) => {
    expect(chooseLadder('traffic', full, stable(rps), defaultPolicy).steps).toEqual(steps);
  });

  test('but those that somebody wrote are kept, with the time they take', () => {
    const steps = [1, 50].map(percent);
    for (const by of ['annotation', 'config'] as const) {
      const { ladder, steps: chosen } = chooseLadder(by, steps, stable(5), defaultPolicy);
      expect(chosen).toEqual(steps);
      expect(ladder.firstStepSeconds).toBeGreaterThan(300);
    }
  });

  test('without any requests no time is promised', () => {
    const { ladder, steps } = chooseLadder('traffic', full, stable(0), defaultPolicy);
    expect(steps[0]).toBe(10);
    expect(ladder).toMatchObject({ requestsPerSecond: 0, firstStepSeconds: null });
  });
});

test('what is expected of a step is what simulated rollouts take, rather more than less', () => {
  for (const rps of [9.26, 100]) {
    const plan = planRollout({ rps, steps: full, runs: 40, faults: [], baseRate: ratio(0.001) });
    const [first] = plan.steps;
    const expected = expectedStepSeconds(stable(rps), percent(1), percent(5), defaultPolicy) ?? 0;
    expect(expected).toBeGreaterThan(0.9 * (first?.seconds.median ?? 0));
    expect(expected).toBeLessThan(1.5 * (first?.seconds.p90 ?? 0));
  }
});

test('a step takes no less than the shortest one', () => {
  const busy = expectedStepSeconds(stable(1e6), percent(1), percent(5), defaultPolicy);
  expect(busy).toBe(defaultPolicy.minStep / 1000);
});

const known: Ladder = {
  by: 'traffic',
  requestsPerSecond: 4.21,
  firstStepSeconds: 600,
  onePercentSeconds: 7380,
};

test.each<[Ladder, readonly number[], string | undefined]>([
  [
    known,
    [10, 25],
    'stable gets 4.2 requests/s: steps 10, 25, 100; 10 % takes about 10 min; ' +
      '1 % would take about 2 h 3 min',
  ],
  [
    { ...known, by: 'annotation', firstStepSeconds: 7380 },
    [1, 50],
    'stable gets 4.2 requests/s: steps 1, 50, 100; 1 % takes about 2 h 3 min',
  ],
  [
    { ...known, requestsPerSecond: 0, firstStepSeconds: null, onePercentSeconds: null },
    [10],
    'stable gets 0.0 requests/s: steps 10, 100; how long 10 % takes cannot be told',
  ],
  [
    { ...known, by: 'unmeasured', requestsPerSecond: null },
    [1, 5],
    "stable's traffic is not known: steps 1, 5, 100",
  ],
  [{ ...known, by: 'config', requestsPerSecond: null }, [1, 5], undefined],
])('in words: %j', (ladder, steps, words) => {
  expect(ladderWords(ladder, steps.map(percent))).toBe(words);
});
