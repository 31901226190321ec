import { describe, expect, it } from 'vitest';
import {
  againstStudy,
  meanAgrees,
  medianAgrees,
  shareAgrees,
} from '../../../bench/analysis/reproduced.ts';
import { detectionStudy } from '../../../bench/analysis/study.ts';
import { normal } from '../../../src/analysis/variates.ts';
import { seededRandom } from '../../../src/lib/random.ts';

describe('agreement with the study', () => {
  it('of shares: rounding and chance are forgiven, more is not', () => {
    expect(shareAgrees(0.796, 2000, 80)).toBe(true);
    expect(shareAgrees(0.87, 2000, 80)).toBe(false);
    expect(shareAgrees(0, 2000, 0)).toBe(true);
    expect(shareAgrees(0.02, 2000, 0)).toBe(false);
  });

  const random = seededRandom(4);
  const values = Array.from({ length: 1000 }, () => 100 + 20 * normal(random));

  it('of medians and means', () => {
    expect(medianAgrees(values, 101, 1)).toBe(true);
    expect(medianAgrees(values, 110, 1)).toBe(false);
    expect(medianAgrees([], 110, 1)).toBe(false);
    expect(meanAgrees(values, 101)).toBe(true);
    expect(meanAgrees(values, 106)).toBe(false);
  });

  it('of a cell: every figure must agree; medians of few rollbacks tell nothing', () => {
    const measured = { runs: 1000, seconds: values, failed: values };
    expect(againstStudy(measured, [100, 100, 100], 1).agrees).toBe(true);
    expect(againstStudy(measured, [100, 100, 150], 1).agrees).toBe(false);
    expect(againstStudy(measured, [100, 150, 100], 1).agrees).toBe(false);
    expect(againstStudy(measured, null, 1).agrees).toBe(false);
    const none = { runs: 1000, seconds: [], failed: [] };
    expect(againstStudy(none, [0, 2400, 19], 5)).toEqual({
      text: '– = 0/2400/19 ✓',
      agrees: true,
    });
  });

  it('knows every cell', () => {
    expect(detectionStudy).toHaveLength(41);
    for (const { rules } of detectionStudy) expect(rules).toHaveLength(6);
    expect(detectionStudy[0]).toMatchObject({
      stableRate: 0.001,
      canaryRate: 0.01,
      rps: 9.26,
      weight: 1,
    });
    expect(detectionStudy[0]?.rules[5]).toEqual([4, 2092, 6]);
  });
});
