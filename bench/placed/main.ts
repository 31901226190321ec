// npm run bench:placed [-- --only promotion,rollback] [-- --every 10] [-- --threads 2]
// npm run bench:placed -- --minutes 5    as many as there is time for
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { workloads } from '../../test/simulation/placed/workloads.ts';
import { conclude } from '../conclude.ts';
import { inWorkers } from '../in-workers.ts';
import { sourceNumber } from '../source-number.ts';
import { wholeNumber } from '../whole-number.ts';
import type { Asked, Done } from './worker.ts';

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    every: { type: 'string', default: '1' },
    threads: { type: 'string', default: String(Math.min(2, availableParallelism())) },
    minutes: { type: 'string', default: '120' },
    /** Fewer plans than these within that time are a failure. */
    least: { type: 'string', default: '1' },
  },
});

/** The plans of each workload are dealt out into so many parts. */
const parts = 20;
const every = wholeNumber('--every', values.every, 1);
const beginsAt = sourceNumber();
const names = values.only?.split(',') ?? workloads.map(({ name }) => name);
const begun = performance.now();
const done: Done[] = [];
await inWorkers({
  worker: new URL('./worker.ts', import.meta.url),
  data: { parts: parts * every } satisfies Asked,
  // Part by part over all workloads, so that a lack of time leaves out some of each; where it
  // begins is another place after each change of the sources.
  names: Array.from({ length: parts }, (_, i) => (i + beginsAt) % (parts * every)).flatMap((part) =>
    names.map((name) => `${part}/${name}`),
  ),
  threads: wholeNumber('--threads', values.threads, 1),
  minutes: wholeNumber('--minutes', values.minutes, 1),
  take: (result: Done) => {
    done.push(result);
    for (const told of result.reports) console.log(told);
  },
});
for (const name of names) {
  const of = done.filter((one) => one.name === name);
  console.log(`${String(plansIn(of)).padStart(6)}  ${name}: ${failuresIn(of)}`);
}
const minutes = ((performance.now() - begun) / 60_000).toFixed(1);
const [plans, failures] = [plansIn(done), failuresIn(done)];
console.log(
  `${plans} plans over ${names.length} workloads, ${failures} with violations, ${minutes} min`,
);
const least = wholeNumber('--least', values.least, 1);
process.exitCode = conclude({ what: 'plans', done: plans, failures, least });

function plansIn(some: readonly Done[]): number {
  return some.reduce((sum, one) => sum + one.plans, 0);
}

function failuresIn(some: readonly Done[]): number {
  return some.reduce((sum, one) => sum + one.failures, 0);
}
