import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { OperatingError } from '../../../src/lib/errors.ts';
import { seededRandom } from '../../../src/lib/random.ts';
import { millis, minutes, seconds } from '../../../src/lib/units.ts';
import { type OutboxLimits, outboxLimits } from '../../../src/notifiers/lane.ts';
import type { Notifier } from '../../../src/notifiers/notifier.ts';
import { createOutbox } from '../../../src/notifiers/outbox.ts';
import type { Notice, NoticeKind } from '../../../src/rollout/notice.ts';
import { aNotice } from '../../builders/notice.ts';
import { virtualClock } from '../../builders/virtual-clock.ts';

const down = new OperatingError('NOTIFY_FAILED', 'no answer: ECONNREFUSED');
const throttled = (millis: number) =>
  new OperatingError('NOTIFY_THROTTLED', 'refused with HTTP 429', { retryAfterMillis: millis });
const refused = new OperatingError('NOTIFY_FAILED', 'refused with HTTP 400', { retry: 'never' });

type Answer = (notice: Notice, signal: AbortSignal) => Promise<void>;
const accept: Answer = async () => undefined;
const hang: Answer = () => new Promise(() => undefined);

/** An outbox with one notifier called `chat` per answer, and a record of what happened. */
function setup(
  answers: Readonly<Record<string, Answer>>,
  limits: Partial<OutboxLimits> = {},
  more: Readonly<Record<string, Pick<Notifier, 'events' | 'timeout'>>> = {},
) {
  const clock = virtualClock();
  const sent: string[] = [];
  const settled: string[] = [];
  const tried: string[] = [];
  const faults: unknown[] = [];
  const depth = new Map<string, number>();
  const notifiers = Object.entries(answers).map(
    ([name, answer]): Notifier => ({
      name,
      ...more[name],
      send: async (notice, signal) => {
        sent.push(`${name}:${notice.id}@${clock.monotonic()}`);
        await answer(notice, signal);
      },
    }),
  );
  const outbox = createOutbox({
    notifiers,
    defaults: Object.keys(answers),
    clock,
    random: seededRandom(7),
    observer: {
      tried: (name, notice, outcome) => void tried.push(`${name}:${notice.id}:${outcome}`),
      depth: (name, waiting) => void depth.set(name, waiting),
      callbackFailed: (error) => void faults.push(error),
    },
    onSettled: (id, settlement) => {
      settled.push(`${id}:${settlement}`);
      if (id === 'trap') throw new Error('callback');
    },
    limits: { ...outboxLimits, ...limits },
  });
  const tell = (id: string, kind: NoticeKind = 'hold', names: readonly string[] = []) =>
    outbox.enqueue(aNotice({ id, kind, notifiers: names }));
  return { clock, outbox, tell, sent, settled, tried, depth, faults };
}

/** Fails `times`, then accepts. */
const failing = (times: number, error: Error): Answer => {
  let left = times;
  return async () => {
    left -= 1;
    if (left >= 0) throw error;
  };
};

test('enqueueing sends nothing within the call and settles afterwards', async () => {
  const { clock, tell, sent, settled, depth } = setup({ chat: accept });
  tell('a');
  expect(sent).toEqual([]);
  await clock.advance(millis(0));
  expect(sent).toEqual(['chat:a@0']);
  expect(settled).toEqual(['a:delivered']);
  expect(depth.get('chat')).toBe(0);
  expect(clock.pendingTimers()).toBe(0);
});

test('the same id is sent once: while it waits, is tried, and after it was settled', async () => {
  const { clock, tell, sent, settled } = setup({ chat: failing(1, down) });
  tell('a');
  tell('a');
  await clock.advance(millis(0));
  tell('a');
  await clock.advance(seconds(5));
  tell('a');
  await clock.advance(seconds(5));
  expect(sent).toHaveLength(2);
  expect(settled).toEqual(['a:delivered', 'a:delivered']);
});

