// npm run bench:placed [-- --only promotion,rollback] [-- --every 10] [-- --threads 2]
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { workloads } from '../../test/simulation/placed/workloads.ts';
import { inWorkers } from '../in-workers.ts';
import { wholeNumber } from '../whole-number.ts';
import type { Done } from './worker.ts';

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    every: { type: 'string', default: '1' },
    threads: { type: 'string', default: String(Math.min(2, availableParallelism())) },
  },
});
const every = wholeNumber('--every', values.every, 1);
const names = values.only?.split(',') ?? workloads.map(({ name }) => name);
const begun = performance.now();
const done: Done[] = [];
await inWorkers({
  worker: new URL('./worker.ts', import.meta.url),
  data: { every },
  names,
  threads: wholeNumber('--threads', values.threads, 1),
  take: (result: Done) => {
    done.push(result);
    console.log(`${String(result.plans).padStart(6)}  ${result.name}: ${result.failures}`);
    for (const report of result.reports) console.log(report);
  },
});
const plans = done.reduce((sum, one) => sum + one.plans, 0);
const failed = done.reduce((sum, one) => sum + one.failures, 0);
const minutes = ((performance.now() - begun) / 60_000).toFixed(1);
console.log(
  `${plans} plans over ${done.length} workloads, ${failed} with violations, ${minutes} min`,
);
process.exitCode = failed > 0 ? 1 : 0;
