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
 * When to ask next: soon after the next scrape should have been stored, a few times more while it
 * is late, and once per Δ when it does not come.
 */
export function nextTick({ cursor, isSlow }: PollStream, at: Instant, fallback: Millis): Millis {
  if (cursor === undefined) return fallback;
  const { interval, boundary } = cursor;
  const delay = isSlow ? slowScrape : quickScrape;
  const due = boundary + interval + delay;
  if (at < due) return millis(Math.min(interval, Math.max(delay, due - at)));
  return at - due < interval ? millis(Math.max(slowScrape, interval / 4)) : interval;
}
