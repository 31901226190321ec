import { describe, expect, it } from 'vitest';
import { advance } from '../../../src/analysis/advance.ts';
import { byteReader, byteWriter } from '../../../src/analysis/bytes.ts';
import { beginEvidence } from '../../../src/analysis/evidence.ts';
import {
  type PackedEvidence,
  packEvidence,
  unpackEvidence,
} from '../../../src/analysis/packing.ts';
import {
  type AnalysisPolicy,
  defaultPolicy,
  errorsCheck,
  latencyCheck,
  latencyObjectiveCheck,
} from '../../../src/analysis/policy.ts';
import { counts, errorsPoll } from './polls.ts';

const bounds = [0.01, 0.025, 0.05, 0.1, 0.2, 0.25, 0.3, 0.4, 0.5];
const policy: AnalysisPolicy = {
  ...defaultPolicy,
  checks: [errorsCheck, { ...latencyCheck, bounds }, { ...latencyObjectiveCheck, bounds: [0.5] }],
};

const polls = Array.from({ length: 120 }, (_, k) => {
  const slower = bounds.map((_bound, i) => counts(3, (k + i) % 3, 297, 60 - i * 6));
  return errorsPoll(k, counts(3, k % 40 === 0 ? 1 : 0, 297, k % 5), {
    step: Math.floor(k / 50),
    checks: {
      errors: [counts(3, k % 40 === 0 ? 1 : 0, 297, k % 5)],
      latency: slower,
      'latency-objective': [counts(3, 0, 297, k % 3)],
    },
  });
});

describe('packed evidence', () => {
  it('is the same after packing at every poll, bit for bit', () => {
    let through = beginEvidence(policy);
    let stored = beginEvidence(policy);
    for (const poll of polls) {
      through = advance(through, poll, policy);
      const text = JSON.stringify(packEvidence(advance(stored, poll, policy)));
      stored = unpackEvidence(JSON.parse(text) as PackedEvidence);
      expect(stored).toStrictEqual(through);
    }
  });

  it('takes less than 2 KB with 3 checks and 10 bounds, the dispersion known', () => {
    const priors = Object.fromEntries(
      policy.checks.map(({ name }) => [
        name,
        { dispersion: 1.1, history: 3_600_000, badRates: bounds.map((_, i) => 0.3 / (i + 1)) },
      ]),
    );
    const size = (of: AnalysisPolicy) => {
      const state = polls.reduce(
        (before, poll) => advance(before, { ...poll, priors }, of),
        beginEvidence(of),
      );
      return JSON.stringify(packEvidence(state)).length;
    };
    expect(size(defaultPolicy)).toBeLessThan(1000);
    expect(size(policy)).toBeLessThan(2048);
  });

  it('refuses what was cut short', () => {
    const packed = packEvidence(beginEvidence(defaultPolicy));
    const short = { ...packed, rest: packed.rest.slice(0, 40) };
    expect(() => unpackEvidence(short)).toThrow('whole');
    const long = { ...packed, rest: `${packed.rest}AAAA` };
    expect(() => unpackEvidence(long)).toThrow('whole');
  });
});

describe('bytes', () => {
  it('give back every number as it was', () => {
    const numbers = [0, 1, 127, 128, 129, 16_383, 16_384, 2 ** 53 - 1, 0.1, 1.5, 1e300, 128 * 128];
    const to = byteWriter();
    for (const value of numbers) to.count(value);
    for (const value of [-1e-300, Math.PI, Number.NEGATIVE_INFINITY]) to.double(value);
    to.short(-16_384);
    to.single(Math.fround(0.1));
    const from = byteReader(to.toBase64());
    expect(numbers.map(() => from.count())).toEqual(numbers);
    expect([from.double(), from.double(), from.double()]).toEqual([
      -1e-300,
      Math.PI,
      Number.NEGATIVE_INFINITY,
    ]);
    expect(from.short()).toBe(-16_384);
    expect(from.single()).toBe(Math.fround(0.1));
    from.end();
  });
});
