import { anchorOf, smoothedOdds } from './advance-check.ts';
import { lnBetterEvidence, lnSum, lnWorse, worseTilts } from './bets.ts';
import type { Counts } from './counts.ts';
import type { EvidenceState } from './evidence.ts';
import type { CheckWealth } from './total.ts';

/** Excess of the canary's bad rate over stable's, as ratios. */
export interface Interval {
  readonly low: number;
  readonly high: number;
}

/** Either end errs with probability 1/20 at most, at whatever moment it is read. */
const level = Math.log(20);

/**
 * Anytime-valid interval for the excess of the canary's bad rate, from the counts of one step:
 * the margins that neither test has excluded. For people; decisions use the tests themselves.
 */
export function excessInterval(
  counts: Counts,
  split: { readonly pHat: number; readonly kappa: number },
  dispersion: number,
): Interval {
  const { pHat } = split;
  const evidence = (delta: number) =>
    lnSum(worseTilts.map((a) => lnWorse(counts, { rho: 1, delta, ...split }, a) / dispersion)) -
    Math.log(worseTilts.length);
  const against = (delta: number) =>
    lnBetterEvidence(counts, { rho: 1, delta, ...split }, dispersion);
  const [least, most] = [-pHat, 1 - pHat];
  return {
    low: evidence(least) < level ? least : boundary((d) => evidence(d) >= level, least, most),
    high: against(most) < level ? most : boundary((d) => against(d) < level, least, most),
  };
}

/**
 * The interval for the check as it stands; of the component with most against the canary. It is
 * computed when it is asked for, and once: it costs more than the poll itself, and few look at it.
 */
export function checkInterval(
  state: EvidenceState,
  { worst, check }: Pick<CheckWealth, 'worst' | 'check'>,
): () => Interval | null {
  const w = (state.weight ?? 0) / 100;
  if (worst === undefined || worst.step.nc === 0 || w <= 0 || w >= 1) return () => null;
  // Nothing else of the state is held on to.
  const { step } = worst;
  const split = { pHat: anchorOf(worst), kappa: smoothedOdds(step, w) };
  const dispersion = state.checks[check.name]?.dispersion ?? 1;
  let known: Interval | undefined;
  return () => (known ??= excessInterval(step, split, dispersion));
}

/** Where a property that holds at `from` and not at `to` ends. */
function boundary(holds: (delta: number) => boolean, from: number, to: number): number {
  let [inside, outside] = [from, to];
  // To a millionth, which is a ten-thousandth of a point.
  for (let i = 0; i < 20; i += 1) {
    const middle = (inside + outside) / 2;
    if (holds(middle)) inside = middle;
    else outside = middle;
  }
  return inside;
}
