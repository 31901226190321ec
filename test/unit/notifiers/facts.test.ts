import { expect, test } from 'vitest';
import { millis, percent, ratio } from '../../../src/lib/units.ts';
import {
  blamed,
  describeEvidence,
  describeExposure,
  describePlace,
  describeRatio,
  nextSteps,
  plainLines,
  thousands,
} from '../../../src/notifiers/facts.ts';
import { slackMessage } from '../../../src/notifiers/slack-message.ts';
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

test('restarts are told per pod and hour, and not as a share', () => {
  const metric = {
    check: 'restarts',
    canary: ratio(7.5 / 3600),
    stable: ratio(0.1 / 3600),
    per: 'pod-second' as const,
    evidence: 103.4,
    threshold: 100,
  };
  const notice = aNotice({ metric });
  const told = 'Metric: restarts 7.5 per pod-hour in canary, 0.1 per pod-hour in stable; ';
  expect(plainLines(notice).join('\n')).toContain(`${told}evidence 103 of 100`);
  const message = JSON.stringify(slackMessage(notice));
  expect(message).toContain('7.5 per pod-hour in canary\\n0.1 per pod-hour in stable');
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

test.each<[low: number, high: number, words: string]>([
  [0.012, 0.0451, '1.2 to 4.5 points above stable'],
  [-0.004, 0.041, 'between 0.40 points below and 4.1 points above stable'],
  [-0.5, -0.1, '10 to 50 points below stable'],
  [0, 1, '0 to 100 points above stable'],
])('the interval from %d to %d is %s', (low, high, words) => {
  const { metric } = aNotice();
  const notice = aNotice({
    metric: { ...metric, excess: { low, high } } as typeof metric & object,
  });
  const said = `error-ratio: the bad share of the canary is ${words}`;
  expect(blamed(notice)).toEqual([
    `${said} (each end wrong at most 1 time in 20, whenever it is read).`,
  ]);
  expect(plainLines(notice).join('\n')).toContain(said);
});

test('the interval is told where evidence was the reason, and nowhere else', () => {
  const { metric } = aNotice();
  const known = { ...metric, excess: { low: 0, high: 1 } } as typeof metric & object;
  expect(blamed(aNotice({ metric: known, kind: 'promotion' }))).toEqual([]);
  expect(blamed(aNotice({ metric: known, rule: 'podsBroken' }))).toEqual([]);
  expect(blamed(aNotice())).toEqual([]);
});
