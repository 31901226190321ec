/** Requests of stable slower than one bucket bound, over the hour before a rollout. */
export interface BoundTail {
  /** Upper bound of the bucket in seconds. */
  readonly bound: number;
  readonly slower: number;
  readonly total: number;
}

/** Tails outside of this say too little, or nothing, about how slow requests are. */
const least = 0.0005;
const largest = 0.75;

/**
 * Bounds on which the distributions are compared, ascending: those that 0.05 % to 75 % of stable's
 * requests exceed, thinned evenly to `most`. Chosen before the rollout and from stable alone, so
 * the choice costs no validity. Fewer than 2 see only jumps from bucket to bucket.
 */
export function usableBounds(tails: readonly BoundTail[], most = 8): readonly number[] {
  const usable = tails
    .filter(({ bound, slower, total }) => {
      const tail = slower / total;
      return Number.isFinite(bound) && total > 0 && tail >= least && tail <= largest;
    })
    .map(({ bound }) => bound)
    .toSorted((a, b) => a - b);
  if (usable.length <= most) return usable;
  return Array.from(
    { length: most },
    (_, i) => usable[Math.round((i * (usable.length - 1)) / (most - 1))] ?? 0,
  );
}

/** The bound that stands for an objective of `seconds`: the next at or above it, if any is. */
export const objectiveBound = (bounds: readonly number[], seconds: number): number | undefined =>
  bounds.toSorted((a, b) => a - b).find((bound) => bound >= seconds && Number.isFinite(bound));
