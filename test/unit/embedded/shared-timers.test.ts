import { describe, expect, test } from 'vitest';
import { sharingTimers } from '../../../src/embedded/shared-timers.ts';
import { millis } from '../../../src/lib/units.ts';
import { virtualClock } from '../../builders/virtual-clock.ts';

function aClock() {
  const real = virtualClock();
  const clock = sharingTimers(real);
  const heard: string[] = [];
  const say = (what: string, span: number) =>
    clock.after(millis(span), () => heard.push(`${what} at ${clock.monotonic()}`));
  return { real, clock, heard, say };
}

describe('timers that are shared', () => {
  test('fire in the order they were set, one for each moment', async () => {
    const { real, heard, say } = aClock();
    for (const what of ['a', 'b']) say(what, 5);
    for (const what of ['c', 'd']) say(what, 3);
    expect(real.pendingTimers()).toBe(2);
    await real.advance(millis(5));
    expect(heard).toEqual(['c at 3', 'd at 3', 'a at 5', 'b at 5']);
  });

  test('meet where they are due together, whenever they were set', async () => {
    const { real, heard, say } = aClock();
    say('a', 5);
    await real.advance(millis(2));
    say('b', 3);
    expect(real.pendingTimers()).toBe(1);
    await real.advance(millis(3));
    expect(heard).toEqual(['a at 5', 'b at 5']);
  });

  test('are cancelled each for itself, and together leave nothing behind', async () => {
    const { real, heard, say } = aClock();
    const [a, , c] = ['a', 'b', 'c'].map((what) => say(what, 5));
    a?.();
    a?.();
    await real.advance(millis(5));
    expect(heard).toEqual(['b at 5', 'c at 5']);
    c?.();
    const last = say('d', 5);
    last();
    expect(real.pendingTimers()).toBe(0);
    say('e', 5);
    await real.advance(millis(5));
    expect(heard.at(-1)).toBe('e at 10');
  });

  test('what is set for at once while they fire has a turn of its own', async () => {
    const { real, clock, heard, say } = aClock();
    clock.after(millis(5), () => {
      say('next', 0);
      void Promise.resolve().then(() => heard.push('promise'));
    });
    say('with it', 5);
    await real.advance(millis(5));
    expect(heard).toEqual(['with it at 5', 'promise', 'next at 5']);
  });

  test('one that an earlier one of the same moment cancels does not fire', async () => {
    const { real, clock, heard, say } = aClock();
    let cancel = () => {};
    clock.after(millis(5), () => cancel());
    cancel = say('never', 5);
    await real.advance(millis(5));
    expect(heard).toEqual([]);
  });
});
