import type { Percent } from '../lib/units.ts';
import { toRatio } from '../lib/units.ts';
import type { Counts } from './counts.ts';

/**
 * Log evidence that the canary's share of the requests is not its weight: `less` than half of it,
 * or `more` than twice its odds. Each is a sequential likelihood ratio that is never let below 0,
 * so that a change after hours of a right split is found as fast as one at the start. It only ever
 * holds a rollout.
 */
export interface SplitEvidence {
  readonly less: number;
  readonly more: number;
}

export const openSplit: SplitEvidence = { less: 0, more: 0 };

/** Kept below this, so that a split that is right again is believed after a short while. */
const most = Math.log(1e4);

export function growSplit(split: SplitEvidence, counts: Counts, weight: Percent): SplitEvidence {
  const w = toRatio(weight);
  if (w <= 0 || w >= 1) return openSplit;
  const odds = w / (1 - w);
  const grow = (log: number, gain: number) => Math.min(most, Math.max(0, log + gain));
  return {
    less: grow(split.less, lnRatio(counts, w / 2, w / 20)),
    more: grow(split.more, lnRatio(counts, shareOf(2 * odds), shareOf(4 * odds))),
  };
}

/** Log likelihood of the split at canary share `alternative` over that at `null`. */
const lnRatio = ({ nc, ns }: Counts, nullShare: number, alternative: number): number =>
  nc * Math.log(alternative / nullShare) + ns * Math.log((1 - alternative) / (1 - nullShare));

const shareOf = (odds: number): number => odds / (1 + odds);