test('a notifier that hangs is left after 5 s, and delays no other notifier', async () => {
  const { clock, tell, sent, settled } = setup({ dead: hang, chat: accept });
  tell('a', 'rollback');
  tell('b', 'rollback', ['chat']);
  await clock.advance(millis(0));
  expect(settled).toEqual(['b:delivered']);
  await clock.advance(minutes(2));
  expect(sent.filter((line) => line.startsWith('chat'))).toHaveLength(2);
  const dead = sent
    .filter((line) => line.startsWith('dead'))
    .map((line) => Number(line.split('@')[1]));
  expect(dead.length).toBeGreaterThan(4);
  expect(dead[1]).toBeGreaterThanOrEqual(5500);
  expect(dead[1]).toBeLessThanOrEqual(6000);
});

test('a hung try is told to stop', async () => {
  let aborted = false;
  const { clock, tell } = setup({
    chat: (_notice, signal) =>
      new Promise(() => signal.addEventListener('abort', () => void (aborted = true))),
  });
  tell('a');
  await clock.advance(millis(4999));
  expect(aborted).toBe(false);
  await clock.advance(millis(1));
  expect(aborted).toBe(true);
});

test('pauses grow with jitter, and Retry-After is never undercut', async () => {
  const answers = [down, down, down, throttled(30_000)];
  const { clock, tell, sent, settled } = setup({
    chat: async () => {
      const next = answers.shift();
      if (next !== undefined) throw next;
    },
  });
  tell('a');
  await clock.advance(minutes(2));
  const times = sent.map((line) => Number(line.split('@')[1]));
  const gaps = times.slice(1).map((time, i) => time - (times[i] ?? 0));
  for (const [i, longest] of [1000, 2000, 4000].entries()) {
    expect(gaps[i]).toBeGreaterThanOrEqual(longest / 2);
    expect(gaps[i]).toBeLessThanOrEqual(longest);
  }
  expect(gaps[3]).toBe(30_000);
  expect(settled).toEqual(['a:delivered']);
});

test('after a success pauses begin anew', async () => {
  const answers = [down, down, down, down, undefined, down];
  const { clock, tell, sent } = setup({
    chat: async () => {
      const next = answers.shift();
      if (next !== undefined) throw next;
    },
  });
  tell('a');
  await clock.advance(minutes(1));
  tell('b');
  await clock.advance(millis(1000));
  expect(sent.map((line) => line.split('@')[0])).toEqual([
    ...Array.from({ length: 5 }, () => 'chat:a'),
    'chat:b',
    'chat:b',
  ]);
});

test('a Retry-After holds for what is enqueued meanwhile, even a rollback', async () => {
  const { clock, tell, sent } = setup({ chat: failing(1, throttled(20_000)) });
  tell('a');
  await clock.advance(seconds(1));
  tell('b', 'rollback');
  await clock.advance(seconds(18));
  expect(sent).toEqual(['chat:a@0']);
  await clock.advance(seconds(1));
  expect(sent).toEqual(['chat:a@0', 'chat:b@20000', 'chat:a@20000']);
});

test('after an hour of failures a notice is given up', async () => {
  const { clock, tell, settled, tried } = setup({
    chat: async () => {
      throw down;
    },
  });
  tell('a');
  await clock.advance(minutes(58));
  expect(settled).toEqual([]);
  await clock.advance(minutes(3));
  expect(settled).toEqual(['a:given-up']);
  expect(tried.at(-1)).toBe('chat:a:given-up');
  await clock.advance(minutes(60));
  expect(clock.pendingTimers()).toBe(0);
});

test('a Retry-After beyond the hour gives up at once', async () => {
  const { clock, tell, settled } = setup({ chat: failing(9, throttled(86_400_000)) });
  tell('a');
  await clock.advance(seconds(1));
  expect(settled).toEqual(['a:given-up']);
});

test('a notice that is refused for good is not tried again and delays no other', async () => {
  const { clock, tell, sent, settled } = setup({ chat: failing(1, refused) });
  tell('a');
  tell('b');
  await clock.advance(millis(0));
  expect(sent).toEqual(['chat:a@0', 'chat:b@0']);
  expect(settled).toEqual(['a:given-up', 'b:delivered']);
});

