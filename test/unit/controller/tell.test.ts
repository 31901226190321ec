import { expect, test } from 'vitest';
import { beginEvidence } from '../../../src/analysis/evidence.ts';
import type { ExplainedPoll } from '../../../src/analysis/explained.ts';
import { defaultPolicy } from '../../../src/analysis/policy.ts';
import type { Verdict } from '../../../src/analysis/verdict.ts';
import { emptyMemory } from '../../../src/controller/memory.ts';
import type { Parts } from '../../../src/controller/parts.ts';
import { createPollBook, pollsOf } from '../../../src/controller/poll-book.ts';
import { tell } from '../../../src/controller/tell.ts';
import { decide } from '../../../src/rollout/decide.ts';
import type { Snapshot } from '../../../src/rollout/snapshot.ts';
import type { CheckFigures } from '../../../src/telemetry/metrics.ts';
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

test('intervals reach the metrics as soon as known, and then every ten seconds', () => {
  const { parts } = listening();
  const book = createPollBook();
  const shown: (number | undefined)[] = [];
  const checks = (_rollout: object, all: readonly CheckFigures[]) =>
    void shown.push(all[0]?.excess?.low);
  const telling = { ...parts, polls: book, metrics: { ...noMetrics, checks } } as unknown as Parts;
  const memory = emptyMemory();
  const report = { check: 'errors', dryRun: false, evidence: 1, adds: 1, promotionNeeded: 20 };
  const counts = { canary: { bad: 0, total: 9 }, stable: { bad: 0, total: 99 } };
  const verdict = { ...pass, checks: [{ ...report, ...counts }] };
  const pollAndTell = (second: number, low: number | null) => {
    const excess = low === null ? null : { low, high: 1 };
    const poll = { atMillis: at(second), checks: [{ check: 'errors', excess }] };
    book.add('shop/web', pollsOf(aState()), poll as unknown as ExplainedPoll);
    const s = aSnapshot({ now: at(second), verdict });
    tell(s, decide(s), { kind: 'reached' }, undefined, memory, telling);
  };
  pollAndTell(0, null);
  pollAndTell(1, 0.1);
  pollAndTell(2, 0.2);
  pollAndTell(10, 0.3);
  pollAndTell(11, 0.4);
  expect(shown).toEqual([undefined, 0.1, 0.1, 0.1, 0.4]);
});

test('figures of the checks are written when there is a new poll or verdict, and not else', () => {
  const { parts } = listening();
  const written: string[] = [];
  const checks = (_rollout: object, all: readonly CheckFigures[]) =>
    void written.push(all[0]?.verdict ?? '');
  const telling = { ...parts, metrics: { ...noMetrics, checks } } as unknown as Parts;
  const memory = { ...emptyMemory(), evidence: beginEvidence(defaultPolicy) };
  const report = { check: 'errors', dryRun: false, evidence: 1, adds: 1, promotionNeeded: 20 };
  const counts = { canary: { bad: 0, total: 9 }, stable: { bad: 0, total: 99 } };
  const passAt = (second: number, verdict: Verdict) => {
    const s = aSnapshot({
      now: at(second),
      verdict: { ...verdict, checks: [{ ...report, ...counts }] },
    });
    tell(s, decide(s), { kind: 'reached' }, undefined, memory, telling);
    return written.splice(0);
  };
  expect(passAt(0, pass)).toEqual(['pass']);
  expect(passAt(0.3, pass)).toEqual([]);
  expect(passAt(0.6, fail)).toEqual(['fail']);
  memory.evidence = beginEvidence(defaultPolicy);
  expect(passAt(1, fail)).toEqual(['fail']);
  expect(passAt(2, fail)).toEqual([]);
});
