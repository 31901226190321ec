import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { sumReports } from '../../../scripts/sum-reports.mjs';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'haldane-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

const one = { status: 'passed', assertionResults: [{}] };
const uncollected = { status: 'failed', assertionResults: [] };

test.each<[what: string, reports: readonly unknown[], passed: number, failed: number]>([
  ['none', [], 0, 0],
  ['one', [{ numPassedTests: 3, numFailedTests: 1, testResults: [one] }], 3, 1],
  [
    'two',
    [
      { numPassedTests: 3, numFailedTests: 0, testResults: [one] },
      { numPassedTests: 4, numFailedTests: 2, testResults: [one] },
    ],
    7,
    2,
  ],
  [
    'a file that cannot be loaded',
    [{ numPassedTests: 1, numFailedTests: 0, testResults: [one, uncollected] }],
    1,
    1,
  ],
  ['a broken report', ['cut off'], 0, 1],
])('%s', (_what, reports, passed, failed) => {
  const files = reports.map((report, index) => {
    const file = join(folder, `${index}.json`);
    writeFileSync(file, typeof report === 'string' ? report : JSON.stringify(report));
    return file;
  });
  expect(sumReports(files)).toEqual({ passed, failed });
});

test('a missing report is a failure', () => {
  expect(sumReports([join(folder, 'none.json')])).toEqual({ passed: 0, failed: 1 });
});
