import { type Instant, type Millis, millis } from '../lib/units.ts';
import type { Reading } from './metric-source.ts';
import type { PollStream } from './poll-stream.ts';

// When a source is asked for the samples of the next poll.

/** A scrape is stored when it has ended: most take milliseconds, of a busy target a few hundred. */
const [quickScrape, slowScrape] = [100, 250];

/** Asked as soon as the scrape after the last poll could be there, with an answer that lacks it. */
export function wasEarly(
  { checks, cursor }: PollStream,
  readings: ReadonlyMap<string, Reading>,
  at: Instant,
): boolean {
  const answered = readings.get(checks[0]?.name ?? '')?.kind === 'series';
  return answered && cursor !== undefined && at - cursor.boundary - cursor.interval >= quickScrape;
}

/**
 * How long until the scrape after the last poll should have been stored, at most Δ; 0 from then on,
 * and while nothing is known.
 */
export function untilDue({ cursor, isSlow }: PollStream, at: Instant): Millis {
  if (cursor === undefined) return millis(0);
  const { interval, boundary } = cursor;
  const due = boundary + interval + (isSlow ? slowScrape : quickScrape);
  return millis(Math.min(interval, Math.max(0, due - at)));
}

/**
 * When to ask next: soon after the next scrape should have been stored, a few times more while it
 * is late, and once per Δ when it does not come.
 */
export function nextTick(stream: PollStream, at: Instant, fallback: Millis): Millis {
  const { cursor, isSlow } = stream;
  if (cursor === undefined) return fallback;
  const { interval, boundary } = cursor;
  const delay = isSlow ? slowScrape : quickScrape;
  const early = untilDue(stream, at);
  if (early > 0) return millis(Math.min(interval, Math.max(delay, early)));
  const late = at - boundary - interval - delay;
  return late < interval ? millis(Math.max(slowScrape, interval / 4)) : interval;
}
