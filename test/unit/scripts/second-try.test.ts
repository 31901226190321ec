import { expect, test } from 'vitest';
import {
  type FileResult,
  failedCases,
  filesToRepeat,
  merged,
  type Report,
} from '../../cluster/second-try.ts';

const file = (name: string, ...statuses: readonly string[]): FileResult => ({
  name,
  status: statuses.includes('failed') || statuses.length === 0 ? 'failed' : 'passed',
  assertionResults: statuses.map((status, i) => ({ status, fullName: `${name} ${i}` })),
});
const report = (...testResults: readonly FileResult[]): Report => ({
  numPassedTests: -1,
  numFailedTests: -1,
  testResults,
});
const first = report(file('a', 'passed'), file('b', 'passed', 'failed'), file('c'));

test('what failed is repeated by files', () => {
  expect(filesToRepeat(first)).toEqual(['b', 'c']);
  expect(failedCases(first)).toEqual(['b 1', 'c']);
});

test('but not when nearly everything failed', () => {
  expect(
    filesToRepeat(report(...['a', 'b', 'c', 'd', 'e', 'f', 'g'].map((name) => file(name)))),
  ).toEqual([]);
});

test('the second result counts, whatever it is', () => {
  const second = report(file('b', 'failed', 'passed'), file('c', 'passed', 'passed'));
  const all = merged(first, second);
  expect(all).toMatchObject({ numPassedTests: 4, numFailedTests: 1 });
  expect(failedCases(all)).toEqual(['b 0']);
});
