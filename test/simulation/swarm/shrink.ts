import type { Fault, Plan } from './plan.ts';
import { runPlan } from './run.ts';

/** Whether a plan shows what is looked for. */
export type Shows = (plan: Plan) => Promise<boolean>;

/** Violations are told apart by their oracle: the figures in the text change with the faults. */
export const violates = (oracles: ReadonlySet<string>): Shows => {
  return async (plan) => {
    const { violations } = await runPlan(plan);
    return violations.some((one) => oracles.has(oracleOf(one)));
  };
};

export const oracleOf = (violation: string): string => violation.split(':')[0] ?? violation;

/**
 * A plan with as few faults as still show it, one process if that will do, then no act
 * and no further release. Source of
 * the halving: Zeller and Hildebrandt 2002 (delta debugging).
 */
export async function shrink(plan: Plan, shows: Shows): Promise<Plan> {
  const faults = await fewest(plan.faults, (some) => shows({ ...plan, faults: some }));
  let small: Plan = { ...plan, faults };
  const changes: readonly Partial<Plan>[] = [
    { processes: 1 },
    { acts: [] },
    { encore: undefined },
    { reverts: false },
    { latency: false },
    { replicas: 1 },
  ];
  for (const change of changes) {
    const smaller = { ...small, ...change };
    if (await shows(smaller)) small = smaller;
  }
  return small;
}

/** Leaves out a half, a quarter, …, one at a time, as long as it still fails. */
export async function fewest(
  all: readonly Fault[],
  fails: (some: readonly Fault[]) => Promise<boolean>,
): Promise<readonly Fault[]> {
  let left = all;
  let size = Math.ceil(left.length / 2);
  while (size > 0 && left.length > 0) {
    const before = left.length;
    for (let at = 0; at < left.length; ) {
      const some = [...left.slice(0, at), ...left.slice(at + size)];
      if (await fails(some)) left = some;
      else at += size;
    }
    if (left.length === before || size > left.length) {
      size = size === 1 ? 0 : Math.ceil(Math.min(size, left.length) / 2);
    }
  }
  return left;
}
