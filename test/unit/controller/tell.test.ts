import { expect, test } from 'vitest';
import type { PollRecord } from '../../../src/analysis/explained.ts';
import type { Verdict } from '../../../src/analysis/verdict.ts';
import { emptyMemory } from '../../../src/controller/memory.ts';
import type { Parts } from '../../../src/controller/parts.ts';
import { createPollBook, pollsOf } from '../../../src/controller/poll-book.ts';
import { tell } from '../../../src/controller/tell.ts';
import { decide } from '../../../src/rollout/decide.ts';
import type { Snapshot } from '../../../src/rollout/snapshot.ts';
import type { CheckFigures } from '../../../src/telemetry/rollout-gauges.ts';
import { aSnapshot, aState, at, fail, pass } from '../../builders/snapshot.ts';

const noMetrics = {
  rolloutStarted: () => undefined,
  rollout: () => undefined,
  decided: () => undefined,
};

/** Notes what is called; everything else of a pass is silent. */
function listening() {
  const called: string[] = [];
  const noting = (of: string) =>
    new Proxy({}, { get: (_target, name) => () => void called.push(`${of}.${String(name)}`) });
  const parts = {
    metrics: noting('metrics'),
    log: noting('log'),
    events: noting('events'),
    polls: { ...createPollBook(), end: () => void called.push('polls.end') },
    enqueue: () => undefined,
  } as unknown as Parts;
  return { parts, called };
}

test('a canary that is withdrawn leaves the metrics, once', () => {
  const { parts, called } = listening();
  const memory = emptyMemory();
  const say = (s: Snapshot) => {
    called.length = 0;
    tell(s, decide(s), { kind: 'reached' }, undefined, memory, parts);
    return called.filter((one) => /forget|end$|Started/.test(one));
  };
  const running = aSnapshot();
  const gone = aSnapshot({ state: undefined, canary: undefined });
  expect(say(running)).toEqual(['metrics.rolloutStarted']);
  expect(say(gone)).toEqual(['metrics.forget', 'polls.end']);
  expect(say(gone)).toEqual([]);
});

test('figures of the checks are of the last pass, with the intervals of the last poll', () => {
  const { parts } = listening();
  const book = createPollBook();
  let read: () => readonly CheckFigures[] = () => [];
  const checks = (_rollout: object, given: typeof read) => {
    read = given;
  };
  const telling = { ...parts, polls: book, metrics: { ...noMetrics, checks } } as unknown as Parts;
  const report = { check: 'errors', dryRun: false, evidence: 1, adds: 1, promotionNeeded: 20 };
  const counts = { canary: { bad: 0, total: 9 }, stable: { bad: 0, total: 99 } };
  const poll = (second: number, low: number | null) => {
    const excess = () => (low === null ? null : { low, high: 1 });
    const told = { atMillis: at(second), checks: [{ check: 'errors', excess }] };
    book.add('shop/web', pollsOf(aState()), told as unknown as PollRecord);
  };
  const passWith = (verdict: Verdict) => {
    const s = aSnapshot({ verdict: { ...verdict, checks: [{ ...report, ...counts }] } });
    tell(s, decide(s), { kind: 'reached' }, undefined, emptyMemory(), telling);
  };
  poll(0, null);
  passWith(pass);
  expect(read()).toMatchObject([{ check: 'errors', verdict: 'pass' }]);
  expect(read()[0]).not.toHaveProperty('excess');
  poll(1, 0.1);
  passWith(fail);
  expect(read()).toMatchObject([{ verdict: 'fail', excess: { low: 0.1, high: 1 } }]);
});
