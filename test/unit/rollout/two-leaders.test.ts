import { expect, test } from 'vitest';
import { percent } from '../../../src/lib/units.ts';
import { decide } from '../../../src/rollout/decide.ts';
import { nextWrite } from '../../../src/rollout/mechanism.ts';
import type { Snapshot } from '../../../src/rollout/snapshot.ts';
import {
  aDeployment,
  aPod,
  aReplicaSet,
  aRoute,
  aService,
  aSnapshot,
  aState,
  at,
  canaryHash,
  stableHash,
  uid,
} from '../../builders/snapshot.ts';

// Paths that the model check has found: what a deposed leader, or a person in a hurry, leaves
// behind must be taken up by whoever looks next.

const act = (change: Partial<Snapshot>) => {
  const s = aSnapshot(change);
  const decision = decide(s);
  const next = nextWrite(s, decision);
  return { rule: decision.rule, action: next.kind === 'write' ? next.action : undefined };
};
const plainRoute = aRoute({ record: undefined, canaryService: undefined, weight: percent(0) });
const over = {
  canary: undefined,
  state: undefined,
  canaryService: undefined,
  route: plainRoute,
  pods: { stable: aSnapshot().pods.stable, canary: [] },
} satisfies Partial<Snapshot>;
const asked = (step: number) =>
  ({ verb: 'promote', revision: canaryHash, step, id: 'a', by: 'ann' }) as const;
const { step } = aState();
const ours = aService('web', { annotations: { 'haldane.dev/pinned-for': uid } });

test('a Service pinned after the rollout was over is released', () => {
  const resting = aDeployment({
    templateHash: stableHash,
    paused: false,
    annotations: { 'haldane.dev/enabled': 'true' },
  });
  expect(act({ ...over, deployment: resting, service: ours })).toMatchObject({
    rule: 'unchanged',
    action: { kind: 'unpin-service' },
  });
  // What its user has pinned is the user's.
  const theirs = aService('web');
  expect(act({ ...over, deployment: resting, service: theirs }).action).toBeUndefined();
});

test('so is one pinned after the rejection', () => {
  const because = { rule: 'evidenceWorse', because: 'worse' };
  const rejections = [{ revision: canaryHash, attempt: 1, ...because }];
  expect(act({ ...over, rejections, service: ours })).toMatchObject({
    rule: 'rejectedBefore',
    action: { kind: 'unpin-service' },
  });
});

test('and one pinned after the opt-out, if the pin is ours', () => {
  const left = { ...over, optedIn: false, deployment: aDeployment({ annotations: {} }) };
  expect(act({ ...left, service: ours }).action).toEqual({ kind: 'unpin-service' });
  expect(act({ ...left, service: aService('web') }).rule).toBe('optedOut');
  expect(act({ ...left, service: aService('web') }).action).toBeUndefined();
});

test('promotion asked for before the canary has its Service', () => {
  const fresh = aState({ step: { ...step, index: -1, fromIndex: -1, inForceAt: null } });
  const change = { state: fresh, route: plainRoute, canaryService: undefined, request: asked(0) };
  expect(act(change)).toMatchObject({
    rule: 'promoteRequested',
    action: { kind: 'create-canary-service' },
  });
});

test('promotion asked for while a weight comes into force starts from that weight', () => {
  const state = aState({ step: { ...step, inForceAt: null } });
  const canary = aReplicaSet(canaryHash, {
    controllerUid: undefined,
    labels: { 'haldane.dev/canary-for': uid },
  });
  const endpoints = { stable: new Set(['x']), canary: new Set(['1', '2', '3', '4']) };
  const first = act({ state, canary, endpoints, request: asked(2) });
  expect(first).toMatchObject({ rule: 'promoteRequested', action: { kind: 'record' } });
  const recorded = first.action?.kind === 'record' ? first.action.state : state;
  expect(recorded.step).toMatchObject({ index: 5, fromIndex: 1, from: 5, to: 100 });
  // The request waits until the route is shifted: it was taken for done, and forgotten.
  expect(act({ state: recorded, canary, endpoints, request: asked(2) })).toMatchObject({
    rule: 'promoteRequested',
    action: { kind: 'shift-route', to: 100 },
  });
});

test('the return after a flinch that was recorded is made', () => {
  const mark = { kind: 'flinch', revision: canaryHash, rule: 'flinch', because: 's', at: at(-9) };
  const route = aRoute({
    weight: percent(1),
    record: { ...(aRoute().record as object), mark } as never,
  });
  const returning = { ...step, fromIndex: 1, from: percent(1), inForceAt: null };
  expect(act({ route, state: aState({ step: returning }) })).toMatchObject({
    rule: 'flinched',
    action: { kind: 'shift-route', from: 1, to: 5 },
  });
});

test('a raise recorded late, over a flinch, leads back to the step that was carried', () => {
  const mark = { kind: 'flinch', revision: canaryHash, rule: 'flinch', because: 's', at: at(-9) };
  const record = { ...(aRoute().record as object), mark } as never;
  const late = { ...step, index: 5, fromIndex: 1, to: percent(100), inForceAt: null };
  const change = { route: aRoute({ weight: percent(1), record }), state: aState({ step: late }) };
  const { rule, action } = act(change);
  expect(rule).toBe('flinched');
  expect(action).toMatchObject({ kind: 'record', state: { step: { index: 1, from: 1, to: 5 } } });
});

test('a canary made anew under a flinch begins with its first step', () => {
  const mark = { kind: 'flinch', revision: canaryHash, rule: 'flinch', because: 's', at: at(-9) };
  const record = { ...(aRoute().record as object), mark } as never;
  const none = { ...step, index: -1, fromIndex: -1, from: percent(0), to: percent(0) };
  const fresh = aState({ step: { ...none, inForceAt: null } });
  const change = { route: aRoute({ weight: percent(1), record }), state: fresh };
  expect(act(change).rule).toBe('firstStep');
});

test('a hand that takes back a flinch does not leave the rollout holding for ever', () => {
  const mark = { kind: 'flinch', revision: canaryHash, rule: 'flinch', because: 's', at: at(-9) };
  const record = { ...(aRoute().record as object), mark } as never;
  expect(act({ route: aRoute({ weight: percent(5), record }) }).rule).toBe('gathering');
  // The raise after it is made, not recorded and taken back in turns.
  const next = { ...step, index: 2, fromIndex: 1, from: percent(5), to: percent(10) };
  const state = aState({ step: { ...next, inForceAt: null } });
  const change = { route: aRoute({ weight: percent(5), record }), state };
  expect(act(change).rule).not.toBe('flinched');
  // More than the step is undone, as it is without a flinch.
  expect(act({ route: aRoute({ weight: percent(50), record }) }).rule).toBe('weightChangedByHand');
});

test('resumed by hand, the Service follows the pods that serve now (T5)', () => {
  const native = aReplicaSet('cccccccccc', { templateHash: canaryHash });
  const pods = { stable: [aPod('cccccccccc', 0)], canary: [aPod(canaryHash, 0)] };
  const change = {
    deployment: aDeployment({ paused: false }),
    stable: native,
    active: [native],
    pods,
    endpoints: { stable: new Set<string>(), canary: new Set(['1']) },
  };
  expect(act(change)).toMatchObject({
    rule: 'resumedByHand',
    action: { kind: 'pin-service', podHash: 'cccccccccc' },
  });
});
