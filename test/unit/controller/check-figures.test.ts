import { expect, test } from 'vitest';
import type { CheckReport } from '../../../src/analysis/verdict.ts';
import { emptyMemory } from '../../../src/controller/memory.ts';
import type { Parts } from '../../../src/controller/parts.ts';
import { createPollBook } from '../../../src/controller/poll-book.ts';
import { summaryOf } from '../../../src/controller/summary.ts';
import { tell } from '../../../src/controller/tell.ts';
import { decide } from '../../../src/rollout/decide.ts';
import type { RolloutState } from '../../../src/rollout/state.ts';
import { decodeState, encodeState } from '../../../src/spec/state-codec.ts';
import { aSnapshot, aState, pass } from '../../builders/snapshot.ts';

test('the record marks a dry run, and keeps the mark', () => {
  const checks = [report('errors', false), report('memory', true)];
  const s = aSnapshot({ verdict: { ...pass, checks } });
  const decided = summaryOf(s, decide(s), aState());
  const read = decodeState(encodeState({ ...aState(), summary: decided }), aState().deploymentUid);
  const { summary } = read as RolloutState;
  expect(summary.checks.map(({ check, dryRun }) => [check, dryRun])).toEqual([
    ['errors', undefined],
    ['memory', true],
  ]);
});

const silent = new Proxy({}, { get: () => () => undefined });
const report = (check: string, dryRun: boolean): CheckReport => ({
  check,
  dryRun,
  canary: { bad: 3, total: 3 },
  stable: { bad: 0, total: 9 },
  evidence: 40,
  adds: dryRun ? 0 : 20,
  promotionNeeded: 20,
});

test('the metrics show what a check adds, and of a dry run what it would say alone', () => {
  let figures: readonly { readonly check: string; readonly evidence: number }[] = [];
  const metrics = new Proxy(
    {},
    {
      get: (_target, name) => (_rollout: unknown, read: () => typeof figures) => {
        if (name === 'checks') figures = read();
      },
    },
  );
  const parts = {
    metrics,
    log: silent,
    events: silent,
    polls: createPollBook(),
    enqueue: () => undefined,
  } as unknown as Parts;
  const checks = [report('errors', false), report('memory', true)];
  const s = aSnapshot({ verdict: { ...pass, checks } });
  tell(s, decide(s), { kind: 'reached' }, undefined, emptyMemory(), parts);
  expect(figures.map(({ check, evidence }) => [check, evidence])).toEqual([
    ['errors', 20],
    ['memory', 40],
  ]);
});
