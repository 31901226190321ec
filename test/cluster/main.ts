// Runs the cluster suite. usage: npm run test:cluster [-- FILTER...]   A filter is a part of a
// file's path.
// Settings by environment: HALDANE_TEST_THROTTLE (2s), HALDANE_TEST_SCRAPE (1s),
// HALDANE_TEST_REPORT=FILE for the results as JSON.
import { spawn } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type OwnCluster, startCluster } from './cluster.ts';
import { prepareAndEnter, preparedTools } from './harness.ts';
import { disturbances, startWitness } from './load/witness.ts';
import { insideNetwork } from './network.ts';
import { repository } from './places.ts';
import { failedCases, filesToRepeat, merged, type Report } from './second-try.ts';

/** Whatever hangs, the run ends. */
const longestRun = 50 * 60_000;
/** How often a file gets to show that it passes, and until when, in milliseconds. */
const mostTries = 3;
const latestTry = 50 * 60_000;

if (insideNetwork()) process.exitCode = await runSuite(process.argv.slice(2));
else process.exitCode = await prepareAndEnter(import.meta.filename, process.argv.slice(2));

/** What one run of Vitest on one cluster left behind. */
interface Run {
  readonly code: number;
  /** Processes of the cluster that ended by themselves, each with its last lines. */
  readonly surprises: readonly string[];
  /** Undefined when the tests did not run to their end. */
  readonly report: Report | undefined;
  readonly logs: string;
}

async function runSuite(filters: readonly string[]): Promise<number> {
  const began = performance.now();
  let run = await runOnce(filters);
  for (let tries = 1; tries < mostTries; tries += 1) {
    const { report } = run;
    const again = report === undefined ? [] : filesToRepeat(report);
    const late = performance.now() - began > latestTry;
    if (report === undefined || again.length === 0 || run.surprises.length > 0 || late) break;
    const names = failedCases(report);
    console.log(`\n${names.length} failed; their files once more, on a cluster of their own:`);
    for (const name of names) console.log(`  ${name}`);
    console.log(`logs of that run: ${run.logs}\n`);
    const next = await runOnce(again);
    if (next.report === undefined) return conclude(next);
    const passed = names.length - failedCases(next.report).length;
    console.log(`\n${passed} of the ${names.length} passed at try ${tries + 1}`);
    run = { ...next, report: merged(report, next.report) };
  }
  return conclude(run);
}

async function runOnce(filters: readonly string[]): Promise<Run> {
  const cluster = await startCluster({
    tools: preparedTools(),
    throttle: process.env['HALDANE_TEST_THROTTLE'] ?? '2s',
    scrapeInterval: process.env['HALDANE_TEST_SCRAPE'] ?? '1s',
  });
  console.log(`cluster ready in ${(cluster.startedIn / 1000).toFixed(1)} s`);
  const witness = await startWitness(cluster);
  const reportFile = join(cluster.files.run, 'report.json');
  const code = await runVitest(cluster, filters, reportFile);
  const surprises = cluster.supervisor.surprises().map((surprise) => {
    const [name = ''] = surprise.split(' ');
    return `${surprise}; its last lines:\n${cluster.supervisor.tail(name)}`;
  });
  await witness.stop();
  const stood = disturbances(cluster.files.run);
  if (stood.length > 0)
    console.log(`requests of the untouched service that failed or were slow: ${stood.length}`);
  await cluster.close();
  const report = existsSync(reportFile)
    ? (JSON.parse(readFileSync(reportFile, 'utf8')) as Report)
    : undefined;
  return { code, surprises, report, logs: cluster.files.run };
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
function conclude({ code, surprises, report, logs }: Run): number {
  for (const surprise of surprises) console.log(`\n${surprise}`);
  if (report === undefined) {
    console.log('the tests did not run to their end');
    console.log('0 passed, 1 failed');
    return 1;
  }
  const copy = process.env['HALDANE_TEST_REPORT'];
  if (copy !== undefined) writeFileSync(copy, JSON.stringify(report)); // CI adds up what ran
  const failed = failedCases(report).length + surprises.length;
  const bad = failed > 0 || code !== 0 || report.numPassedTests === 0;
  if (bad) console.log(`logs of all processes: ${logs}`);
  console.log(`${report.numPassedTests} passed, ${bad ? Math.max(1, failed) : 0} failed`);
  return bad ? 1 : 0;
}
