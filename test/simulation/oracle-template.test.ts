import { expect, test } from 'vitest';
import { descend } from '../../src/rollout/descend.ts';
import { servesWanted } from '../../src/rollout/snapshot.ts';
import { planOf } from './swarm/plan.ts';
import { runPlan } from './swarm/run.ts';
import { withCondition } from './zoo/seams.ts';

/** A fix is released when what it cures is about to be taken back. */
const plan = { ...planOf(47_002), reverts: true };

test('the template of a fix stays', async () => {
  expect((await runPlan(plan)).violations).toEqual([]);
});

test('and is missed where whatever does not serve is taken back', async () => {
  const bug = withCondition(descend, 'template is not the rejected one', {
    met: (s) => s.spec?.onReject !== 'revert' || servesWanted(s),
  });
  const undo = bug.install?.();
  const { violations } = await runPlan(plan);
  undo?.();
  expect(violations).toContain('I12 template: v3 was taken back unasked');
});
