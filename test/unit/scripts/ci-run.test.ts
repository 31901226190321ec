import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { root } from '../../tidy/repository.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'haldane-'));
  for (const path of ['.ci/run', 'scripts/sum-reports.mjs']) {
    cpSync(join(root, path), join(folder, path), { recursive: true });
  }
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

/**
 * Lays out stand-ins for npm and for the programs of the machine, and runs the script with them.
 */
function runCi(npm: string): { readonly status: number | null; readonly lines: readonly string[] } {
  const bin = join(folder, 'bin');
  mkdirSync(bin);
  const programs = ['etcd', 'prometheus', 'promtool', 'ip', 'curl', 'openssl', 'unshare', 'go'];
  for (const name of [...programs, 'npm']) {
    const file = join(bin, name);
    writeFileSync(file, `#!/bin/bash\n${name === 'npm' ? npm : ''}\n`);
    chmodSync(file, 0o755);
  }
  const env = { ...process.env, PATH: `${bin}:${process.env['PATH']}` };
  const { status, stdout } = spawnSync('bash', ['.ci/run'], { cwd: folder, env, encoding: 'utf8' });
  return { status, lines: stdout.trimEnd().split('\n') };
}

const report = (passed: number, failed: number): string =>
  `echo '${JSON.stringify({ numPassedTests: passed, numFailedTests: failed, testResults: [] })}'` +
  ' >"$HALDANE_TEST_REPORT"';

/** The model check, placed faults and seeds, in order. */
const benches = `*bench*) ${report(1, 0)};;`;

test.each<[what: string, npm: string, status: number, last: string]>([
  [
    'all passes',
    `case "$*" in test) ${report(40, 0)};;` +
      ` *cluster) ${report(2, 0)}; echo "2 passed, 0 failed";; ${benches} esac`,
    0,
    '45 passed, 0 failed',
  ],
  [
    'tests fail: the cluster suite does not run',
    `case "$*" in test) ${report(39, 1)}; exit 1;; *cluster) ${report(2, 0)};; esac`,
    1,
    '39 passed, 1 failed',
  ],
  ['the install fails', 'case "$*" in ci*) exit 1;; esac', 1, '0 passed, 1 failed'],
  [
    'no test ran',
    `case "$*" in test|*cluster|*bench*) ${report(0, 0)};; esac`,
    1,
    '0 passed, 1 failed',
  ],
  [
    'a report is missing',
    `case "$*" in test) ${report(5, 0)};; ${benches} esac`,
    1,
    '8 passed, 1 failed',
  ],
  [
    'failures are reported although the exit code is 0',
    `case "$*" in test|*cluster) ${report(5, 1)};; ${benches} esac`,
    1,
    '13 passed, 2 failed',
  ],
])('%s', (_what, npm, status, last) => {
  const run = runCi(npm);
  expect(run.lines.at(-1)).toBe(last);
  expect(run.status).toBe(status);
  expect(run.lines.filter((line) => /^\d+ passed, \d+ failed$/.test(line))).toHaveLength(1);
});
