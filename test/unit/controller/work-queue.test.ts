import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { createWorkQueue, type WorkQueueOptions } from '../../../src/controller/work-queue.ts';
import { seededRandom } from '../../../src/lib/random.ts';
import { millis, minutes, seconds } from '../../../src/lib/units.ts';
import { settle, virtualClock } from '../../builders/virtual-clock.ts';

/** A queue whose work ends when told. */
function aQueue(options: Partial<WorkQueueOptions> = {}) {
  const clock = virtualClock();
  const started: string[] = [];
  const running = new Map<string, PromiseWithResolvers<void>>();
  const queue = createWorkQueue({
    clock,
    random: seededRandom(1),
    work: (key) => {
      if (running.has(key)) throw new Error(`${key} twice at once`);
      started.push(key);
      const gate = Promise.withResolvers<void>();
      running.set(key, gate);
      return gate.promise;
    },
    ...options,
  });
  const gateOf = (key: string) => {
    const gate = running.get(key);
    running.delete(key);
    return gate;
  };
  const finish = async (key: string) => {
    gateOf(key)?.resolve();
    await settle();
  };
  const fail = async (key: string) => {
    gateOf(key)?.reject(new Error('broken'));
    await settle();
  };
  return { queue, clock, started, running, finish, fail };
}

test('claims before the work starts are one; a claim during it comes afterwards', async () => {
  const { queue, started, finish } = aQueue({ concurrency: 1, reserved: 0 });
  queue.add('a');
  queue.add('b');
  queue.add('b');
  queue.add('a');
  expect(started).toEqual(['a']);
  await finish('a');
  expect(started).toEqual(['a', 'b']);
  await finish('b');
  expect(started).toEqual(['a', 'b', 'a']);
  await finish('a');
  expect(queue.size).toEqual({ ready: 0, delayed: 0, active: 0 });
});

test('tells how long a key has been due, counted from its first claim', async () => {
  const waits: number[] = [];
  const { queue, clock, finish } = aQueue({
    concurrency: 1,
    reserved: 0,
    onStart: (waited) => waits.push(waited),
  });
  queue.add('a');
  queue.add('b');
  await clock.advance(millis(30));
  queue.add('b', 'now');
  await clock.advance(millis(12));
  await finish('a');
  expect(waits).toEqual([0, 42]);
});

test('no more keys at once than allowed, and the lane now has places of its own', () => {
  const { queue, started } = aQueue({ concurrency: 2, reserved: 1 });
  for (const key of ['a', 'b', 'c']) queue.add(key);
  expect(started).toEqual(['a', 'b']);
  queue.add('urgent', 'now');
  queue.add('urgent-too', 'now');
  expect(started).toEqual(['a', 'b', 'urgent']);
});

test('now passes everything that waits, and is kept during the work', async () => {
  const { queue, started, finish } = aQueue({ concurrency: 1, reserved: 0 });
  for (const key of ['a', 'b', 'c', 'd']) queue.add(key);
  queue.add('d', 'now');
  queue.add('a', 'now');
  queue.add('a');
  await finish('a');
  expect(started).toEqual(['a', 'd']);
  await finish('d');
  expect(started).toEqual(['a', 'd', 'a']);
});

test('of several delays the earliest counts', async () => {
  const { queue, clock, started } = aQueue();
  queue.addAfter('a', seconds(10));
  queue.addAfter('a', seconds(3));
  queue.addAfter('a', seconds(20));
  await clock.advance(millis(2999));
  expect(started).toEqual([]);
  await clock.advance(millis(1));
  expect(started).toEqual(['a']);
  expect(clock.pendingTimers()).toBe(0);
});

test('of a wish and a later one that knows more the later one counts', async () => {
  const { queue, clock, started } = aQueue();
  queue.addAfter('a', seconds(3));
  queue.postpone('a', seconds(10));
  await clock.advance(seconds(9));
  expect(started).toEqual([]);
  await clock.advance(seconds(1));
  expect(started).toEqual(['a']);
  queue.addAfter('b', seconds(3));
  queue.postpone('b', millis(0));
  await clock.advance(seconds(10));
  expect(started).toEqual(['a', 'b']);
});

test('a delay of nothing or less is now', () => {
  const { queue, started } = aQueue();
  queue.addAfter('a', millis(0));
  queue.addAfter('b', millis(-5));
  expect(started).toEqual(['a', 'b']);
});

