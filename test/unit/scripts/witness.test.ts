import { expect, test } from 'vitest';
import type { LoadedRequest } from '../../cluster/load/request-log.ts';
import { isDisturbed, unexcused } from '../../cluster/load/witness.ts';

const request = (sentAt: number, latency: number, status = 0): LoadedRequest => ({
  sentAt,
  latency,
  status,
  version: '',
  pod: '',
  error: '',
});

const disturbance = { from: 10_000, to: 20_000 };

test.each([
  ['before it', 9_000, 999, false],
  ['into it', 9_000, 1_000, true],
  ['within it', 12_000, 1, true],
  ['all through it', 5_000, 20_000, true],
  ['out of it', 20_000, 5_000, true],
  ['after it', 20_001, 5_000, false],
])('a request %s', (_, sentAt, latency, excused) => {
  const failed = [request(sentAt, latency)];
  expect(unexcused(failed, [disturbance])).toEqual(excused ? [] : failed);
});

test('without a disturbance nothing is excused', () => {
  const failed = [request(1, 1), request(2, 1, 503)];
  expect(unexcused(failed, [])).toEqual(failed);
});

test.each([
  ['answered in time', 200, 30, false],
  ['refused by the service itself', 404, 30, false],
  ['slow', 200, 2_001, true],
  ['without an answer', 0, 10_000, true],
  ['given up by the gateway', 502, 30, true],
])('the witness is disturbed by a request %s: %s in %s ms', (_, status, latency, expected) => {
  expect(isDisturbed({ status, latency })).toBe(expected);
});
