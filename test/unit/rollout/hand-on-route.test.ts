import { describe, expect, test } from 'vitest';
import { percent } from '../../../src/lib/units.ts';
import { decide } from '../../../src/rollout/decide.ts';
import { nextWrite } from '../../../src/rollout/mechanism.ts';
import type { Snapshot } from '../../../src/rollout/snapshot.ts';
import {
  aReplicaSet,
  aRoute,
  aSnapshot,
  aState,
  at,
  canaryHash,
  pass,
} from '../../builders/snapshot.ts';

// People and GitOps change the route while it carries a canary: what they lower is kept, what they
// raise is undone at once.

const act = (change: Partial<Snapshot>) => {
  const s = aSnapshot(change);
  const decision = decide(s);
  const next = nextWrite(s, decision);
  return { rule: decision.rule, action: next.kind === 'write' ? next.action : undefined };
};
const { step } = aState();
const pause = { by: 'route', at: at(-5), because: 'changed by somebody else' };
const mark = { kind: 'flinch', revision: canaryHash, rule: 'flinch', because: 's', at: at(-9) };
const under = (one: object) => ({ ...(aRoute().record as object), mark: one }) as never;
/** The rules of the manifest again; our annotation stays, for it is in no manifest. */
const appliedAnew = (record = aRoute().record) =>
  aRoute({ weight: percent(0), canaryService: undefined, record });
const request = (verb: 'promote' | 'resume', number: number) =>
  ({ verb, revision: canaryHash, step: number, id: 'a', by: 'ann' }) as const;

test('applied anew in the middle of a flinch, the rollout does not hold for ever', () => {
  expect(act({ route: appliedAnew(under(mark)) })).toMatchObject({
    rule: 'weightChangedByHand',
    action: { kind: 'record', state: { pause: { by: 'route' } } },
  });
  // A sick pod is waited for without any weight: that is no hand.
  const pod = { name: 'p', uid: 'u', restarts: 0 };
  expect(act({ route: appliedAnew(under({ ...mark, pod })) }).rule).not.toBe('weightChangedByHand');
});

const withdrawn = (from: number) => ({ ...mark, kind: 'withdrawn', from });

// A process died at the record of a hand, and a stale list made the next one withdraw the canary:
// our mark hid the hand.
test('what was withdrawn after a hand had lowered it is not taken back', () => {
  const carrying = (from: number) =>
    act({ route: aRoute({ weight: percent(0), record: under(withdrawn(from)) }) }).rule;
  expect([carrying(1), carrying(5)]).toEqual(['weightChangedByHand', 'flinched']);
});

// Nobody was there when a hand undid a first raise: it looked as if it had not been made.
describe('lowered to where its raise began', () => {
  const [to, recordedAt] = [percent(10), at(-9)];
  const made = { to, recordedAt };
  const recorded = { ...step, index: 2, fromIndex: 1, from: percent(5), to, raisedAt: recordedAt };
  const ruleFor = (change: object) => {
    const record = { ...(aRoute().record as object), ...change } as never;
    const state = aState({ step: { ...recorded, inForceAt: null } });
    return act({ route: aRoute({ record }), state, verdict: pass }).rule;
  };

  test('it is kept', () => {
    expect(ruleFor({ raise: made })).toBe('weightChangedByHand');
    // Also where a stale list has made us withdraw the canary after that.
    expect(ruleFor({ raise: made, mark: withdrawn(5) })).toBe('weightChangedByHand');
  });

  test.each([
    ['nothing was made yet', {}],
    ['it is the raise before that was made', { raise: { to, recordedAt: at(-99) } }],
    ['and if that was recorded as late', { raise: { to: percent(5), recordedAt } }],
    ['we have lowered it since', { raise: made, mark: withdrawn(10) }],
  ])('it is raised where %s', (_where, change) => {
    expect(ruleFor(change)).toBe('stepPassed');
  });
});

