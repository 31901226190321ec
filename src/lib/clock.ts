import { type Instant, instant, type Millis, millis } from './units.ts';

/**
 * Time as the controller sees it. Only this file touches the real clock; simulation brings its own.
 */
export interface Clock {
  /** Wall clock, for what people read and for comparing with sample timestamps. */
  now(): Instant;
  /** Never goes back; for measuring spans and deadlines. */
  monotonic(): Millis;
  /** Runs `callback` after `span`; the returned function cancels it. */
  after(span: Millis, callback: () => void): () => void;
}

/** Longest single timer: Node fires at once when a delay exceeds 2³¹ − 1 ms. */
const longestTimer = 86_400_000;

export const systemClock: Clock = {
  now: () => instant(Date.now()),
  monotonic: () => millis(performance.now()),
  after: (span, callback) => {
    let left = Math.max(0, span);
    let timer: NodeJS.Timeout;
    const arm = () => {
      const slice = Math.min(left, longestTimer);
      timer = setTimeout(() => {
        left -= slice;
        if (left > 0) arm();
        else callback();
      }, slice);
      timer.unref();
    };
    arm();
    return () => clearTimeout(timer);
  },
};

/** Resolves after `span`; rejects with the signal's reason when it is aborted first. */
export function sleep(clock: Clock, span: Millis, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) {
      reject(signal.reason as Error);
      return;
    }
    const onAbort = () => {
      cancel();
      reject(signal?.reason as Error);
    };
    const cancel = clock.after(span, () => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    });
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

/** `work`, with a signal that is aborted after `span`; what it then does is its own affair. */
export async function within<T>(
  clock: Clock,
  span: Millis,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const late = new AbortController();
  const cancel = clock.after(span, () => late.abort());
  try {
    return await work(late.signal);
  } finally {
    cancel();
  }
}
