import { type Percent, percent } from '../lib/units.ts';
import type { EvidenceState, RecentCounts } from './evidence.ts';
import { excessOf } from './outage.ts';
import type { AnalysisPolicy } from './policy.ts';
import { totalWealth } from './total.ts';

/** What the first strong suspicion asks for; the rollout goes on either way. */
export type FlinchAdvice =
  | { readonly kind: 'lower'; readonly to: Percent; readonly because: string }
  | { readonly kind: 'return'; readonly because: string };

/**
 * Lowering the weight is always safe, so it needs less evidence than a rejection: at `lowerAt` the
 * weight should drop in one write to the least that still gives about `floorRps` canary requests
 * a second, so that the evidence goes on at little cost; at `returnAt` it goes back to the step's.
 * One poll that is very unlikely by itself is enough to lower, though the cap keeps it from
 * rejecting: a sudden fault is met in the first poll that shows it.
 * @param stepWeight the weight that the step asks for
 */
export function flinchAdvice(
  state: EvidenceState,
  policy: AnalysisPolicy,
  stepWeight: Percent,
): FlinchAdvice | undefined {
  const { flinch } = policy;
  if (!flinch.on || state.rejected !== null || state.weight === null) return undefined;
  const total = totalWealth(state, policy);
  const said = () =>
    `evidence against the canary is ${total.wealth.toPrecision(2)} of ${total.needed}`;
  if (state.weight < stepWeight) {
    const down = state.inForceSince === null ? 0 : (state.at ?? 0) - state.inForceSince;
    const over = total.wealth <= flinch.returnAt && down >= flinch.dwell;
    return over ? { kind: 'return', because: said() } : undefined;
  }
  const bad = total.blamed?.worst?.total.xc ?? 0;
  const isSudden = total.surprise >= flinch.surpriseAt;
  const suspected = total.wealth >= flinch.lowerAt || isSudden;
  if (!suspected || bad < flinch.leastBad || state.weight >= 100) return undefined;
  const counted = total.blamed?.check.kind === 'ratio';
  const to = leastWeight(state, policy, counted ? excessNow(state.recent, isSudden) : 1);
  if (to === undefined || to >= state.weight) return undefined;
  return { kind: 'lower', to, because: said() };
}

/**
 * The last poll tells a fault before the fading counts do, and a sudden one only as far as it came
 * after the fault began: half of it, at a guess.
 */
const excessNow = (recent: RecentCounts, isSudden: boolean): number =>
  Math.max(Math.min(1, (isSudden ? 2 : 1) * recent.excess), excessOf(recent));

/** Whole percents, so that every route can carry it. */
function leastWeight(
  { recent }: EvidenceState,
  { flinch }: AnalysisPolicy,
  excess: number,
): Percent | undefined {
  const rps = (recent.nc + recent.ns) / (recent.span / 1000);
  if (!Number.isFinite(rps) || rps <= 0) return undefined;
  const floor = Math.max(flinch.floorRps, flinch.floorBadRps / Math.max(excess, 1e-6));
  // About so many: a tenth of a percent less is not worth a whole one more.
  const needed = Math.ceil((100 * floor) / rps - 0.1);
  return percent(Math.max(flinch.leastWeight, needed));
}
