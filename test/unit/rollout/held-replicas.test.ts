import { expect, test } from 'vitest';
import { percent } from '../../../src/lib/units.ts';
import { decide } from '../../../src/rollout/decide.ts';
import { nextWrite } from '../../../src/rollout/mechanism.ts';
import {
  aDeployment,
  aReplicaSet,
  aRoute,
  aSnapshot,
  aSpec,
  aState,
  canaryHash,
  uid,
} from '../../builders/snapshot.ts';

/** 20 % is held; 50 % would be next. */
function held(replicas: number, canary: number) {
  const spec = aSpec({ steps: [10, 20, 50].map(percent) });
  const s = aSnapshot({
    spec,
    state: aState({ spec, step: { ...aState().step, to: percent(20) } }),
    route: aRoute({ weight: percent(20) }),
    deployment: aDeployment({ replicas }),
    canary: aReplicaSet(canaryHash, {
      controllerUid: undefined,
      replicas: canary,
      labels: { 'haldane.dev/canary-for': uid },
    }),
  });
  const next = nextWrite(s, decide(s));
  if (next.kind !== 'write') return canary;
  return next.action.kind === 'scale-canary' ? next.action.replicas : next.action.kind;
}

test.each<[what: string, replicas: number, canary: number, after: number]>([
  ['enough for the weight', 10, 2, 2],
  ['too few after the Deployment grew', 20, 2, 4],
  ['already enough for the next step, whose raise was cut short', 10, 5, 5],
  ['more than the next step needs after the Deployment shrank', 4, 5, 2],
])('%s', (_what, replicas, canary, after) => expect(held(replicas, canary)).toBe(after));
