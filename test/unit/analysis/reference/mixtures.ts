import { lnGamma, lnIncompleteBeta, root } from './special.ts';

// Reference statistics of published packages, written from their papers: Howard, Ramdas, McAuliffe,
// Sekhon 2021 (confseq); Lindon and Malek 2022 (ssrm, savvi); Wald 1945.

/** Best ρ of the two-sided normal mixture for intrinsic time `v`. */
export const bestRho = (v: number, alpha: number): number =>
  v / (2 * Math.log(1 / alpha) + Math.log(1 + 2 * Math.log(1 / alpha)));

export const normalBound = (v: number, rho: number, alpha: number): number =>
  Math.sqrt((v + rho) * Math.log((v + rho) / (rho * alpha ** 2)));

export interface BetaBinomial {
  readonly vOpt: number;
  readonly alphaOpt: number;
  readonly g: number;
  readonly h: number;
  readonly oneSided: boolean;
}

/** Log of the beta-binomial mixture supermartingale at sum `s` and intrinsic time `v`. */
export function betaBinomial(s: number, v: number, mixture: BetaBinomial): number {
  const { vOpt, alphaOpt, g, h, oneSided } = mixture;
  const rho = bestRho(vOpt, oneSided ? 2 * alphaOpt : alphaOpt);
  const r = Math.max(rho - g * h, 1e-3 * g * h);
  const x = oneSided ? h / (g + h) : 1;
  const normaliser = lnIncompleteBeta(r / (g * (g + h)), r / (h * (g + h)), x);
  return (
    (v / (g * h)) * Math.log(g + h) -
    ((v + h * s) / (h * (g + h))) * Math.log(g) -
    ((v - g * s) / (g * (g + h))) * Math.log(h) +
    lnIncompleteBeta((r + v - g * s) / (g * (g + h)), (r + v + h * s) / (h * (g + h)), x) -
    normaliser
  );
}

export const betaBinomialBound = (v: number, alpha: number, mixture: BetaBinomial): number =>
  root((s) => betaBinomial(s, v, mixture) - Math.log(1 / alpha), 0, v / mixture.g);

/** Log probability of counts under a Dirichlet prior, the multinomial coefficient included. */
export function lnDirichletMultinomial(
  counts: readonly number[],
  prior: readonly number[],
): number {
  const sum = (all: readonly number[]) => all.reduce((a, b) => a + b, 0);
  const coefficient = lnGamma(sum(counts) + 1) - sum(counts.map((count) => lnGamma(count + 1)));
  return (
    coefficient +
    lnGamma(sum(prior)) -
    lnGamma(sum(prior) + sum(counts)) +
    sum(counts.map((count, i) => lnGamma((prior[i] ?? 0) + count) - lnGamma(prior[i] ?? 0)))
  );
}

/** Sequential p-value of Lindon and Malek for a fixed split, at the moment of these counts. */
export function splitPValue(
  counts: readonly number[],
  shares: readonly number[],
  strength: number,
): number {
  const all = counts.reduce((a, b) => a + b, 0);
  const prior = shares.map((share) => share * strength);
  const coefficient = lnGamma(all + 1) - counts.reduce((sum, count) => sum + lnGamma(count + 1), 0);
  const lnNull =
    coefficient + counts.reduce((sum, count, i) => sum + count * Math.log(shares[i] ?? 0), 0);
  return Math.exp(lnNull - lnDirichletMultinomial(counts, prior));
}

/** Wald's mean log growth until the end: `wins` the probability of accepting H1. */
const meanEnd = (alpha: number, beta: number, wins: number): number =>
  wins * Math.log((1 - beta) / alpha) + (1 - wins) * Math.log(beta / (1 - alpha));

/** Share of samples that the sequential test of a normal mean saves, at H1. */
export const waldSaving = (alpha: number, beta: number, zAlpha: number, zBeta: number): number =>
  1 - (2 * meanEnd(alpha, beta, 1 - beta)) / (zAlpha + zBeta) ** 2;

/** Mean sample numbers of the sequential test of two Bernoulli rates, at H1 and at H0. */
export function waldBernoulli(p0: number, p1: number, alpha: number, beta: number) {
  const growth = (p: number) => p * Math.log(p1 / p0) + (1 - p) * Math.log((1 - p1) / (1 - p0));
  return {
    atH1: meanEnd(alpha, beta, 1 - beta) / growth(p1),
    atH0: meanEnd(alpha, beta, alpha) / growth(p0),
  };
}
