import { expect, test } from 'vitest';
import { emptyMemory } from '../../../src/controller/memory.ts';
import type { Parts } from '../../../src/controller/parts.ts';
import { createPollBook } from '../../../src/controller/poll-book.ts';
import { tell } from '../../../src/controller/tell.ts';
import { decide } from '../../../src/rollout/decide.ts';
import type { Snapshot } from '../../../src/rollout/snapshot.ts';
import { aSnapshot } from '../../builders/snapshot.ts';

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
