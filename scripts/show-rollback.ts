// npm run show: a real cluster, a shop under load, a release that fails, and its rollback.
// With --svg FILE what was printed is also drawn as a picture for the README.
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { busyShop, startHaldane } from '../test/cluster/cases/setup.ts';
import { type OwnCluster, startCluster } from '../test/cluster/cluster.ts';
import { prepareAndEnter, preparedTools } from '../test/cluster/harness.ts';
import type { Load } from '../test/cluster/load/load.ts';
import { insideNetwork } from '../test/cluster/network.ts';
import { repository } from '../test/cluster/places.ts';
import { terminalPicture } from './terminal-picture.ts';

const namespace = 'shop';
const printed: string[] = [];

if (insideNetwork()) process.exitCode = await show(process.argv.slice(2));
else process.exitCode = await prepareAndEnter(import.meta.filename, process.argv.slice(2));

async function show(args: readonly string[]): Promise<number> {
  const cluster = await startCluster({ tools: preparedTools(), throttle: '2s' });
  try {
    const controller = await startHaldane(cluster);
    const { shop, load } = await busyShop(cluster, namespace, { rate: 100 });
    await warmUp(load);
    await story(cluster, load);
    await load.stop();
    await shop.remove();
    await controller.stop();
  } finally {
    await cluster.close();
  }
  const svg = args.indexOf('--svg');
  const file = svg < 0 ? undefined : args[svg + 1];
  if (file !== undefined) writeFileSync(file, terminalPicture('a bad release', printed));
  return 0;
}

/** Stable must have been seen for a while, as in any cluster that is not a minute old. */
async function warmUp(load: Load): Promise<void> {
  console.log('a shop with 100 requests a second; letting Prometheus see it for 20 s …');
  await sleep(20_000);
  console.log(`${load.log.all.length} requests, ${load.log.failed().length} failed\n`);
}

async function story(cluster: OwnCluster, load: Load): Promise<void> {
  const before = { all: load.log.all.length, failed: load.log.failed().length };
  const { kubectl } = preparedTools();
  const inShop = ['-n', namespace];
  say('\u001B[2m# 100 requests a second; the new release fails every request it gets\u001B[0m');
  await type(
    cluster,
    ['kubectl', 'set', 'env', 'deployment/web', 'ERROR_RATE=1'],
    [kubectl, ...inShop],
  );
  const haldane = [process.execPath, join(repository, 'dist/haldane.js')];
  await type(cluster, ['haldane', 'status', 'web', '--watch', '--exit-code'], haldane, inShop);
  await type(cluster, ['kubectl', 'rollout', 'status', 'deployment/web'], [kubectl, ...inShop]);
  await type(cluster, ['haldane', 'explain', 'web'], haldane, inShop);
  await sleep(500);
  const failed = load.log.failed().length - before.failed;
  const all = load.log.all.length - before.all;
  say('');
  say(`\u001B[2m# ${all} requests in the meantime, ${failed} of them failed\u001B[0m`);
}

/** Prints a command as a person types it, runs it in its real form, and prints what it says. */
async function type(
  cluster: OwnCluster,
  shown: readonly string[],
  program: readonly string[],
  further: readonly string[] = [],
): Promise<void> {
  if (printed.length > 1) say('');
  say(`\u001B[32m$\u001B[0m ${shown.join(' ')}`);
  const [command = '', ...first] = program;
  const child = spawn(command, [...first, ...shown.slice(1), ...further], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, KUBECONFIG: cluster.kubeconfig, FORCE_COLOR: '1', NO_COLOR: undefined },
  });
  const take = (text: string): void => {
    for (const line of text.trimEnd().split('\n')) say(line);
  };
  child.stdout.setEncoding('utf8').on('data', take);
  child.stderr.setEncoding('utf8').on('data', take);
  await new Promise((resolve, reject) => child.on('error', reject).on('close', resolve));
}

function say(line: string): void {
  printed.push(line);
  console.log(line);
}
