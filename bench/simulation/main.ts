// npm run bench:simulation [-- --seeds 500] [-- --first 1] [-- --threads 2] [-- --minutes 7]
// npm run bench:simulation -- --twice    each seed two times, which must be the same run
// SEED=7 npm run bench:simulation    one seed, told line by line
// The flags: each thread has a large young generation, and nothing is made old because its like
// once lived long. Stories are over after milliseconds, and all that they made can go.
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { planOf } from '../../test/simulation/swarm/plan.ts';
import { reportOf } from '../../test/simulation/swarm/report.ts';
import { tracePlan } from '../../test/simulation/swarm/run.ts';
import { conclude } from '../conclude.ts';
import { inWorkers } from '../in-workers.ts';
import { sourceNumber } from '../source-number.ts';
import { wholeNumber } from '../whole-number.ts';
import type { Asked, Batch } from './worker.ts';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '500' },
    // Fresh ones every time, unless told. `source`: fresh after each change of the sources.
    first: { type: 'string', default: String(Date.now() % 2 ** 31) },
    threads: { type: 'string', default: '1' },
    minutes: { type: 'string', default: '60' },
    /** Fewer than these within that time are a failure. */
    least: { type: 'string', default: '1' },
    twice: { type: 'boolean', default: false },
  },
});

/** Seeds that a thread takes at a time. */
const size = 50;

const { SEED } = process.env;
process.exitCode = SEED === undefined ? await runSeeds() : await runOne(Number(SEED));

/** One seed with its transcript; 1 if an oracle objects. */
async function runOne(seed: number): Promise<number> {
  const plan = planOf(seed);
  const outcome = await tracePlan(plan);
  console.log(JSON.stringify(plan, null, 2));
  console.log(outcome.transcript.join('\n'));
  console.log(outcome.violations.join('\n') || 'no violation');
  if (outcome.violations.length > 0) console.log(await reportOf(plan, outcome));
  return outcome.violations.length > 0 ? 1 : 0;
}

/** Whole batches, as many seeds as asked for if time allows; 1 if any of them fails. */
async function runSeeds(): Promise<number> {
  const first =
    values.first === 'source' ? sourceNumber() : wholeNumber('--first', values.first, 0);
  const batches = Math.ceil(wholeNumber('--seeds', values.seeds, 1) / size);
  const threads = wholeNumber('--threads', values.threads, 1);
  const done: Batch[] = [];
  const before = process.cpuUsage();
  const begun = performance.now();
  await inWorkers({
    worker: new URL('./worker.ts', import.meta.url),
    data: { size, twice: values.twice } satisfies Asked,
    names: Array.from({ length: batches }, (_, i) => String(first + i * size)),
    threads: Math.min(threads, availableParallelism()),
    minutes: wholeNumber('--minutes', values.minutes, 1),
    take: (batch: Batch) => {
      done.push(batch);
      for (const failure of batch.failures) console.log(failure);
      if (batch.report !== undefined) console.log(batch.report);
    },
  });
  const { user, system } = process.cpuUsage(before);
  const sum = (read: (batch: Batch) => number) => done.reduce((all, one) => all + read(one), 0);
  const seeds = sum((one) => one.seeds);
  const failed = sum((one) => one.failures.length);
  const seconds = ((performance.now() - begun) / 1000).toFixed(0);
  console.log(`${seeds} seeds from ${first} on, ${failed} with violations, ${seconds} s`);
  if (values.twice && failed === 0) console.log('each seed twice: identical, commit by commit');
  const rate = sum((one) => one.rollouts) / ((user + system) / 60e6);
  console.log(`${rate.toFixed(0)} rollouts a minute of processor time`);
  const collecting = sum((one) => one.collecting) / ((user + system) / 1000);
  console.log(`${(100 * collecting).toFixed(1)} % of it is garbage collection`);
  console.log(`${(sum((one) => one.span) / 3.6e6).toFixed(1)} hours of virtual time`);
  for (const [kind, count] of injectedIn(done))
    console.log(`${String(count).padStart(8)}  ${kind}`);
  const least = wholeNumber('--least', values.least, 1);
  return conclude({ what: 'seeds', done: seeds, failures: failed, least });
}

function injectedIn(done: readonly Batch[]): readonly (readonly [string, number])[] {
  const all = new Map<string, number>();
  for (const { injected } of done)
    for (const [kind, count] of injected) all.set(kind, (all.get(kind) ?? 0) + count);
  return [...all].sort(([a], [b]) => (a < b ? -1 : 1));
}
