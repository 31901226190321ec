import { on } from 'node:events';
import { PerformanceObserver } from 'node:perf_hooks';
import { parentPort, workerData } from 'node:worker_threads';
import { type Plan, planOf } from '../../test/simulation/swarm/plan.ts';
import { reportOf } from '../../test/simulation/swarm/report.ts';
import { type Outcome, runPlan, tracePlan } from '../../test/simulation/swarm/run.ts';

/** What came of a batch of seeds. */
export interface Batch {
  readonly seeds: number;
  readonly rollouts: number;
  /** Virtual time, ms. */
  readonly span: number;
  /** Time that garbage collection took, ms. */
  readonly collecting: number;
  readonly injected: ReadonlyMap<string, number>;
  /** One line for each seed with violations. */
  readonly failures: readonly string[];
  /** The first of them, with the least that shows it. */
  readonly report: string | undefined;
}

export interface Asked {
  /** Seeds in a batch. */
  readonly size: number;
  /** Each seed runs twice, and must be the same run. */
  readonly twice: boolean;
}

const { size, twice } = workerData as Asked;

// Faults are errors, too, and here nobody reads where they come from: SEED=… tells one story.
Error.stackTraceLimit = 0;

/** Since the last batch, ms. */
let collecting = 0;
new PerformanceObserver((seen) => {
  for (const { duration } of seen.getEntries()) collecting += duration;
}).observe({ entryTypes: ['gc'] });

async function batchFrom(first: number): Promise<Batch> {
  const sum = { rollouts: 0, span: 0 };
  const injected = new Map<string, number>();
  const failures: string[] = [];
  let report: string | undefined;
  for (let seed = first; seed < first + size; seed += 1) {
    const plan = planOf(seed);
    const outcome = twice ? await runTwice(plan) : await runPlan(plan);
    sum.rollouts += outcome.rollouts;
    sum.span += outcome.span;
    for (const [kind, count] of outcome.injected)
      injected.set(kind, (injected.get(kind) ?? 0) + count);
    if (outcome.violations.length === 0) continue;
    failures.push(`seed ${seed}: ${outcome.violations.join('; ').slice(0, 300)}`);
    report ??= await reportOf(plan, outcome);
  }
  const batch = { seeds: size, ...sum, collecting, injected, failures, report };
  collecting = 0;
  return batch;
}

async function runTwice(plan: Plan): Promise<Outcome> {
  const [first, second] = [await tracePlan(plan), await tracePlan(plan)];
  const same = first.hash === second.hash;
  return {
    ...first,
    violations: [...first.violations, ...(same ? [] : ['determinism: the second run is another'])],
    rollouts: first.rollouts + second.rollouts,
    span: first.span + second.span,
  };
}

const port = parentPort ?? process.exit();
for await (const [first] of on(port, 'message') as AsyncIterable<[string]>) {
  const batch = await batchFrom(Number(first));
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
  port.postMessage(batch);
}
