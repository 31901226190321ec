// npm run bench:simulation [-- --seeds 500] [-- --first 1] [-- --minutes 8] [-- --twice]
// SEED=7 npm run bench:simulation    one seed, told line by line
import { parseArgs } from 'node:util';
import { planOf } from '../../test/simulation/swarm/plan.ts';
import { reportOf } from '../../test/simulation/swarm/report.ts';
import { runPlan } from '../../test/simulation/swarm/run.ts';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '500' },
    // Fresh ones every time, unless told.
    first: { type: 'string', default: String(Date.now() % 2 ** 31) },
    minutes: { type: 'string', default: '10' },
    twice: { type: 'boolean', default: false },
  },
});

const { SEED } = process.env;
process.exitCode = SEED === undefined ? await runSeeds() : await runOne(Number(SEED));

/** One seed with its transcript; 1 if an oracle objects. */
async function runOne(seed: number): Promise<number> {
  const plan = planOf(seed);
  const outcome = await runPlan(plan);
  console.log(JSON.stringify(plan, null, 2));
  console.log(outcome.transcript.join('\n'));
  console.log(outcome.violations.join('\n') || 'no violation');
  if (outcome.violations.length > 0) console.log(await reportOf(plan, outcome));
  return outcome.violations.length > 0 ? 1 : 0;
}

/** As many seeds as the time allows; 1 at the first that fails. */
async function runSeeds(): Promise<number> {
  const [first, most] = [Number(values.first), Number(values.seeds)];
  const until = performance.now() + Number(values.minutes) * 60_000;
  const injected = new Map<string, number>();
  const sum = { seeds: 0, rollouts: 0, virtual: 0 };
  const before = process.cpuUsage();
  const begun = performance.now();
  while (sum.seeds < most && performance.now() < until) {
    const plan = planOf(first + sum.seeds);
    const outcome = await runPlan(plan);
    if (outcome.violations.length > 0) {
      console.log(`${sum.seeds} seeds from ${first} on were in order, then`);
      console.log(await reportOf(plan, outcome));
      return 1;
    }
    if (values.twice && (await runPlan(plan)).hash !== outcome.hash) {
      console.log(`seed ${plan.seed}: the second run is another one`);
      return 1;
    }
    const times = values.twice ? 2 : 1;
    sum.seeds += 1;
    sum.rollouts += outcome.rollouts * times;
    sum.virtual += outcome.span * times;
    for (const [kind, count] of outcome.injected)
      injected.set(kind, (injected.get(kind) ?? 0) + count);
  }
  const cpu = process.cpuUsage(before);
  const core = (cpu.user + cpu.system) / 60e6;
  const wall = (performance.now() - begun) / 1000;
  console.log(`${sum.seeds} seeds from ${first} on, 0 violations, ${wall.toFixed(0)} s`);
  if (values.twice) console.log('each seed twice: identical, commit by commit');
  console.log(`${(sum.rollouts / core).toFixed(0)} rollouts a minute of processor time`);
  console.log(`${(sum.virtual / 3.6e6).toFixed(1)} hours of virtual time`);
  for (const [kind, count] of [...injected].sort(([a], [b]) => (a < b ? -1 : 1)))
    console.log(`${String(count).padStart(8)}  ${kind}`);
  return 0;
}