test('one notice that always fails does not keep the others waiting for an hour', async () => {
  const { clock, tell, settled } = setup({
    chat: async (notice) => {
      if (notice.id === 'poison') throw down;
    },
  });
  tell('poison', 'rollback');
  tell('b', 'rollback');
  tell('c');
  await clock.advance(seconds(30));
  expect(settled).toEqual(['b:delivered', 'c:delivered']);
});

test('rollbacks go first', async () => {
  const { clock, tell, sent } = setup({ chat: failing(1, down) });
  tell('a');
  tell('b');
  await clock.advance(millis(0));
  tell('c', 'rollback');
  await clock.advance(seconds(2));
  expect(sent.map((line) => line.split('@')[0])).toEqual(['chat:a', 'chat:c', 'chat:a', 'chat:b']);
});

test('several notifiers: settled when the last has ended, given up if any gave up', async () => {
  const { clock, tell, settled } = setup({
    chat: accept,
    hook: failing(9, refused),
    slow: failing(1, down),
  });
  tell('both', 'hold', ['chat', 'slow']);
  tell('mixed', 'hold', ['chat', 'hook']);
  await clock.advance(millis(0));
  expect(settled).toEqual(['mixed:given-up']);
  await clock.advance(seconds(1));
  expect(settled).toEqual(['mixed:given-up', 'both:delivered']);
});

test('a notifier gets the kinds of notices it is meant for, within its own time', async () => {
  const { clock, tell, sent, settled } = setup(
    { chat: accept, pager: hang },
    {},
    { pager: { events: ['rollback'], timeout: seconds(2) } },
  );
  tell('a', 'hold');
  tell('b', 'rollback');
  await clock.advance(seconds(4));
  expect(settled).toEqual(['a:delivered']);
  const paged = sent.filter((line) => line.startsWith('pager'));
  expect(paged).toHaveLength(2);
  expect(paged.every((line) => line.startsWith('pager:b@'))).toBe(true);
});

test('no notifier at all: settled; an unknown one: dropped and given up', async () => {
  const { clock, outbox, tell, settled, tried } = setup({});
  tell('none');
  outbox.enqueue(aNotice({ id: 'lost', notifiers: ['gone'] }));
  await clock.advance(millis(0));
  expect(settled).toEqual(['none:delivered', 'lost:given-up']);
  expect(tried).toEqual(['gone:lost:dropped']);
});

test('a callback that throws is reported and stops nothing', async () => {
  const { clock, tell, settled, faults } = setup({ chat: accept });
  tell('trap');
  tell('b');
  await clock.advance(millis(0));
  expect(faults).toHaveLength(1);
  expect(settled).toEqual(['trap:delivered', 'b:delivered']);
});

test('a notifier that throws something else is tried again like any other', async () => {
  const { clock, tell, settled } = setup({ chat: failing(1, new TypeError('bug')) });
  tell('a');
  await clock.advance(seconds(2));
  expect(settled).toEqual(['a:delivered']);
});

describe('when it is full', () => {
  const full = async (kinds: readonly NoticeKind[]) => {
    const world = setup({ chat: hang }, { waiting: 3 });
    for (const [i, kind] of kinds.entries()) {
      world.tell(`${i}`, kind);
      await world.clock.advance(millis(0));
    }
    return world;
  };

  test.each<[what: string, kinds: readonly NoticeKind[], dropped: string[]]>([
    ['at the limit nothing is dropped', ['hold', 'hold', 'hold'], []],
    ['the oldest waiting goes, never the one being tried', ['hold', 'hold', 'hold', 'hold'], ['1']],
    ['a rollback stays', ['hold', 'rollback', 'hold', 'hold'], ['2']],
    [
      'a newcomer goes when all others are rollbacks',
      ['rollback', 'rollback', 'rollback', 'hold'],
      ['3'],
    ],
    [
      'the oldest rollback goes for a new one',
      ['rollback', 'rollback', 'rollback', 'rollback'],
      ['1'],
    ],
  ])('%s', async (_what, kinds, dropped) => {
    const { settled, tried, depth } = await full(kinds);
    expect(settled).toEqual(dropped.map((id) => `${id}:given-up`));
    expect(tried).toEqual(dropped.map((id) => `chat:${id}:dropped`));
    expect(depth.get('chat')).toBe(3);
  });

  test('1000 wait by default, and one more makes room', async () => {
    const { clock, tell, depth, tried } = setup({ chat: hang });
    for (let i = 0; i <= 1000; i += 1) tell(`${i}`);
    await clock.advance(millis(0));
    expect(depth.get('chat')).toBe(1000);
    expect(tried).toEqual(['chat:0:dropped']);
  });
});

