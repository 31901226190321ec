import type { Clock } from '../../src/lib/clock.ts';
import { type Instant, instant, type Millis, millis } from '../../src/lib/units.ts';
import { TimerHeap } from './timer-heap.ts';

export interface VirtualClock extends Clock {
  /** Runs everything due within `span`, in order; promises settle between two timers. */
  advance(span: Millis): Promise<void>;
  /**
   * Moves on to each next timer until `done`, at most `span` ahead. Rejects when it never comes
   * true.
   */
  runUntil(done: () => boolean, span: Millis): Promise<void>;
  /**
   * Time passes and nothing runs, as when the process is stopped; what is overdue runs at the next
   * advance.
   */
  stall(span: Millis): void;
  /** Shifts the wall clock alone, as a correction by NTP does. */
  shiftWall(span: Millis): void;
  pendingTimers(): number;
}

/** A clock that moves only when told. Starts at 2026-01-01T00:00:00Z. */
export function virtualClock(start: Instant = instant(1_767_225_600_000)): VirtualClock {
  let now = 0;
  let wallOffset: number = start;
  const timers = new TimerHeap();
  /** Fires the next timer that is due by `end`, if there is one. */
  const fireNext = (end: number): boolean => {
    const next = timers.peek();
    if (next === undefined || next.due > end) return false;
    timers.take();
    now = Math.max(now, next.due);
    next.callback();
    return true;
  };
  return {
    now: () => instant(Math.floor(now + wallOffset)),
    monotonic: () => millis(now),
    after: (span, callback) => {
      const timer = timers.add(now + Math.max(0, span), callback);
      return () => timers.cancel(timer);
    },
    advance: async (span) => {
      const end = now + span;
      await settling(() => fireNext(end));
      now = Math.max(now, end);
      await settle();
    },
    runUntil: async (done, span) => {
      const end = now + span;
      await settling(() => {
        if (done()) return false;
        if (fireNext(end)) return true;
        throw new Error(`not within ${span} ms`);
      });
    },
    stall: (span) => {
      now += span;
    },
    shiftWall: (span) => {
      wallOffset += span;
    },
    pendingTimers: () => timers.size,
  };
}

/**
 * Lets chains of promises run to their end. All that promises alone can bring about happens before
 * the next turn of the event loop: nothing in virtual time waits for the outside.
 */
export const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/**
 * A turn of the event loop costs as much as the work of a timer: so many steps share one. Most
 * spans end after a few, and what is asked for beyond the end is for nothing: the first turns are
 * short.
 */
const stepsOfTurn = { first: 4, most: 32 };

/** Calls `step` until it says false; promises settle before each call. Rejects when it throws. */
function settling(step: () => boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    let over = false;
    const one = () => {
      if (over) return;
      try {
        over = !step();
        if (over) resolve();
      } catch (error) {
        over = true;
        reject(error);
      }
    };
    // Between the callbacks of one turn all promises settle, as between two turns.
    const turn = (steps: number) => {
      for (let left = steps; left > 0; left -= 1) setImmediate(one);
      setImmediate(() => {
        if (!over) turn(Math.min(2 * steps, stepsOfTurn.most));
      });
    };
    turn(stepsOfTurn.first);
  });
}
