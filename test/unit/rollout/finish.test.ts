import { expect, test } from 'vitest';
import { percent } from '../../../src/lib/units.ts';
import { decide } from '../../../src/rollout/decide.ts';
import { nextWrite } from '../../../src/rollout/mechanism.ts';
import { pinAnnotation, type Snapshot } from '../../../src/rollout/snapshot.ts';
import { noticeId } from '../../../src/rollout/state.ts';
import type { ConditionView } from '../../../src/rollout/views.ts';
import {
  aDeployment,
  aReplicaSet,
  aRoute,
  aService,
  aSnapshot,
  aState,
  canaryHash,
} from '../../builders/snapshot.ts';

// One write a pass: a process that dies after each of its writes gets to the end all the same.

const step = { ...aState().step, index: 5, fromIndex: 4, to: percent(100) };
/** Adopted, the route restored, the Service unpinned: only the marks are left. */
const adopted = (change: Partial<Snapshot>, conditions: ConditionView[]) => {
  const state = aState({ step });
  const s = aSnapshot({
    adopted: true,
    state,
    canary: aReplicaSet(canaryHash),
    active: [],
    stable: undefined,
    service: aService('web', { selector: { app: 'web' } }),
    canaryService: undefined,
    route: aRoute({ record: undefined, canaryService: undefined, weight: percent(0) }),
    pods: { stable: [], canary: aSnapshot().pods.canary },
    settledNotices: new Set([noticeId(state, 'promotion')]),
    deployment: aDeployment({ conditions }),
    ...change,
  });
  const next = nextWrite(s, decide(s));
  return next.kind === 'write' ? next.action : next;
};
const progressing = (message: string): ConditionView => ({
  type: 'Progressing',
  status: 'True',
  reason: 'NewReplicaSetAvailable',
  message,
});

test('paused at rest, the condition is told before the mark goes', () =>
  expect(adopted({ pauseMode: 'at-rest' }, [])).toMatchObject({
    kind: 'set-progressing',
    progressing: { status: 'True', message: `revision ${canaryHash} serves all requests` },
  }));

test('what was said of the revision before is not enough', () =>
  expect(adopted({ pauseMode: 'at-rest' }, [progressing('revision aaaaaaaaaa')])).toMatchObject({
    kind: 'set-progressing',
  }));

test.each<[string, 'at-rest' | 'on-change', ConditionView[]]>([
  ['when it is told', 'at-rest', [progressing(`revision ${canaryHash} serves all requests`)]],
  ['at once where the Deployment controller tells by itself', 'on-change', []],
])('the mark goes %s', (_when, pauseMode, conditions) =>
  expect(adopted({ pauseMode }, conditions)).toMatchObject({ kind: 'finish-rollout' }),
);

// It was led back while the adoption landed. A gateway that refuses the route keeps nobody waiting.
test('the Service is led to the adopted pods before anything is waited for', () => {
  const service = aService('web', { annotations: { [pinAnnotation]: aDeployment().uid } });
  const route = aRoute({ record: undefined, accepted: false, weight: percent(0) });
  expect(adopted({ service, route }, [])).toEqual({ kind: 'pin-service', podHash: canaryHash });
});
