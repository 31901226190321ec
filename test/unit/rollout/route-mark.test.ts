import { expect, test } from 'vitest';
import { percent } from '../../../src/lib/units.ts';
import { decide } from '../../../src/rollout/decide.ts';
import { nextWrite } from '../../../src/rollout/mechanism.ts';
import { lasting } from '../../../src/rollout/route-mark.ts';
import type { RouteMark, RouteRecord } from '../../../src/rollout/views.ts';
import { aMark, aRoute, aSnapshot, canaryHash, fail } from '../../builders/snapshot.ts';

const other = 'cccccccccc';
const recordOf = (revision: string, mark?: RouteMark): RouteRecord => ({
  deploymentUid: 'uid',
  service: 'web',
  canaryService: `web-canary-${revision}`,
  revision,
  mark,
});

const carrying = (mark: RouteMark | undefined) => aRoute({ record: recordOf(canaryHash, mark) });

/** The mark of the cut for a release that fails, where the route carries this revision. */
function markOfCut(listed: string): RouteMark | undefined {
  const route = aRoute({ weight: percent(5), record: recordOf(listed) });
  const s = aSnapshot({ verdict: fail, route });
  const next = nextWrite(s, decide(s));
  return next.kind === 'write' && next.action.kind === 'cut-route' ? next.action.mark : undefined;
}

test('what the route carries is cut for its rejection', () => {
  expect(markOfCut(canaryHash)).toMatchObject({ kind: 'rejected', revision: canaryHash });
});

// A list that was behind showed the rejected canary before the one that served: this one was cut as
// rejected, which nobody took back.
test('another canary than the rejected one is withdrawn', () => {
  expect(markOfCut(other)).toMatchObject({ kind: 'withdrawn', revision: canaryHash });
});

test('a rejection of what the route carries outlasts every reason to cut it again', () => {
  const rejected = carrying(aMark('rejected'));
  for (const revision of [canaryHash, other]) {
    expect(lasting(rejected, aMark('withdrawn', revision))).toEqual(aMark('rejected'));
  }
});

test('no other reason does', () => {
  const reasons = [aMark('flinch'), aMark('withdrawn'), aMark('rejected', other), undefined];
  for (const reason of reasons) {
    const cut = aMark('rejected');
    expect(lasting(carrying(reason), cut)).toBe(cut);
  }
});

test.each([
  ['nothing of ours has lowered it', undefined, 5],
  ['it was kept from being raised', aMark('fenced'), 5],
  ['a suspicion has lowered it', aMark('flinch'), undefined],
  ['it is withdrawn again', { ...aMark('withdrawn'), from: percent(1) }, 1],
])('a withdrawal tells what the route gave before: %s', (_where, before, from) => {
  expect(lasting(carrying(before), aMark('withdrawn')).from).toBe(from);
});
