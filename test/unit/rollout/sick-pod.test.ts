import { describe, expect, test } from 'vitest';
import { minutes, percent } from '../../../src/lib/units.ts';
import { decide } from '../../../src/rollout/decide.ts';
import { nextWrite } from '../../../src/rollout/mechanism.ts';
import { noticesFor } from '../../../src/rollout/notices.ts';
import { mayWaitForRestart, restartPatience } from '../../../src/rollout/sick-pod.ts';
import type { Snapshot } from '../../../src/rollout/snapshot.ts';
import type { RouteMark } from '../../../src/rollout/views.ts';
import { decodeState, encodeState } from '../../../src/spec/state-codec.ts';
import {
  aPod,
  aRoute,
  aSnapshot,
  aState,
  at,
  canaryHash,
  fail,
  inconclusive,
  uid,
} from '../../builders/snapshot.ts';

const sick = aPod(canaryHash, 0);
const pod = { name: sick.name, uid: sick.uid, restarts: 0 };
const because = `pod ${pod.name} fails alone: 7 of its 12 requests, none of 140 of the others`;
const mark: RouteMark = {
  kind: 'flinch',
  revision: canaryHash,
  rule: 'sickPod',
  because,
  at: at(-60),
  pod,
};
const withMark = (change: Partial<RouteMark> = {}, weight = 0) => {
  const { record, ...route } = aRoute({ weight: percent(weight) });
  if (record === undefined) throw new Error('the route has a record');
  return { ...route, record: { ...record, mark: { ...mark, ...change } } };
};
const restarted = { name: pod.name, uid: pod.uid, exposedRequests: 152, failedRequests: 7 };
const waiting = (change: Partial<Snapshot> = {}): Snapshot =>
  aSnapshot({ route: withMark(), verdict: inconclusive('sick-pod'), ...change });

describe('a rejection that rests upon one pod', () => {
  const found = aSnapshot({ verdict: inconclusive('sick-pod'), sickPod: { pod, because } });

  test('takes all traffic off in one write that remembers the pod', () => {
    const decision = decide(found);
    expect(decision.rule).toBe('sickPod');
    expect(nextWrite(found, decision)).toMatchObject({
      kind: 'write',
      action: { kind: 'flinch-route', to: 0, mark: { kind: 'flinch', rule: 'sickPod', pod } },
    });
  });

  test('waits once, at a step in force, where stable can take all requests', () => {
    expect(mayWaitForRestart(found)).toBe(true);
    const { step } = aState();
    const not: Partial<Snapshot>[] = [
      { state: aState({ restartedPod: restarted }) },
      { state: aState({ step: { ...step, inForceAt: null } }) },
      { state: aState({ step: { ...step, index: 5, to: percent(100) } }) },
      { adopted: true },
      { endpoints: { ...found.endpoints, stable: new Set() } },
      { route: withMark() },
    ];
    expect(not.map((change) => mayWaitForRestart({ ...found, ...change }))).toEqual(
      not.map(() => false),
    );
  });
});

describe('while the pod is waited for', () => {
  test('people are told at once, with the pod and what to do', () => {
    const s = waiting();
    const decision = decide(s);
    expect([decision.rule, decision.goal.kind, decision.phase]).toEqual([
      'restartAwaited',
      'hold',
      'holding',
    ]);
    expect(decision.because).toContain(because);
    expect(decision.because).toContain(`kubectl delete pod ${pod.name} -n shop`);
    expect(noticesFor(s, decision, 0).map(({ kind }) => kind)).toEqual(['hold']);
    expect(nextWrite(s, decision)).toEqual({ kind: 'reached' });
  });

  test('it is rolled back when the time is over', () => {
    const last = waiting({ route: withMark({ at: at(1 - restartPatience / 1000) }) });
    expect(decide(last).goal.kind).toBe('hold');
    const over = waiting({ route: withMark({ at: at(0 - restartPatience / 1000) }) });
    const decision = decide(over);
    expect([decision.rule, decision.goal.kind]).toEqual(['restartAwaited', 'roll-back']);
    expect(decision.because).toBe(`${because}; it was not restarted within 10 min`);
    expect(restartPatience).toBe(minutes(10));
  });

  test('what cannot wait goes first', () => {
    expect(decide(waiting({ verdict: fail })).rule).toBe('evidenceWorse');
    const trouble = { kind: 'crashed', message: 'container web crashed' } as const;
    const crashed = aPod(canaryHash, 1, { trouble });
    const pods = { stable: aSnapshot().pods.stable, canary: [sick, crashed] };
    expect(decide(waiting({ pods })).rule).toBe('podsBroken');
  });

  test('the way back is a raise that is recorded first', () => {
    const s = waiting({ state: aState({ restartedPod: restarted }) });
    const decision = decide(s);
    expect([decision.rule, decision.goal]).toEqual(['restartAwaited', { kind: 'carry', index: 1 }]);
    expect(nextWrite(s, decision)).toMatchObject({
      action: {
        kind: 'record',
        state: { restartedPod: restarted, step: { index: 1, from: 0, to: 5, inForceAt: null } },
      },
    });
  });

  // A leader that was deposed had seen the route before the cut: found by the model check.
  test('a raise that is recorded late brings nothing back while the pod is there', () => {
    const step = { index: 2, fromIndex: 1, from: percent(5), to: percent(10) };
    const late = aState({ step: { ...aState().step, ...step, inForceAt: null } });
    expect(decide(waiting({ state: late })).goal.kind).toBe('hold');
    const decision = decide(waiting({ state: { ...late, restartedPod: restarted } }));
    expect(decision.goal).toEqual({ kind: 'carry', index: 1 });
  });

  test('a weight that is back ends it, whoever raised it', () => {
    expect(decide(waiting({ route: withMark({}, 5) })).rule).not.toBe('restartAwaited');
  });
});

test('the pod that was restarted is part of the record', () => {
  const state = aState({ restartedPod: restarted, alphaShare: 0.5 });
  expect(decodeState(encodeState(state), uid)).toEqual(state);
});
