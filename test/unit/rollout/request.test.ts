import { describe, expect, test } from 'vitest';
import { percent } from '../../../src/lib/units.ts';
import { decide } from '../../../src/rollout/decide.ts';
import { nextWrite } from '../../../src/rollout/mechanism.ts';
import { refusal } from '../../../src/rollout/request.ts';
import type { RequestVerb } from '../../../src/rollout/rollout-spec.ts';
import { noticeId, type RolloutState } from '../../../src/rollout/state.ts';
import {
  aPod,
  aReplicaSet,
  aRoute,
  aSnapshot,
  aState,
  at,
  canaryHash,
  uid,
} from '../../builders/snapshot.ts';

const canaryPods = [0, 1, 2, 3].map((i) => aPod(canaryHash, i));
/** The second of five steps is in force; the canary has pods for any weight. */
function asked(verb: RequestVerb, state: RolloutState, weight: number) {
  return aSnapshot({
    request: { verb, revision: canaryHash, step: 2, id: 'one', by: 'ada' },
    state,
    route: aRoute({ weight: percent(weight) }),
    canary: aReplicaSet(canaryHash, {
      controllerUid: undefined,
      labels: { 'haldane.dev/canary-for': uid },
      replicas: verb === 'promote' ? 4 : 1,
    }),
    pods: { stable: aSnapshot().pods.stable, canary: canaryPods },
    endpoints: { ...aSnapshot().endpoints, canary: new Set(canaryPods.map((pod) => pod.uid)) },
  });
}

describe.each(['skip-step', 'promote'] as const)('%s', (verb) => {
  const index = verb === 'promote' ? 5 : 2;
  const to = percent(verb === 'promote' ? 100 : 10);

  test('records the raise and the request, then shifts, and is then done', () => {
    const first = asked(verb, aState(), 5);
    const write = nextWrite(first, decide(first));
    expect(write).toMatchObject({
      action: { kind: 'record', state: { requestId: 'one', step: { index, to } } },
    });
    const state = (write as { readonly action: { readonly state: RolloutState } }).action.state;

    const recorded = asked(verb, state, 5);
    expect(nextWrite(recorded, decide(recorded))).toMatchObject({
      action: { kind: 'shift-route', from: 5, to },
    });
    expect(refusal(recorded)).toBeUndefined();

    const shifted = asked(verb, state, to);
    expect(decide(shifted).rule).toBe(verb === 'promote' ? 'promoting' : 'weightNotInForce');
    expect(refusal(shifted)).toBeUndefined();
  });

  test('that was taken raises nothing at the next step', () => {
    const step = { index: 2, fromIndex: 1, from: percent(5), to: percent(10), raisedAt: at(-5) };
    const state = aState({ requestId: 'one', step: { ...step, inForceAt: at(-4) } });
    expect(decide(asked(verb, state, 10)).rule).toBe('gathering');
    const raising = { index: 3, fromIndex: 2, from: percent(10), to: percent(25) };
    const next = aState({
      requestId: 'one',
      step: { ...raising, raisedAt: at(-1), inForceAt: null },
    });
    expect(decide(asked(verb, next, 10)).rule).toBe('gathering');
  });
});

test('a revision that comes again has notices of its own', () => {
  const again = aState({ startedAt: at(500) });
  expect(noticeId(again, 'promotion')).not.toBe(noticeId(aState(), 'promotion'));
});