describe('one of several rules', () => {
  const only = (least: number, most = 5) =>
    aRoute({ weight: percent(most), leastWeight: percent(least) });
  const raise = { ...step, index: 2, fromIndex: 1, from: percent(5), to: percent(10) };
  const raising = aState({ step: { ...raise, inForceAt: null } });

  test.each<[string, Partial<Snapshot>]>([
    ['in force', {}],
    ['in force, and the next is due', { verdict: pass }],
    ['about to be raised', { state: raising }],
    ['raised a moment ago', { state: raising, route: only(1, 10) }],
    ['raised a moment ago, and as before in that rule', { state: raising, route: only(5, 10) }],
    ['lowered for a suspicion', { route: { ...only(0, 1), record: under(mark) } }],
  ])('that somebody lowered alone is kept: a step %s', (_when, change) => {
    const { rule, action } = act({ route: only(1), ...change });
    expect(rule).toBe('weightChangedByHand');
    // A raise that may be under way is kept from landing first, as where all rules are lowered.
    if (action?.kind === 'fence-route') return;
    expect(action).toMatchObject({ kind: 'record', state: { pause: { by: 'route' } } });
  });

  test('says what that one carries', () => {
    const { action } = act({ route: only(1) });
    const because = action?.kind === 'record' ? action.state.pause?.because : undefined;
    expect(because).toBe('the route carries 1 % and not 5 %: changed by somebody else');
  });

  test('paused for it, the rollout stays so', () => {
    expect(act({ route: only(1), state: aState({ pause }) }).rule).toBe('paused');
    // More than the step in another rule is undone all the same, and only there.
    expect(act({ route: only(1, 60), state: aState({ pause }) }).action).toEqual({
      kind: 'shift-route',
      from: 60,
      to: 5,
    });
  });

  test('also where all the others lead to the canary', () => {
    const last = { ...step, index: 5, fromIndex: 4, from: percent(50), to: percent(100) };
    const state = aState({ step: { ...last, inForceAt: null } });
    expect(act({ route: only(30, 100), state }).action?.kind).toBe('record');
    const paused = act({ route: only(30, 100), state: { ...state, pause } });
    expect(paused.rule).toBe('paused');
    expect(paused.action?.kind).not.toBe('shift-route');
  });

  // The next raise was recorded before the watch told of the hand: neither a step that is in force
  // nor one that could be raised, so that nothing was judged any more.
  test('that somebody raised before a recorded raise was made is undone', () => {
    const undone = { kind: 'shift-route', from: 7, to: 5 };
    const paused = { ...raising, pause };
    for (const state of [raising, paused]) {
      const found = act({ route: only(5, 7), state, request: request('promote', 2) });
      expect(found).toEqual({ rule: 'weightChangedByHand', action: undone });
    }
  });

  // Promoted while a hand had lowered one rule, then paused before it was made, and resumed: no
  // evidence counted for two weights at once, and the rollout stood still for ever.
  test('a raise that was not made leads all of them back to its step', () => {
    const raisedFrom = { ...raising.step, from: percent(1) };
    const asked = { ...raisedFrom, index: 5, to: percent(100) };
    for (const step of [raisedFrom, asked]) {
      const back = act({ route: only(1, 5), state: aState({ step }), verdict: pass });
      expect(back).toMatchObject({
        rule: 'weightNotInForce',
        action: { kind: 'record', state: { step: { index: 1, from: 1, to: 5 } } },
      });
      const next = back.action?.kind === 'record' ? back.action.state : undefined;
      expect(act({ route: only(1, 5), ...(next && { state: next }) }).action).toEqual({
        kind: 'shift-route',
        from: 1,
        to: 5,
      });
    }
  });

  // Promoted after a hand had taken the canary off, and a hand took it off again before that was in
  // force: it looked as if nothing had been raised.
  test('taken off twice, it goes back to the step that it had', () => {
    const twice = { ...raising.step, index: 5, from: percent(0), to: percent(100) };
    expect(act({ route: only(0, 0), state: aState({ step: twice }) })).toMatchObject({
      rule: 'weightNotInForce',
      action: { kind: 'record', state: { step: { index: 1, from: 0, to: 5 } } },
    });
  });

  // A promotion skips steps: one of them may have been raised before the hand, and nobody says so.
  test('that gives what a skipped step gives is not lowered before a promotion', () => {
    const step = { ...raising.step, index: 5, from: percent(1), to: percent(100) };
    const promoting = { state: aState({ step }), request: request('promote', 2) };
    expect(act({ route: only(1, 10), ...promoting }).rule).toBe('promoteRequested');
    expect(act({ route: only(1, 60), ...promoting }).rule).toBe('weightChangedByHand');
  });

  test('a resume raises all of them again', () => {
    const state = aState({ pause });
    const resumed = act({ route: only(1), state, request: request('resume', 2) });
    expect(resumed.action).toMatchObject({ kind: 'record', state: { step: { from: 1, to: 5 } } });
    const next = resumed.action?.kind === 'record' ? resumed.action.state : state;
    const canary = aReplicaSet(canaryHash, { replicas: 1, available: 1 });
    expect(act({ route: only(1), state: next, canary })).toMatchObject({
      rule: 'weightNotInForce',
      action: { kind: 'shift-route', from: 1, to: 5 },
    });
    // Lowered further meanwhile, it is kept.
    expect(act({ route: only(0), state: next, canary }).rule).toBe('weightChangedByHand');
    // A pause that comes first keeps the raise from landing.
    const paused = { ...request('resume', 2), verb: 'pause', id: 'b' } as const;
    expect(act({ route: only(1), state: next, request: paused }).action?.kind).toBe('fence-route');
  });

  test('promotion that is asked for raises all of them', () => {
    const endpoints = { stable: new Set(['x']), canary: new Set(['1', '2', '3', '4']) };
    const labels = { 'haldane.dev/canary-for': 'x' };
    const canary = aReplicaSet(canaryHash, { controllerUid: undefined, labels });
    const asked = { canary, endpoints, request: request('promote', 2), route: only(1) };
    const recorded = act({ ...asked, state: aState({ pause }) });
    expect(recorded).toMatchObject({
      rule: 'promoteRequested',
      action: { kind: 'record', state: { pause: null, step: { from: 1, to: 100 } } },
    });
    const state = recorded.action?.kind === 'record' ? recorded.action.state : undefined;
    expect(act({ ...asked, ...(state && { state }) })).toMatchObject({
      action: { kind: 'shift-route', from: 1, to: 100 },
    });
  });
});

