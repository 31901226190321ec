import { expect, test } from 'vitest';
import { percent } from '../../../src/lib/units.ts';
import { brokenBy } from '../../../src/rollout/invariants.ts';
import { aRoute, aSnapshot, at, canaryHash } from '../../builders/snapshot.ts';

const marked = (revision: string) => {
  const mark = { kind: 'rejected', revision, rule: 'evidenceWorse', because: 'x', at: at(0) };
  const record = { ...(aRoute().record as object), mark } as never;
  return aSnapshot({ route: aRoute({ weight: percent(0), record }) });
};
const raise = { kind: 'shift-route', from: percent(0), to: percent(5) } as const;

// A list that was behind showed the canary before this one, and the route was cut in its name: what
// somebody resumed then was refused for ever.
test('what is marked as rejected gets no weight, and a mark of another revision keeps none', () => {
  expect(brokenBy(raise, marked(canaryHash))).toMatch(/rejected mark is never overwritten/);
  expect(brokenBy(raise, marked('other'))).toBeUndefined();
});