describe('at the end', () => {
  test('what waits out a pause gets one more try, and is not settled when it fails', async () => {
    const { clock, outbox, tell, sent, settled } = setup({ chat: failing(99, down) });
    tell('a');
    tell('b');
    await clock.advance(millis(0));
    const stopped = outbox.stop(seconds(3));
    await clock.advance(seconds(3));
    expect(await stopped).toBe(2);
    expect(sent).toHaveLength(3);
    expect(settled).toEqual([]);
    tell('c');
    await clock.advance(minutes(5));
    expect(sent).toHaveLength(3);
    expect(clock.pendingTimers()).toBe(0);
  });

  test('what is accepted in time is settled', async () => {
    const { clock, outbox, tell, settled } = setup({ chat: failing(1, down) });
    tell('a');
    tell('b');
    await clock.advance(millis(0));
    const stopped = outbox.stop(seconds(3));
    await clock.advance(millis(0));
    expect(await stopped).toBe(0);
    expect(settled).toEqual(['a:delivered', 'b:delivered']);
  });

  test('a try that hangs is cut at the bound', async () => {
    const { clock, outbox, tell } = setup({ chat: hang });
    tell('a');
    const stopped = outbox.stop(seconds(2));
    await clock.advance(seconds(2));
    expect(await stopped).toBe(1);
  });

  test('an idle outbox stops at once', async () => {
    expect(await setup({ chat: accept }).outbox.stop(seconds(2))).toBe(0);
  });
});

const drawnNotice = fc.record({
  id: fc.integer({ min: 0, max: 12 }),
  kind: fc.constantFrom<NoticeKind>('rollback', 'hold', 'promotion'),
  wait: fc.integer({ min: 0, max: 20_000 }),
});

test('whatever fails: every id settles exactly once, and is accepted at most once', () =>
  fc.assert(
    fc.asyncProperty(
      fc.array(drawnNotice, { minLength: 1, maxLength: 25 }),
      fc.infiniteStream(fc.constantFrom('ok', 'ok', 'down', 'throttled', 'refused', 'hang')),
      async (notices, fates) => {
        const accepted: string[] = [];
        const { clock, tell, settled } = setup(
          {
            chat: async (notice, signal) => {
              const fate = fates.next().value;
              if (fate === 'down') throw down;
              if (fate === 'throttled') throw throttled(3000);
              if (fate === 'refused') throw refused;
              if (fate === 'hang') await hang(notice, signal);
              accepted.push(notice.id);
            },
          },
          { waiting: 4 },
        );
        const told = new Set<string>();
        for (const { id, kind, wait } of notices) {
          if (!told.has(`${id}`)) tell(`${id}`, kind);
          told.add(`${id}`);
          await clock.advance(millis(wait));
        }
        await clock.advance(minutes(180));
        expect(settled).toHaveLength(told.size);
        expect(new Set(settled.map((line) => line.split(':')[0]))).toEqual(told);
        expect(new Set(accepted).size).toBe(accepted.length);
        for (const id of accepted) expect(settled).toContain(`${id}:delivered`);
      },
    ),
    { numRuns: 100 },
  ));

test('of a try nothing stays in memory', async () => {
  const signals: WeakRef<AbortSignal>[] = [];
  const note: Answer = async (_notice, signal) => void signals.push(new WeakRef(signal));
  const { clock, outbox, tell, settled } = setup({ chat: note });
  for (const id of ['a', 'b', 'c']) tell(id);
  await clock.advance(minutes(1));
  expect(settled).toHaveLength(3);
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  expect(signals.map((signal) => signal.deref())).toEqual([undefined, undefined, undefined]);
  await outbox.stop(seconds(1));
});
