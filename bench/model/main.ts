import { stuckStates } from '../../test/simulation/model/liveness.ts';
import { Search } from '../../test/simulation/model/search.ts';
import { conclude } from '../conclude.ts';

// Model check of the real `decide` and `nextWrite`: two leaders, Kubernetes, people and faults,
// breadth first. `npm run bench:model -- STATES` for another number of states in each run.

const states = Number(process.argv[2] ?? 400_000);
/** Fewer in all would prove little. */
const least = 1_000_000;
const runs = [
  { mode: 'on-change', userEdits: 1, requests: 0, faults: 0 },
  { mode: 'on-change', userEdits: 2, requests: 0, faults: 0 },
  { mode: 'on-change', userEdits: 1, requests: 1, faults: 0 },
  { mode: 'on-change', userEdits: 1, requests: 0, faults: 1 },
  { mode: 'on-change', userEdits: 2, requests: 1, faults: 1 },
  { mode: 'at-rest', userEdits: 1, requests: 0, faults: 0 },
  { mode: 'at-rest', userEdits: 2, requests: 0, faults: 0 },
  { mode: 'at-rest', userEdits: 1, requests: 0, faults: 1 },
  { mode: 'at-rest', userEdits: 1, requests: 1, faults: 1 },
  { mode: 'at-rest', userEdits: 1, requests: 0, faults: 2 },
  { mode: 'at-rest', userEdits: 2, requests: 1, faults: 1 },
] as const;

const started = performance.now();
const sum = { states: 0, transitions: 0, clusters: 0, broken: 0 };
for (const { mode, ...budgets } of runs) {
  const search = new Search(mode, budgets);
  const found = search.run({ states });
  const stuck = stuckStates(search.clusters);
  sum.states += found.states;
  sum.transitions += found.transitions;
  sum.clusters += found.clusters;
  sum.broken += found.violations.length + stuck.length;
  const name = `${mode} ${JSON.stringify(budgets)}`;
  const reach = found.whole ? 'all of them' : `to depth ${found.depth}`;
  console.log(`${name}: ${found.states} states, ${found.transitions} transitions, ${reach}`);
  for (const { broken, path } of found.violations) console.log(broken, path);
  for (const { because, path } of stuck) console.log(because, path);
}
const seconds = ((performance.now() - started) / 1000).toFixed(1);
console.log(
  `FIGURE model: ${sum.states} states, ${sum.transitions} transitions, ${sum.clusters} clusters ` +
    `with one call of decide each, ${seconds} s, ${sum.broken} violations`,
);
process.exitCode = conclude({
  what: 'states',
  done: sum.states,
  failures: sum.broken,
  least: Math.min(least, states * runs.length),
});
