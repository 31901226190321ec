import { type Instant, instant, type Millis, millis } from '../lib/units.ts';
import { firstAtOrAfter } from './counts.ts';
import type { Series } from './metric-source.ts';

export const shortestInterval = millis(1000);
export const longestInterval = millis(15_000);

/** A poll ends at the first sample at least this share of Δ after the last: scrapes jitter. */
const shareOfInterval = 0.9;
/** A series without a sample for so many intervals is gone and no longer waited for. */
const graceIntervals = 2;

/** Earliest end of the poll that begins at `boundary`. */
export const earliestEnd = (boundary: Instant, interval: Millis): number =>
  boundary + shareOfInterval * interval;

/** The latest sample of any series; −∞ when there is none. */
export function horizonOf(series: readonly Series[]): number {
  let latest = Number.NEGATIVE_INFINITY;
  for (const { times } of series) latest = Math.max(latest, times.at(-1) ?? latest);
  return latest;
}

/**
 * Whether something last seen at `last` still counts as there when the newest sample is at
 * `horizon`.
 */
export const isLive = (last: number, horizon: number, interval: Millis): boolean =>
  horizon - last <= graceIntervals * interval;

/**
 * The first sample at or after `earliest`, when every live series has one and a series of stable is
 * among them. Everything up to that moment is final then: samples of one series arrive in order, so
 * that late ones cannot change what is counted. Which samples came in which answer makes no
 * difference. (Source: the common watermark of the statistics study, § 4.3.)
 */
export function firstCommon(
  series: readonly Series[],
  earliest: number,
  interval: Millis,
): Instant | undefined {
  const horizon = horizonOf(series);
  let first = Number.POSITIVE_INFINITY;
  let stable = false;
  for (const { arm, times } of series) {
    const last = times.at(-1) ?? Number.NEGATIVE_INFINITY;
    if (last < earliest) {
      if (isLive(last, horizon, interval)) return undefined;
      continue;
    }
    stable ||= arm === 'stable';
    first = Math.min(first, times[firstAtOrAfter(times, earliest)] ?? first);
  }
  return stable ? instant(first) : undefined;
}

/** Up to where every live series has samples: what lies before is final. */
export function finalUntil(series: readonly Series[], horizon: number, interval: Millis): number {
  let until = horizon;
  for (const { times } of series) {
    const last = times.at(-1) ?? Number.NEGATIVE_INFINITY;
    if (isLive(last, horizon, interval)) until = Math.min(until, last);
  }
  return until;
}

/** So many gaps between samples of stable tell its scrape interval. */
const leastGaps = 2;

/** When the scrape interval of stable could first be told; +∞ when it cannot yet. */
export function intervalShownAt(series: readonly Series[]): number {
  const ends = series.flatMap(({ arm, times }) => (arm === 'stable' ? times.slice(1) : []));
  return ends.sort((a, b) => a - b)[leastGaps - 1] ?? Number.POSITIVE_INFINITY;
}

/**
 * Median gap between samples of stable up to a moment, to a tenth of a second, clamped to 1–15 s.
 */
export function scrapeInterval(series: readonly Series[], until: number): Millis | undefined {
  const gaps: number[] = [];
  for (const { arm, times } of series) {
    if (arm !== 'stable') continue;
    for (let i = 1; i < times.length; i += 1) {
      const time = times[i] ?? 0;
      if (time > until) break;
      gaps.push(time - (times[i - 1] ?? 0));
    }
  }
  if (gaps.length < leastGaps) return undefined;
  const median = gaps.sort((a, b) => a - b)[Math.floor((gaps.length - 1) / 2)] ?? 0;
  const rounded = Math.round(median / 100) * 100;
  return millis(Math.min(longestInterval, Math.max(shortestInterval, rounded)));
}
