// Runs the cluster suite. usage: npm run test:cluster [-- FILTER...]   A filter is a part of a
// file's path.
// Settings by environment: HALDANE_TEST_THROTTLE (2s), HALDANE_TEST_SCRAPE (1s),
// HALDANE_TEST_REPORT=FILE for the results as JSON.
import { spawn } from 'node:child_process';
import { copyFileSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type OwnCluster, startCluster } from './cluster.ts';
import { prepareAndEnter, preparedTools } from './harness.ts';
import { insideNetwork } from './network.ts';
import { repository } from './places.ts';

/** Whatever hangs, the run ends. */
const longestRun = 50 * 60_000;

/** The parts of Vitest's JSON report that are used here. */
interface Report {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly testResults: readonly {
    readonly status: string;
    readonly assertionResults: readonly unknown[];
  }[];
}

if (insideNetwork()) process.exitCode = await runSuite(process.argv.slice(2));
else process.exitCode = await prepareAndEnter(import.meta.filename, process.argv.slice(2));

async function runSuite(filters: readonly string[]): Promise<number> {
  const cluster = await startCluster({
    tools: preparedTools(),
    throttle: process.env['HALDANE_TEST_THROTTLE'] ?? '2s',
    scrapeInterval: process.env['HALDANE_TEST_SCRAPE'] ?? '1s',
  });
  console.log(`cluster ready in ${(cluster.startedIn / 1000).toFixed(1)} s`);
  const reportFile = join(cluster.files.run, 'report.json');
  const code = await runVitest(cluster, filters, reportFile);
  const surprises = cluster.supervisor.surprises();
  await cluster.close();
  return conclude(cluster, { code, surprises, reportFile });
}

function runVitest(
  cluster: OwnCluster,
  filters: readonly string[],
  reportFile: string,
): Promise<number> {
  const args = [
    join(repository, 'node_modules/vitest/vitest.mjs'),
    'run',
    `--config=${join(import.meta.dirname, 'vitest.config.ts')}`,
    '--reporter=verbose',
    '--reporter=json',
    `--outputFile.json=${reportFile}`,
    ...filters,
  ];
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', process.execPath, ...args], {
    cwd: repository,
    stdio: 'inherit',
    env: { ...process.env, HALDANE_TEST_CLUSTER: cluster.clusterFile },
  });
  const deadline = setTimeout(() => child.kill('SIGKILL'), longestRun);
  process.on('SIGINT', () => {}); // Vitest gets it too, and ends in order
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => {
      clearTimeout(deadline);
      resolve(code ?? 1);
    });
  });
}

/** Tells what must be known after the tests, ends with the counts, and gives the exit code. */
function conclude(
  cluster: OwnCluster,
  outcome: {
    readonly code: number;
    readonly surprises: readonly string[];
    readonly reportFile: string;
  },
): number {
  for (const surprise of outcome.surprises) {
    const [name = ''] = surprise.split(' ');
    console.log(`\n${surprise}; its last lines:\n${cluster.supervisor.tail(name)}`);
  }
  if (!existsSync(outcome.reportFile)) {
    console.log('the tests did not run to their end');
    console.log('0 passed, 1 failed');
    return 1;
  }
  const copy = process.env['HALDANE_TEST_REPORT'];
  if (copy !== undefined) copyFileSync(outcome.reportFile, copy); // CI adds up what ran
  const report = JSON.parse(readFileSync(outcome.reportFile, 'utf8')) as Report;
  const brokenFiles = report.testResults.filter(
    ({ status, assertionResults }) => status === 'failed' && assertionResults.length === 0,
  );
  const failed = report.numFailedTests + brokenFiles.length + outcome.surprises.length;
  const bad = failed > 0 || outcome.code !== 0 || report.numPassedTests === 0;
  if (bad) console.log(`logs of all processes: ${cluster.files.run}`);
  console.log(`${report.numPassedTests} passed, ${bad ? Math.max(1, failed) : 0} failed`);
  return bad ? 1 : 0;
}
