import type { Clock } from '../lib/clock.ts';
import { millis } from '../lib/units.ts';

type Call = { readonly callback: () => void; cancelled: boolean };

/** Calls that are made one after another when their one timer fires. */
type Batch = { readonly due: number; readonly calls: Call[]; live: number; cancel: () => void };

/**
 * The same clock with one timer for all that is set one after another for the same moment: one
 * commit goes to many watches and wakes several controllers, and a timer for each would cost more
 * than what it does.
 */
export function sharingTimers(clock: Clock): Clock {
  let last: Batch | undefined;
  const open = (due: number, span: number): Batch => {
    const batch: Batch = { due, calls: [], live: 0, cancel: () => {} };
    batch.cancel = clock.after(millis(span), () => {
      // What is set from now on is for a turn of its own, even if it is due at once.
      if (last === batch) last = undefined;
      for (const call of batch.calls) if (!call.cancelled) call.callback();
    });
    return batch;
  };
  return {
    now: () => clock.now(),
    monotonic: () => clock.monotonic(),
    after: (span, callback) => {
      const wait = Math.max(0, span);
      const due = clock.monotonic() + wait;
      const batch = last?.due === due && last.live > 0 ? last : (last = open(due, wait));
      const call = { callback, cancelled: false };
      batch.calls.push(call);
      batch.live += 1;
      return () => {
        if (call.cancelled) return;
        call.cancelled = true;
        batch.live -= 1;
        if (batch.live === 0) batch.cancel();
      };
    },
  };
}
