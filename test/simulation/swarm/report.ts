import type { Plan } from './plan.ts';
import { type Outcome, tracePlan } from './run.ts';
import { oracleOf, shrink, violates } from './shrink.ts';

/** What a person needs of a plan that failed: how to see it again, and the least that shows it. */
export async function reportOf(plan: Plan, { violations }: Outcome): Promise<string> {
  const oracles = new Set(violations.map(oracleOf));
  const small = await shrink(plan, violates(oracles));
  const again = await tracePlan(small);
  return [
    `SEED=${plan.seed} npm run bench:simulation`,
    ...violations.map((one) => `  ${one}`),
    `of ${plan.faults.length} faults these are enough:`,
    ...small.faults.map((fault) => `  ${JSON.stringify(fault)}`),
    ...small.acts.map((act) => `  ${JSON.stringify(act)}`),
    ...again.transcript,
    ...again.violations.map((one) => `  ${one}`),
  ].join('\n');
}
