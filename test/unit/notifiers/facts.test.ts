import { expect, test } from 'vitest';
import { millis, percent, ratio } from '../../../src/lib/units.ts';
import {
  describeEvidence,
  describeExposure,
  describePlace,
  describeRatio,
  nextSteps,
  plainLines,
  thousands,
} from '../../../src/notifiers/facts.ts';
import { aNotice } from '../../builders/notice.ts';

test.each<[value: number, shown: string]>([
  [0, '0 %'],
  [0.000001, '< 0.001 %'],
  [0.00002, '0.002 %'],
  [0.002, '0.2 %'],
  [0.0412, '4.1 %'],
  [0.0996, '10 %'],
  [0.1234, '12.3 %'],
  [1, '100 %'],
  [Number.NaN, 'unknown'],
  [Number.POSITIVE_INFINITY, 'unknown'],
])('a ratio of %d is %s', (value, shown) => {
  expect(describeRatio(ratio(value))).toBe(shown);
});

test.each<[evidence: number, shown: string]>([
  [0.04, '0 of 100'],
  [0.97, '0.9 of 100'],
  [7.06, '7 of 100'],
  [99.99, '99 of 100'],
  [103.4, '103 of 100'],
  [12_345.6, '12,345 of 100'],
  [1e12, 'over 99,999 of 100'],
  [Number.POSITIVE_INFINITY, 'over 99,999 of 100'],
])('evidence of %d is %s: never rounded up to the threshold', (evidence, shown) => {
  const metric = { check: 'c', canary: ratio(0), stable: ratio(0), evidence, threshold: 100 };
  expect(describeEvidence(metric)).toBe(shown);
});

test.each<[requests: number, failed: number, shown: string]>([
  [0, 0, 'no request'],
  [1, 1, '1 request, 1 failed'],
  [1213, 7, '1,213 requests, 7 failed'],
  [1_234_567, 0, '1,234,567 requests, 0 failed'],
])('%d requests, %d failed: %s', (exposedRequests, failedRequests, shown) => {
  expect(describeExposure(aNotice({ exposedRequests, failedRequests }))).toBe(shown);
});

test.each<[step: number, weight: number, kind: 'promotion' | 'rollback', shown: string]>([
  [0, 0, 'rollback', 'before any traffic'],
  [1, 1, 'rollback', 'at 1 %, step 1 of 5'],
  [3, 0.3333, 'rollback', 'at 0.33 %, step 3 of 5'],
  [6, 100, 'rollback', 'at 100 %, step 5 of 5'],
  [5, 50, 'promotion', 'after all 5 steps'],
  [6, 100, 'promotion', 'after all 5 steps'],
  [2, 5, 'promotion', 'at 5 %, step 2 of 5'],
])('step %d at %d %% of a %s: %s', (step, weight, kind, shown) => {
  expect(describePlace(aNotice({ step, weight: percent(weight), kind }))).toBe(shown);
});

test('thousands are grouped the same everywhere', () => {
  expect([999, 1000, 12_345_678, 0.12345, 1234.5678].map(thousands)).toEqual([
    '999',
    '1,000',
    '12,345,678',
    '0.12345',
    '1,234.5678',
  ]);
});

test('the next step names the Deployment and its namespace', () => {
  expect(nextSteps(aNotice()).command).toBe('kubectl haldane retry web -n shop');
  expect(nextSteps(aNotice({ kind: 'paused' })).command).toBe('kubectl haldane resume web -n shop');
});

test('an invalid opt-in speaks of no traffic', () => {
  const said = plainLines(aNotice({ kind: 'invalid', duration: millis(0) })).join('\n');
  expect(said).not.toMatch(/answered|step/);
});
