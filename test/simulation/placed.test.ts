import { expect, test } from 'vitest';
import { disturbed } from './placed/run.ts';
import { workloads } from './placed/workloads.ts';
import type { Fault } from './swarm/plan.ts';
import { runPlan } from './swarm/run.ts';

// One fault at one place, at every place that a rollout goes through. All of them:
// `npm run bench:placed`; here every so many.

const every = 211;

test('workloads are enough, and each has a name of its own', () => {
  expect(new Set(workloads.map(({ name }) => name)).size).toBe(workloads.length);
  expect(workloads.length).toBeGreaterThanOrEqual(14);
});

// The 17th event tells that the canary of six pods is ready, and later ones do not say it again.
test.each(['scaled by hand', 'scaled by an autoscaler'])(
  '%s: a canary whose readiness nobody told is asked before it is rejected',
  async (wanted) => {
    const workload = workloads.find(({ name }) => name === wanted);
    if (workload === undefined) throw new Error(`no workload ${wanted}`);
    const { name: _, ...story } = workload;
    const faults: Fault[] = [{ kind: 'event', nth: 17, fault: { kind: 'drop' } }];
    const { violations, injected } = await runPlan({ ...story, faults });
    expect(violations).toEqual([]);
    expect([...injected]).toEqual([['event drop', 1]]);
  },
);

test.each(workloads)(
  '$name ends well, wherever it is disturbed',
  async ({ name }) => {
    const { plans, failures } = await disturbed(name, every);
    expect(failures.join('\n\n')).toBe('');
    expect(plans).toBeGreaterThan(1);
  },
  120_000,
);
