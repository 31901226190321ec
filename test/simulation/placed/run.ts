import type { Plan } from '../swarm/plan.ts';
import { runPlan, tracePlan } from '../swarm/run.ts';
import { plansOf } from './plans.ts';
import { workloads } from './workloads.ts';

export interface Disturbed {
  readonly plans: number;
  /** For each plan with violations: the plan, what was violated, and what happened. */
  readonly failures: readonly string[];
}

/** By workload: to find them takes a run of its own, and they are asked for in parts. */
const known = new Map<string, readonly Plan[]>();

/** Runs every `every`-th plan of a workload, from the one with number `from` on. */
export async function disturbed(name: string, every: number, from = 0): Promise<Disturbed> {
  const workload = workloads.find((one) => one.name === name);
  if (workload === undefined) {
    throw new Error(
      `no workload ${name}; there are ${workloads.map((one) => one.name).join(', ')}`,
    );
  }
  const all = known.get(name) ?? (await plansOf(workload));
  known.set(name, all);
  const plans = all.filter((_, index) => index % every === from);
  const failures: string[] = [];
  for (const plan of plans) {
    const { violations } = await runPlan(plan);
    if (violations.length === 0) continue;
    const { transcript } = await tracePlan(plan);
    const faults = plan.faults.map((fault) => JSON.stringify(fault));
    failures.push([`${name}: ${faults.join(' ')}`, ...violations, ...transcript].join('\n'));
  }
  return { plans: plans.length, failures };
}