test('a delayed wish survives work on the same key', async () => {
  const { queue, clock, started, finish } = aQueue();
  queue.addAfter('a', seconds(3));
  queue.add('a');
  await finish('a');
  await clock.advance(seconds(3));
  expect(started).toEqual(['a', 'a']);
});

test('pauses double from 5 ms to 30 s per key, and start again after forget', () => {
  const { queue } = aQueue();
  const pauses = Array.from({ length: 16 }, () => queue.retry('a'));
  pauses.forEach((pause, attempt) => {
    const ceiling = Math.min(30_000, 5 * 2 ** attempt);
    expect(pause).toBeGreaterThanOrEqual(ceiling / 2);
    expect(pause).toBeLessThanOrEqual(ceiling);
  });
  expect(queue.retry('b')).toBeLessThanOrEqual(5);
  expect(queue.retry('b', seconds(7))).toBe(7000);
  queue.forget('a');
  expect(queue.retry('a')).toBeLessThanOrEqual(5);
});

test('work that rejects is reported and tried again after a pause', async () => {
  const errors: string[] = [];
  const { queue, clock, started, fail } = aQueue({ onError: (key) => errors.push(key) });
  queue.add('a');
  await fail('a');
  await clock.advance(millis(5));
  expect([errors, started]).toEqual([['a'], ['a', 'a']]);
});

test('a removed key does not come back by its delay', async () => {
  const { queue, clock, started } = aQueue();
  queue.addAfter('a', seconds(1));
  queue.remove('a');
  await clock.advance(minutes(1));
  expect(started).toEqual([]);
});

test('drain takes nothing new, waits for the running and then aborts it', async () => {
  let aborted = false;
  const clock = virtualClock();
  const queue = createWorkQueue({
    clock,
    random: seededRandom(1),
    concurrency: 1,
    work: (_key, signal) =>
      new Promise((resolve) => {
        signal.addEventListener('abort', () => {
          aborted = true;
          resolve();
        });
      }),
  });
  queue.add('a');
  queue.add('b');
  const drained = queue.drain(seconds(4));
  queue.add('c');
  await clock.advance(millis(3999));
  expect(aborted).toBe(false);
  await clock.advance(millis(1));
  await drained;
  expect([aborted, queue.size]).toEqual([true, { ready: 0, delayed: 0, active: 0 }]);
});

type Step =
  | { readonly do: 'add'; readonly key: string; readonly lane: 'now' | 'normal' }
  | { readonly do: 'addAfter'; readonly key: string; readonly span: number }
  | { readonly do: 'finish' | 'fail'; readonly key: string }
  | { readonly do: 'advance'; readonly span: number };
const key = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f');
const span = fc.integer({ min: 0, max: 5000 });
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    fc.record({ do: fc.constant('add' as const), key, lane: fc.constantFrom('now', 'normal') }),
    fc.record({ do: fc.constant('addAfter' as const), key, span }),
    fc.record({ do: fc.constantFrom('finish' as const, 'fail' as const), key }),
    fc.record({ do: fc.constant('advance' as const), span }),
  ),
  { maxLength: 40 },
);

test('no claim is lost, no key is worked on twice at once, no limit is passed', async () => {
  await fc.assert(
    fc.asyncProperty(steps, async (drawn) => {
      const { queue, clock, started, running, finish, fail } = aQueue({
        concurrency: 2,
        reserved: 1,
      });
      /** How often each key had been started when it was last claimed: it must be started again. */
      const claimed = new Map<string, number>();
      const startsOf = (wanted: string) => started.filter((one) => one === wanted).length;
      for (const step of drawn) {
        if (step.do === 'add') {
          claimed.set(step.key, startsOf(step.key));
          queue.add(step.key, step.lane);
        } else if (step.do === 'addAfter') {
          claimed.set(step.key, startsOf(step.key));
          queue.addAfter(step.key, millis(step.span));
        } else if (step.do === 'advance') await clock.advance(millis(step.span));
        else await (step.do === 'finish' ? finish : fail)(step.key);
        expect(running.size).toBeLessThanOrEqual(3);
      }
      // Let everything come to rest; a key that was waiting starts as soon as a place is free.
      for (let round = 0; round < 100 && (running.size > 0 || queue.size.delayed > 0); round += 1) {
        for (const active of running.keys()) await finish(active);
        await clock.advance(seconds(5));
      }
      expect(queue.size).toEqual({ ready: 0, delayed: 0, active: 0 });
      for (const [wanted, before] of claimed) expect(startsOf(wanted)).toBeGreaterThan(before);
    }),
    { numRuns: 150 },
  );
});
