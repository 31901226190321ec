// npm run bench:analysis [-- --runs 2000] [-- --only detection,cost] [-- --threads 2]
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { inWorkers } from '../in-workers.ts';
import { wholeNumber } from '../whole-number.ts';
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
else await printFromWorkers(wanted);

/** Each worker takes the longest table that is left; printed in order, as soon as it can be. */
async function printFromWorkers(list: readonly BenchTable[]): Promise<void> {
  const texts = new Map<string, string>();
  let next = 0;
  await inWorkers({
    worker: new URL('./worker.ts', import.meta.url),
    data: { runs },
    names: list.toSorted((a, b) => b.size - a.size).map(({ name }) => name),
    threads,
    take: ({ name, text }: { readonly name: string; readonly text: string }) => {
      texts.set(name, text);
      for (let due = texts.get(list[next]?.name ?? ''); due !== undefined; ) {
        console.log(due);
        next += 1;
        due = texts.get(list[next]?.name ?? '');
      }
    },
  });
}

function named(name: string): BenchTable {
  const found = tables.find((one) => one.name === name);
  if (found === undefined) {
    throw new Error(`no table ${name}; use ${tables.map((one) => one.name).join(', ')}`);
  }
  return found;
}