test('after a resume the canary is listed again, and raised', () => {
  const state = aState({ pause, requestId: null });
  const resumed = act({ route: appliedAnew(), state, request: request('resume', 2) });
  expect(resumed).toMatchObject({ rule: 'resumeRequested', action: { kind: 'record' } });
  const next = resumed.action?.kind === 'record' ? resumed.action.state : state;
  expect(act({ route: appliedAnew(), state: next })).toMatchObject({
    rule: 'weightNotInForce',
    action: { kind: 'attach-route' },
  });
});

test('a first raise that was made and taken off again is not made again', () => {
  const raise = { ...step, index: 0, fromIndex: -1, from: percent(0), inForceAt: null };
  const state = aState({ step: raise });
  // Should it still be under way, it is kept from landing before the pause is recorded.
  expect(act({ route: appliedAnew(), state })).toMatchObject({
    rule: 'weightChangedByHand',
    action: { kind: 'fence-route', mark: { kind: 'fenced' } },
  });
  const fenced = appliedAnew(under({ ...mark, kind: 'fenced', at: at(0) }));
  expect(act({ route: fenced, state })).toMatchObject({
    rule: 'weightChangedByHand',
    action: { kind: 'record', state: { pause: { by: 'route' } } },
  });
  // The fence has listed it again; what the hand did is not forgotten, nor a resume after it.
  const handMark = { ...mark, kind: 'fenced', rule: 'weightChangedByHand', at: at(0) };
  const relisted = aRoute({ weight: percent(0), record: under(handMark) });
  expect(act({ route: relisted, state })).toMatchObject({
    rule: 'weightChangedByHand',
    action: { kind: 'record', state: { pause: { by: 'route' } } },
  });
  const paused = { ...state, pause };
  const resumed = act({ route: relisted, state: paused, request: request('resume', 0) });
  expect(resumed).toMatchObject({
    rule: 'resumeRequested',
    action: { kind: 'record', state: { pause: null, step: { fromIndex: 0, inForceAt: null } } },
  });
  // Recorded and not made yet, the canary is listed.
  const listed = aRoute({ weight: percent(0) });
  expect(act({ route: listed, state }).rule).not.toBe('weightChangedByHand');
});

test('promotion asked for before a hand lowered the weight waits for a resume', () => {
  const raise = { ...step, index: 5, fromIndex: 1, from: percent(5), to: percent(100) };
  const state = aState({ step: { ...raise, inForceAt: null }, requestId: 'a', pause });
  const route = aRoute({ weight: percent(80) });
  const { rule, action } = act({ route, state, request: request('promote', 2) });
  expect(rule).toBe('paused');
  expect(action?.kind).not.toBe('shift-route');
});

