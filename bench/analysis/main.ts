// npm run bench:analysis [-- --runs 2000] [-- --only detection,cost] [-- --threads 2]
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { type BenchTable, printed, tables } from './tables.ts';

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '2000' },
    only: { type: 'string' },
    threads: { type: 'string', default: String(Math.min(2, availableParallelism())) },
  },
});
const runs = wholeNumber('--runs', values.runs, 10);
const threads = wholeNumber('--threads', values.threads, 1);
const wanted = values.only === undefined ? tables : values.only.split(',').map(named);

if (threads === 1) for (const one of wanted) console.log(printed(one, runs));
else await inWorkers(wanted);

/** Each worker takes the longest table that is left; printed in order, as soon as it can be. */
async function inWorkers(list: readonly BenchTable[]): Promise<void> {
  const left = list.toSorted((a, b) => b.size - a.size).map(({ name }) => name);
  const texts = new Map<string, string>();
  let next = 0;
  const show = () => {
    for (let text = texts.get(list[next]?.name ?? ''); text !== undefined; ) {
      console.log(text);
      next += 1;
      text = texts.get(list[next]?.name ?? '');
    }
  };
  const one = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const worker = new Worker(new URL('./worker.ts', import.meta.url), { workerData: { runs } });
      const give = () => {
        const name = left.shift();
        if (name === undefined) void worker.terminate();
        // oxlint-disable-next-line unicorn/require-post-message-target-origin -- has no origin
        else worker.postMessage(name);
      };
      worker.on('message', ({ name, text }: { name: string; text: string }) => {
        texts.set(name, text);
        show();
        give();
      });
      worker.on('error', reject);
      worker.on('exit', () => resolve());
      give();
    });
  await Promise.all(Array.from({ length: Math.min(threads, list.length) }, one));
}

function named(name: string): BenchTable {
  const found = tables.find((one) => one.name === name);
  if (found === undefined) {
    throw new Error(`no table ${name}; use ${tables.map((one) => one.name).join(', ')}`);
  }
  return found;
}

function wholeNumber(flag: string, text: string, least: number): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < least) {
    throw new Error(`${flag} needs a whole number from ${least}`);
  }
  return value;
}
