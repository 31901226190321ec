import { type Millis, millis } from '../lib/units.ts';

/** Queries that one source is asked per interval, for all rollouts together and in the long run. */
export const queriesPerInterval = 4;

/** What may be asked at once: what was not needed before, and at most the share of an interval. */
export interface QueryBudget {
  readonly queries: number;
  /** As of this moment, monotonic. */
  readonly at: Millis;
}

export const fullBudget = (at: Millis): QueryBudget => ({ queries: queriesPerInterval, at });

/**
 * What is left after a read that took `queries`, and how long the next one, which will take as
 * many, must wait for it. A read that comes too early may so be repeated soon, and reads for many
 * rollouts that are scraped at different moments are spread evenly. No wait is longer than an
 * interval: evidence goes on, whatever it takes.
 */
export function afterRead(
  before: QueryBudget,
  { at, queries, interval }: { at: Millis; queries: number; interval: Millis },
): { readonly budget: QueryBudget; readonly wait: Millis } {
  const earned = ((at - before.at) * queriesPerInterval) / interval;
  const had = Math.min(queriesPerInterval, before.queries + earned);
  const left = Math.max(-queriesPerInterval, had - queries);
  const lacking = Math.min(queriesPerInterval, Math.max(0, queries - left));
  return {
    budget: { queries: left, at },
    wait: millis((lacking * interval) / queriesPerInterval),
  };
}
