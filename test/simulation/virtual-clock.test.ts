import fc from 'fast-check';
import { expect, test } from 'vitest';
import { millis, seconds } from '../../src/lib/units.ts';
import { virtualClock } from '../builders/virtual-clock.ts';

test('timers fire by the moment they are due, then by age; cancelled ones never', async () => {
  const timer = fc.record({ due: fc.nat(50), cancelled: fc.boolean() });
  await fc.assert(
    fc.asyncProperty(fc.array(timer, { maxLength: 60 }), async (timers) => {
      const clock = virtualClock();
      const fired: number[] = [];
      const cancels = timers.map(({ due }, i) => clock.after(millis(due), () => fired.push(i)));
      for (const [i, { cancelled }] of timers.entries()) if (cancelled) cancels[i]?.();
      const kept = [...timers.keys()].filter((i) => timers[i]?.cancelled === false);
      expect(clock.pendingTimers()).toBe(kept.length);
      await clock.advance(millis(50));
      const due = (i: number) => timers[i]?.due ?? 0;
      expect(fired).toEqual(kept.toSorted((a, b) => due(a) - due(b) || a - b));
      expect(clock.pendingTimers()).toBe(0);
    }),
  );
});

test('a chain of promises ends before the next timer fires', async () => {
  const clock = virtualClock();
  const seen: string[] = [];
  clock.after(millis(1), () => {
    let chain = Promise.resolve();
    for (let link = 0; link < 500; link += 1) chain = chain.then(() => undefined);
    void chain.then(() => seen.push('chain'));
  });
  clock.after(millis(1), () => seen.push('timer'));
  await clock.advance(seconds(1));
  expect(seen).toEqual(['chain', 'timer']);
});
