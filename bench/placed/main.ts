// npm run bench:placed [-- --only promotion,rollback] [-- --every 10] [-- --threads 2]
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { workloads } from '../../test/simulation/placed/workloads.ts';
import type { Done } from './worker.ts';

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    every: { type: 'string', default: '1' },
    threads: { type: 'string', default: String(Math.min(2, availableParallelism())) },
  },
});
const every = Number(values.every);
const names = values.only?.split(',') ?? workloads.map(({ name }) => name);
const begun = performance.now();
const done = await inWorkers(names);
const plans = done.reduce((sum, one) => sum + one.plans, 0);
const failed = done.reduce((sum, one) => sum + one.failures, 0);
const minutes = ((performance.now() - begun) / 60_000).toFixed(1);
console.log(
  `${plans} plans over ${done.length} workloads, ${failed} with violations, ${minutes} min`,
);
process.exitCode = failed > 0 ? 1 : 0;

/** Each worker takes the next workload that is left. */
async function inWorkers(left: string[]): Promise<readonly Done[]> {
  const all: Done[] = [];
  const one = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const worker = new Worker(new URL('./worker.ts', import.meta.url), { workerData: { every } });
      const give = () => {
        const name = left.shift();
        if (name === undefined) void worker.terminate();
        // oxlint-disable-next-line unicorn/require-post-message-target-origin -- has no origin
        else worker.postMessage(name);
      };
      worker.on('message', (result: Done) => {
        all.push(result);
        console.log(`${String(result.plans).padStart(6)}  ${result.name}: ${result.failures}`);
        for (const report of result.reports) console.log(report);
        give();
      });
      worker.on('error', reject);
      worker.on('exit', () => resolve());
      give();
    });
  await Promise.all(Array.from({ length: Math.min(Number(values.threads), left.length) }, one));
  return all;
}
