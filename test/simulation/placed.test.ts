import { expect, test } from 'vitest';
import { disturbed } from './placed/run.ts';
import { workloads } from './placed/workloads.ts';

// One fault at one place, at every place that a rollout goes through. All of them:
// `npm run bench:placed`; here every so many.

const every = 211;

test('workloads are enough, and each has a name of its own', () => {
  expect(new Set(workloads.map(({ name }) => name)).size).toBe(workloads.length);
  expect(workloads.length).toBeGreaterThanOrEqual(14);
});

test.each(workloads)(
  '$name ends well, wherever it is disturbed',
  async ({ name }) => {
    const { plans, failures } = await disturbed(name, every);
    expect(failures.join('\n\n')).toBe('');
    expect(plans).toBeGreaterThan(1);
  },
  120_000,
);
