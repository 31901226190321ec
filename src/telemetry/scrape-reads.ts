import type { Clock } from '../lib/clock.ts';
import { type Millis, millis } from '../lib/units.ts';

/**
 * Time spent in holds, added up by reason. It grows while the hold lasts, not when it ends: an
 * alert on a hold that never ends needs it then.
 */
export function createHolds(
  clock: Clock,
  add: (namespace: string, reason: string, span: Millis) => void,
) {
  const open = new Map<string, { namespace: string; reason: string; since: Millis }>();
  const count = (key: string) => {
    const hold = open.get(key);
    if (hold === undefined) return;
    const now = clock.monotonic();
    add(hold.namespace, hold.reason, millis(Math.max(0, now - hold.since)));
    hold.since = now;
  };
  return {
    /** Adds what has passed since the last call. */
    count: () => {
      for (const key of open.keys()) count(key);
    },
    /** The rollout is held for `reason` from now on, or no longer. */
    set: (namespace: string, deployment: string, reason: string | undefined) => {
      const key = `${namespace}/${deployment}`;
      if (open.get(key)?.reason === reason) return;
      count(key);
      if (reason === undefined) open.delete(key);
      else open.set(key, { namespace, reason, since: clock.monotonic() });
    },
  };
}

/** Turns totals that somebody else counts into increases, so that a counter can follow them. */
export function createTotals() {
  const sources = new Map<string, () => ReadonlyMap<string, number>>();
  const seen = new Map<string, number>();
  return {
    follow: (source: string, totals: () => ReadonlyMap<string, number>) =>
      sources.set(source, totals),
    /** Calls `add` for every total that has grown since the last call. */
    read: (add: (source: string, outcome: string, increase: number) => void) => {
      for (const [source, totals] of sources) {
        for (const [outcome, total] of totals()) {
          const key = `${source}|${outcome}`;
          const increase = total - (seen.get(key) ?? 0);
          seen.set(key, total);
          // A total that fell belongs to a source that was made anew.
          if (increase !== 0) add(source, outcome, increase > 0 ? increase : total);
        }
      }
    },
  };
}

export type Holds = ReturnType<typeof createHolds>;
export type Totals = ReturnType<typeof createTotals>;
