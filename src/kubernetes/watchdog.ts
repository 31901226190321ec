import type { Clock } from '../lib/clock.ts';
import { type Millis, millis } from '../lib/units.ts';

export interface Watchdog {
  /** Aborted when nothing fed it for the whole limit. */
  readonly signal: AbortSignal;
  /** `at`: when the sign of life happened, if not now. */
  feed(at?: Millis): void;
  stop(): void;
  /** Aborts it at once, for another reason. */
  end(reason: Error): void;
}

/** Aborts `signal` for `reason` after `limit` without a sign of life. Feeding costs no timer. */
export function watchdog(clock: Clock, limit: Millis, reason: () => Error): Watchdog {
  const controller = new AbortController();
  let fedAt = clock.monotonic();
  let cancel = () => {};
  const arm = (left: Millis) => {
    cancel = clock.after(left, () => {
      const rest = limit - (clock.monotonic() - fedAt);
      if (rest > 0) arm(millis(rest));
      else controller.abort(reason());
    });
  };
  arm(limit);
  return {
    signal: controller.signal,
    feed: (at = clock.monotonic()) => {
      fedAt = at;
    },
    stop: () => cancel(),
    end: (because) => controller.abort(because),
  };
}
