import type { Counts } from './counts.ts';

/**
 * The line between two hypotheses, `canary's bad rate = rho · stable's bad rate + delta`, and what
 * a bet on either side of it has to know. Rates are ratios, 0 to 1.
 */
export interface Line {
  readonly rho: number;
  readonly delta: number;
  /** Stable's bad rate as known before the counts; a wrong one costs speed, never validity. */
  readonly pHat: number;
  /** Odds of the split, canary to stable; 0 compares the canary with `rho · pHat + delta` alone. */
  readonly kappa: number;
}

/** Tilts of the bets that the canary is worse: about how many times above the line, less one. */
export const worseTilts: readonly number[] = [
  1 / 16,
  1 / 8,
  1 / 4,
  1 / 2,
  1,
  2,
  4,
  8,
  16,
  32,
  64,
  128,
];

/** Odds of the bets that the canary is better than the line, and the money on each. */
export const betterOdds: readonly number[] = [0.02, 0.1, 0.25, 0.5, 0.75, 0.9, 0.97];
const betterMoney: readonly number[] = [0.25, 0.15, 0.15, 0.15, 0.12, 0.1, 0.08];

/** A stable arm never loses more than this share of the bet on one request. */
const largestStake = 0.9;

/**
 * Log of the factor by which money grows that was bet on "the canary is worse than the line".
 *
 * For every base rate that keeps the canary at or below the line, the factor's mean is at most 1
 * given the numbers of requests, if `kappa = nc / ns`: by concavity in the base rate with the
 * slope zero at `pHat`. Linear in the counts, so polls of one line may be added up.
 * Source: docs/statistics.md; a closed form of Turner, Ly, Grünwald 2021 for an affine null.
 */
export function lnWorse(counts: Counts, line: Line, tilt: number): number {
  const { rho, delta, pHat, kappa } = line;
  const m = Math.min(rho * pHat + delta, 0.999);
  const odds = rho * kappa;
  const most = largestStake / (1 - pHat * largestStake);
  const a = odds > m * most ? Math.min(tilt, most / (odds - m * most)) : tilt;
  const d = (odds * a) / (1 + m * a);
  const stake = d / (1 + pHat * d);
  return (
    times(counts.xc, a) -
    times(counts.nc, m * a) +
    times(counts.xs, -stake) -
    times(counts.ns, -pHat * stake)
  );
}

/** The mirror of {@link lnWorse}: money bet on "the canary is better than the line", `odds` < 1. */
export function lnBetter(counts: Counts, line: Line, odds: number): number {
  const { rho, delta, pHat, kappa } = line;
  const m = Math.min(rho * pHat + delta, 0.999);
  const most = largestStake / Math.max(pHat, 1e-9);
  let a = odds - 1;
  if ((-rho * kappa * a) / (1 + m * a) > most) a = -most / (rho * kappa + most * m);
  const d = (-rho * kappa * a) / (1 + m * a);
  const stake = d / (1 - pHat * d);
  return (
    times(counts.xc, a) -
    times(counts.nc, m * a) +
    times(counts.xs, stake) -
    times(counts.ns, pHat * stake)
  );
}

/** `count · ln(1 + x)`; most counts of most polls are 0, and logarithms are what a poll costs. */
const times = (count: number, x: number): number => (count === 0 ? 0 : count * Math.log1p(x));

/** Log of a sum given the logs of its terms; −∞ for none. */
export function lnSum(logs: readonly number[]): number {
  // By index, as every sum of a poll ends here: an iterator costs half as much again.
  const { length } = logs;
  let largest = -Infinity;
  for (let i = 0; i < length; i += 1) largest = Math.max(largest, logs[i] ?? -Infinity);
  if (largest === -Infinity) return largest;
  let sum = 0;
  for (let i = 0; i < length; i += 1) sum += Math.exp((logs[i] ?? -Infinity) - largest);
  return largest + Math.log(sum);
}

/** Log of the money on each bet of `betterOdds`. */
export const lnBetterMoney: readonly number[] = betterMoney.map(Math.log);

/** Log of all the money on "better", given the log growth of each bet of `betterOdds`. */
export const lnBetterTotal = (growth: readonly number[]): number =>
  lnSum(growth.map((log, i) => log + (lnBetterMoney[i] ?? -Infinity)));

/** The promotion evidence ln F of one set of counts, `dispersion` ≥ 1. */
export const lnBetterEvidence = (counts: Counts, line: Line, dispersion: number): number =>
  lnBetterTotal(betterOdds.map((odds) => lnBetter(counts, line, odds) / dispersion));
