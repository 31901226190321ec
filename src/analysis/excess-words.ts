import type { Interval } from './interval.ts';

/**
 * An interval in words: `1.2 to 4.5 points above stable`. A point is one request of a hundred.
 */
export function excessWords({ low, high }: Interval): string {
  const [from, to] = [pointsText(low), pointsText(high)];
  if (low >= 0) return `${from} to ${to} points above stable`;
  if (high <= 0) return `${to} to ${from} points below stable`;
  return `between ${from} points below and ${to} points above stable`;
}

/** How sure the ends of an interval are; see `interval.ts`. */
export const excessSurety = 'each end wrong at most 1 time in 20, whenever it is read';

function pointsText(ratio: number): string {
  const points = Math.abs(ratio) * 100;
  const digits = points === 0 || points >= 9.95 ? 0 : points >= 0.995 ? 1 : 2;
  return points.toFixed(digits);
}
