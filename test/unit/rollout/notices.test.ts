import { expect, test } from 'vitest';
import { type Instant, percent } from '../../../src/lib/units.ts';
import { decide } from '../../../src/rollout/decide.ts';
import { nextWrite } from '../../../src/rollout/mechanism.ts';
import { noticesFor } from '../../../src/rollout/notices.ts';
import type { Snapshot } from '../../../src/rollout/snapshot.ts';
import { noticeId } from '../../../src/rollout/state.ts';
import type { RouteMark, RouteRecord } from '../../../src/rollout/views.ts';
import {
  aDeployment,
  aReplicaSet,
  aRoute,
  aSnapshot,
  aState,
  at,
  canaryHash,
  fail,
  stableHash,
} from '../../builders/snapshot.ts';

const because = 'errors are worse';
const rejection = { revision: canaryHash, attempt: 1, rule: 'evidenceWorse', because };
const cut = (kind: RouteMark['kind'], startedAt?: Instant) => {
  const mark: RouteMark = { ...rejection, kind, at: at(-9), startedAt };
  const record: RouteRecord = { ...(aRoute().record as RouteRecord), mark };
  return aRoute({ weight: percent(0), record });
};
const state = aState();
const told = new Set([noticeId(state, 'rollback')]);

// A person raised it after the cut, and opted out before anybody could tell of the rejection.
test('what was rejected is cut for the same reason again, in spite of an opt-out', () => {
  const route = { ...cut('rejected'), weight: percent(80), leastWeight: percent(80) };
  const s = aSnapshot({ optedIn: false, state, route });
  const decision = decide(s);
  const next = nextWrite(s, decision);
  expect(decision.goal.kind).toBe('roll-back');
  expect(next).toMatchObject({
    action: { kind: 'cut-route', mark: { kind: 'rejected', because } },
  });
});

// The leader died between the rejection and the notice, and the opt-out came before the next one.
test.each<[string, Partial<Snapshot>, number]>([
  ['the rejection is on record', { rejections: [rejection], route: cut('rejected') }, 1],
  ['only the route says so yet', { route: cut('rejected') }, 0],
  ['the route is restored', { rejections: [rejection], route: aRoute({ weight: percent(0) }) }, 1],
  ['it was told', { rejections: [rejection], route: cut('rejected'), settledNotices: told }, 0],
  ['the canary was only withdrawn', { route: cut('withdrawn') }, 0],
  ['it still has its weight', { rejections: [rejection], route: aRoute() }, 0],
  [
    'an earlier attempt was rejected',
    { rejections: [rejection], route: cut('withdrawn'), state: aState({ attempt: 2 }) },
    0,
  ],
])('an opt-out waits for the end of a rollback: %s', (_what, change, expected) => {
  const s = aSnapshot({ optedIn: false, state, ...change });
  const decision = decide(s);
  const notices = noticesFor(s, decision, 0).filter(({ kind }) => kind === 'rollback');
  expect(notices).toHaveLength(expected);
  const { weight } = state.summary;
  const { rule } = rejection;
  for (const notice of notices) expect(notice).toMatchObject({ rule, because, weight });
});

// The broken canary was deleted in the moment of its rollback.
const gone = { canary: undefined, state: undefined };
test.each<[string, Partial<Snapshot>, number]>([
  ['the rejection is on record', { rejections: [rejection], route: cut('rejected') }, 1],
  ['only the route says so yet', { route: cut('rejected') }, 0],
  ['it was told', { rejections: [rejection], route: cut('rejected'), settledNotices: told }, 0],
  [
    'another rollout of this revision was told of',
    { rejections: [rejection], route: cut('rejected', at(60)), settledNotices: told },
    1,
  ],
  ['nobody rejected it', { route: cut('withdrawn') }, 0],
])('a rollback is told when its canary is gone: %s', (_what, change, expected) => {
  const s = aSnapshot({ ...gone, ...change });
  const notices = noticesFor(s, decide(s), 0).filter(({ kind }) => kind === 'rollback');
  expect(notices).toHaveLength(expected);
  const { rule } = rejection;
  for (const notice of notices)
    expect(notice).toMatchObject({ revision: canaryHash, rule, because, weight: 0 });
});

// A stale list had no canary, and the watch told of it a moment later.
test('a rollback is the same one for people, whether its canary is seen or not', () => {
  const failing = aSnapshot({ state, rejections: [rejection], verdict: fail });
  const next = nextWrite(failing, decide(failing));
  const mark = next.kind === 'write' && 'mark' in next.action ? next.action.mark : undefined;
  const record: RouteRecord = { ...(aRoute().record as RouteRecord), mark };
  const route = aRoute({ weight: percent(0), record });
  const seen = { rejections: [rejection], route };
  const ids = [
    { ...seen, state },
    { ...seen, ...gone },
  ].map((change) => {
    const s = aSnapshot(change);
    return noticesFor(s, decide(s), 0).find(({ kind }) => kind === 'rollback')?.id;
  });
  expect(ids).toEqual([...told, ...told]);
});

test('what the route tells of is rejected when its canary is gone', () => {
  const s = aSnapshot({ ...gone, route: cut('rejected') });
  expect(nextWrite(s, decide(s))).toMatchObject({
    action: { kind: 'mark-rejected', rejection: { ...rejection, attempt: 1 } },
  });
});

const taken = { canary: aReplicaSet(canaryHash) };
const left = { canary: aReplicaSet(canaryHash, { controllerUid: undefined }) };
const back = { deployment: aDeployment({ templateHash: stableHash }) };
test.each<[string, Partial<Snapshot>, number]>([
  ['the Deployment has not taken it yet', left, 0],
  ['the template is its own', {}, 1],
  ['the template has moved on', { deployment: aDeployment({ templateHash: 'cccccccccc' }) }, 1],
  ['the template is the stable one again', back, 0],
  ['that has gone all the same', { ...back, stable: undefined, active: [] }, 1],
])('an adoption is told as a promotion when %s', (_what, change, expected) => {
  const step = { ...aState().step, index: 5, to: percent(100) };
  const s = aSnapshot({ adopted: true, ...taken, state: aState({ step }), ...change });
  const notices = noticesFor(s, decide(s), 0).filter(({ kind }) => kind === 'promotion');
  expect(notices).toHaveLength(expected);
});
