import type { Labels, Sample } from './gateway-metrics.ts';

/** Milliseconds since the epoch, and the value then. */
export type Point = readonly [at: number, value: number];
export type Series = { readonly labels: Labels; readonly points: readonly Point[] };

type Kept = { readonly labels: Labels; points: Point[]; lastScrape: number; ended: boolean };

/** Samples in memory, oldest dropped after the retention. */
export class TimeSeriesStore {
  readonly #retentionMillis: number;
  readonly #series = new Map<string, Kept>();

  constructor(options: { readonly retentionMillis?: number } = {}) {
    this.#retentionMillis = options.retentionMillis ?? 2 * 3_600_000;
  }

  /** One scrape: every sample gets the same time; a series that is missing has ended. */
  append(at: number, samples: readonly Sample[]): void {
    for (const { labels, value } of samples) {
      const key = keyOf(labels);
      const kept = this.#series.get(key) ?? { labels, points: [], lastScrape: at, ended: false };
      this.#series.set(key, kept);
      kept.points.push([at, value]);
      kept.lastScrape = at;
      kept.ended = false;
      const oldest = kept.points[0]?.[0] ?? at;
      if (at - oldest > this.#retentionMillis * 1.1)
        kept.points = kept.points.filter(([time]) => at - time <= this.#retentionMillis);
    }
    for (const [key, kept] of this.#series) {
      if (kept.lastScrape !== at) kept.ended = true;
      if (at - kept.lastScrape > this.#retentionMillis) this.#series.delete(key);
    }
  }

  /**
   * Series whose labels fit, with their points in (from, to]; series without any point are left
   * out.
   */
  select(fits: (labels: Labels) => boolean, from: number, to: number): readonly Series[] {
    const found: Series[] = [];
    for (const { labels, points } of this.#series.values()) {
      if (!fits(labels)) continue;
      const inside = points.slice(after(points, from), after(points, to));
      if (inside.length > 0) found.push({ labels, points: inside });
    }
    return found;
  }

  get size(): number {
    return this.#series.size;
  }
}

const keyOf = (labels: Labels): string =>
  Object.keys(labels)
    .sort()
    .map((name) => `${name}\u0001${labels[name] ?? ''}`)
    .join('\u0002');

/** Index of the first point later than a moment. */
function after(points: readonly Point[], moment: number): number {
  let low = 0;
  let high = points.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((points[middle]?.[0] ?? 0) <= moment) low = middle + 1;
    else high = middle;
  }
  return low;
}
