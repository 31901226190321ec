import { describe, expect, test } from 'vitest';
import { decide } from '../../../src/rollout/decide.ts';
import { nextWrite } from '../../../src/rollout/mechanism.ts';
import { invalidMark, invalidNoticeId, noticesFor } from '../../../src/rollout/notices.ts';
import type { Snapshot } from '../../../src/rollout/snapshot.ts';
import {
  aDeployment,
  aRoute,
  aService,
  aSnapshot,
  at,
  stableHash,
} from '../../builders/snapshot.ts';

const problems = [{ key: 'haldane.dev/service', message: 'no Service selects the pods of web' }];
const atRest = (change: Partial<Snapshot>, annotations: Record<string, string> = {}) =>
  aSnapshot({
    canary: undefined,
    state: undefined,
    verdict: undefined,
    route: aRoute({ record: undefined, canaryService: undefined }),
    service: aService('web', { selector: { app: 'web' } }),
    deployment: aDeployment({
      templateHash: stableHash,
      paused: false,
      annotations: { 'haldane.dev/enabled': 'true', ...annotations },
    }),
    ...change,
  });
const told = (s: Snapshot) => noticesFor(s, decide(s), 0).map(({ kind }) => kind);
const next = (s: Snapshot) => nextWrite(s, decide(s));

describe('a problem', () => {
  test('is told when it has lasted, for objects that are applied together come one by one', () => {
    expect(told(atRest({ problems, problemsSince: at(-2.9) }))).toEqual([]);
    expect(told(atRest({ problems, problemsSince: at(-3) }))).toEqual(['invalid']);
  });

  test('is looked at again until it has lasted', () => {
    expect(next(atRest({ problems, problemsSince: at(0) }))).toMatchObject({
      kind: 'wait',
      lookAgain: 3000,
    });
  });

  test('is told once: the Deployment remembers', () => {
    const s = atRest({ problems, problemsSince: at(-3) });
    const id = invalidNoticeId(s);
    expect(next({ ...s, settledNotices: new Set([id]) })).toMatchObject({
      action: { kind: 'mark-notified', id: invalidMark(s) },
    });
    const marked = atRest(
      { problems, problemsSince: at(-3) },
      { 'haldane.dev/notified': invalidMark(s) },
    );
    expect(told(marked)).toEqual([]);
    expect(next(marked)).toEqual({ kind: 'reached' });
  });

  test('that is over leaves no mark', () => {
    expect(next(atRest({}, { 'haldane.dev/notified': 'x' }))).toMatchObject({
      action: { kind: 'mark-notified', id: null },
    });
    expect(next(atRest({}))).toEqual({ kind: 'reached' });
  });
});
