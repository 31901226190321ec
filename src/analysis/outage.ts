import type { Counts } from './counts.ts';
import type { RecentCounts } from './evidence.ts';
import type { AnalysisPolicy } from './policy.ts';

/** Canary's bad rate less stable's; 0 without canary requests. */
export const excessOf = ({ nc, xc, ns, xs }: Counts): number =>
  nc === 0 ? 0 : xc / nc - (ns > 0 ? xs / ns : 0);

/** Requests without which a rate says nothing. */
const leastRequests = 5;

export const stableKnown = ({ ns }: RecentCounts): boolean => ns >= leastRequests;

/** Stable itself is beyond the absolute limit right now: no release can be judged by it. */
export const stableOutage = (recent: RecentCounts, { limit }: AnalysisPolicy): boolean =>
  stableKnown(recent) && recent.xs > limit.rate * recent.ns;

/**
 * The canary fails so much more often than a stable arm in outage that the outage explains little
 * of it: twice the rate and 10 points more. Holding would then keep users on the worse of the two.
 */
export const worseThanOutage = ({ nc, xc, ns, xs }: RecentCounts): boolean =>
  nc > 0 && ns > 0 && xc / nc >= (2 * xs) / ns && xc / nc >= xs / ns + 0.1;
