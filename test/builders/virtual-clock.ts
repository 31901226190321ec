import type { Clock } from '../../src/lib/clock.ts';
import { type Instant, instant, type Millis, millis } from '../../src/lib/units.ts';

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
  readonly pendingTimers: number;
}

interface Timer {
  readonly due: number;
  readonly order: number;
  readonly callback: () => void;
}

/** A clock that moves only when told. Starts at 2026-01-01T00:00:00Z. */
export function virtualClock(start: Instant = instant(1_767_225_600_000)): VirtualClock {
  let now = 0;
  let wallOffset: number = start;
  let order = 0;
  const timers = new Set<Timer>();
  const earliest = (): Timer | undefined => {
    let first: Timer | undefined;
    for (const timer of timers) {
      const sooner =
        first === undefined ||
        timer.due < first.due ||
        (timer.due === first.due && timer.order < first.order);
      if (sooner) first = timer;
    }
    return first;
  };
  const fire = async (timer: Timer) => {
    timers.delete(timer);
    now = Math.max(now, timer.due);
    timer.callback();
    await settle();
  };
  return {
    now: () => instant(Math.floor(now + wallOffset)),
    monotonic: () => millis(now),
    after: (span, callback) => {
      const timer = { due: now + Math.max(0, span), order: order++, callback };
      timers.add(timer);
      return () => timers.delete(timer);
    },
    advance: async (span) => {
      const end = now + span;
      await settle();
      for (let next = earliest(); next !== undefined && next.due <= end; next = earliest()) {
        await fire(next);
      }
      now = Math.max(now, end);
      await settle();
    },
    runUntil: async (done, span) => {
      const end = now + span;
      await settle();
      while (!done()) {
        const next = earliest();
        if (next === undefined || next.due > end) throw new Error(`not within ${span} ms`);
        await fire(next);
      }
    },
    stall: (span) => {
      now += span;
    },
    shiftWall: (span) => {
      wallOffset += span;
    },
    get pendingTimers() {
      return timers.size;
    },
  };
}

/**
 * Lets chains of promises run to their end: one turn of the event loop runs all that is queued
 * before it.
 */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 3; turn += 1) {
    await new Promise((resolve) => setImmediate(resolve));
  }
}
