import { hazardOf, type PollFrame } from './advance-check.ts';
import { type Line, lnWorse, worseTilts } from './bets.ts';
import type { Counts } from './counts.ts';
import type { EvidenceState, LimitEvidence } from './evidence.ts';
import { stableKnown, stableOutage } from './outage.ts';
import type { AnalysisPolicy } from './policy.ts';
import { growWealth, lnWealth } from './wealth.ts';

/**
 * Money on "the canary fails more often than the absolute limit". It spends a probability of its
 * own; the promise is the sum of both. Counted only while stable is seen and is within the limit
 * itself: the factor looks at the canary's outcomes alone, so leaving polls out by stable's keeps
 * it fair, and a shared outage leaves no money behind.
 */
export function advanceLimit(
  state: EvidenceState,
  counts: Counts,
  dispersion: number,
  frame: PollFrame,
  policy: AnalysisPolicy,
): LimitEvidence {
  const before = state.limit;
  if (counts.nc === 0 || !stableKnown(state.recent) || stableOutage(state.recent, policy)) {
    return before;
  }
  const line: Line = { rho: 0, delta: policy.limit.rate, pHat: 0, kappa: 0 };
  const wealth = growWealth(before.wealth, {
    factors: worseTilts.map((tilt) => lnWorse(counts, line, tilt) / dispersion),
    hazard: hazardOf(before, frame),
    cap: -lnNeeded(state, policy),
    newWindow: frame.window === null || frame.window !== before.window,
    forget: false,
    single: true,
  });
  const reached = lnWealth(wealth) >= -lnNeeded(state, policy);
  return {
    wealth,
    polls: before.polls + 1,
    window: frame.window,
    agreeing: reached ? before.agreeing + 1 : 0,
  };
}

const lnNeeded = (state: EvidenceState, policy: AnalysisPolicy): number =>
  Math.log(policy.limit.alpha * state.alphaShare);
