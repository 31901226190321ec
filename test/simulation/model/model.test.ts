import { expect, test } from 'vitest';
import { stuckStates } from './liveness.ts';
import { Search } from './search.ts';

// A slice of `npm run bench:model`: every state that two leaders, people and faults reach first.

test.each([
  { mode: 'on-change', userEdits: 2, requests: 0, faults: 0 },
  { mode: 'at-rest', userEdits: 1, requests: 1, faults: 1 },
  { mode: 'on-change', userEdits: 1, requests: 0, faults: 0 },
] as const)('no state breaks an invariant: $mode', ({ mode, ...budgets }) => {
  const search = new Search(mode, budgets);
  // The last one reaches the restart of a sick pod, and the way back.
  const wanted = budgets.userEdits + budgets.requests + budgets.faults === 1 ? 40_000 : 25_000;
  const { violations, states } = search.run({ states: wanted });
  expect(violations).toEqual([]);
  expect(states).toBeGreaterThanOrEqual(wanted);
  expect(stuckStates(search.clusters)).toEqual([]);
});