test('a pause holds where a promotion was resumed, and a hand has lowered it again', () => {
  const raise = { ...step, index: 5, fromIndex: 5, from: percent(3), to: percent(100) };
  const state = aState({ step: { ...raise, inForceAt: null }, pause });
  const inOneRule = aRoute({ weight: percent(100), leastWeight: percent(30) });
  for (const route of [aRoute({ weight: percent(0) }), inOneRule]) {
    const { rule, action } = act({ route, state });
    expect(rule).toBe('paused');
    expect(action?.kind).not.toBe('shift-route');
  }
  // Not lowered, it goes on to its end.
  expect(act({ route: aRoute({ weight: percent(100) }), state }).rule).toBe('promoting');
});

// The template was another one for a moment, or a stale list says that nobody has opted out.
test('a route that was restored when its canary was taken away was changed by no hand', () => {
  const own = aRoute({ weight: percent(0), canaryService: undefined, record: undefined });
  const pods = { ...aSnapshot().pods, canary: [] };
  const canary = aReplicaSet(canaryHash, { controllerUid: undefined, replicas: 0, available: 0 });
  const serving = aReplicaSet(canaryHash, { controllerUid: undefined });
  const end = { kind: 'superseded', rule: 'templateChanged', because: 'another one' } as const;
  const outcome = { ...end, at: at(-5), weight: percent(5), step: 2 };
  expect(act({ route: own, canary, pods, state: aState({ outcome }) })).toMatchObject({
    rule: 'withdrawalUnderWay',
    action: { kind: 'unpin-service' },
  });
  // Its pods are there until the gateway has followed.
  expect(act({ route: own, canary: serving, state: aState({ outcome }) })).toMatchObject({
    rule: 'withdrawalUnderWay',
    action: { kind: 'scale-canary', replicas: 0 },
  });
});

test('promotion asked for while its recorded raise is paused ends the pause first', () => {
  const raise = { ...step, index: 5, fromIndex: 1, from: percent(5), to: percent(100) };
  const state = aState({ step: { ...raise, inForceAt: null }, requestId: 'before', pause });
  const endpoints = { stable: new Set(['x']), canary: new Set(['1', '2', '3', '4']) };
  const labels = { 'haldane.dev/canary-for': 'x' };
  const canary = aReplicaSet(canaryHash, { controllerUid: undefined, labels });
  expect(act({ state, canary, endpoints, request: request('promote', 2) })).toMatchObject({
    rule: 'promoteRequested',
    action: { kind: 'record', state: { requestId: 'a', pause: null, step: { to: 100 } } },
  });
});

test('promotion asked for while it is paused ends the pause', () => {
  const endpoints = { stable: new Set(['x']), canary: new Set(['1', '2', '3', '4']) };
  const canary = aReplicaSet(canaryHash, {
    controllerUid: undefined,
    labels: { 'haldane.dev/canary-for': 'x' },
  });
  const state = aState({ pause });
  expect(act({ state, canary, endpoints, request: request('promote', 2) })).toMatchObject({
    rule: 'promoteRequested',
    action: { kind: 'record', state: { requestId: 'a', pause: null, step: { to: 100 } } },
  });
});

test('a weight that somebody raised is taken back before pods are waited for', () => {
  const canary = aReplicaSet(canaryHash, { controllerUid: undefined, replicas: 1, available: 1 });
  const back = { kind: 'shift-route', from: 60, to: 5 };
  expect(act({ route: aRoute({ weight: percent(60) }), canary })).toEqual({
    rule: 'weightChangedByHand',
    action: back,
  });
  // Also where there are no pods at all, and before the first step.
  const none = { stable: new Set(['x']), canary: new Set<string>() };
  const route = aRoute({ weight: percent(60) });
  expect(act({ route, canary, endpoints: none }).action).toEqual(back);
  const first = { ...step, index: -1, fromIndex: -1, from: percent(0), to: percent(0) };
  const state = aState({ step: { ...first, inForceAt: null } });
  expect(act({ route, canary, state }).action).toEqual({ ...back, to: 0 });
});

test('a raise that was recorded, and paused before it was made, is not made by a resume', () => {
  const raise = { ...step, index: 5, fromIndex: 1, from: percent(5), to: percent(100) };
  const state = aState({ step: { ...raise, inForceAt: null }, requestId: 'promote', pause });
  expect(act({ state, request: request('resume', 2) })).toMatchObject({
    rule: 'resumeRequested',
    action: { kind: 'record', state: { pause: null, step: { index: 5, fromIndex: 1 } } },
  });
});
