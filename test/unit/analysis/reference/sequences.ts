import { bestRho, betaBinomial } from './mixtures.ts';
import { lnGamma, lnUpperGamma, root, valley } from './special.ts';

// Confidence sequences of published packages, written from their papers: Howard, Ramdas, McAuliffe,
// Sekhon 2021 and Howard, Ramdas 2022 (confseq); Lindon and Malek 2022 (savvi).

/** Log of the gamma-Poisson mixture of scale `c`, one-sided, best at intrinsic time `vOpt`. */
export function gammaPoisson(s: number, v: number, vOpt: number, alpha: number, c: number): number {
  const rho = bestRho(vOpt, 2 * alpha) / c ** 2;
  const rate = v / c ** 2 + rho;
  const shape = s / c + rate;
  const normaliser = lnUpperGamma(rho, rho) - rho * Math.log(rho);
  return lnUpperGamma(shape, rate) - shape * Math.log(rate) + v / c ** 2 - normaliser;
}

export const gammaPoissonBound = (v: number, vOpt: number, alpha: number, c: number): number =>
  root((s) => gammaPoisson(s, v, vOpt, alpha, c) - Math.log(1 / alpha), 0, 10 * v);

/** Two-sided, for a share of bad ones, best after `tOpt`. */
export function shareInterval(bad: number, all: number, alpha: number, tOpt: number) {
  const excess = (p: number) => {
    const v = p * (1 - p);
    const mixture = { vOpt: v * tOpt, alphaOpt: 0.05, g: p, h: 1 - p, oneSided: false };
    return betaBinomial(bad - p * all, v * all, mixture) - Math.log(1 / alpha);
  };
  const share = bad / all;
  const [least, most] = [1e-12, 1 - 1e-12];
  return {
    // So few that no small share is excluded: the interval reaches the end.
    low: excess(least) < 0 ? 0 : root(excess, least, share),
    high: excess(most) < 0 ? 1 : root(excess, share, most),
  };
}

/** Half width of the band around a distribution function that shrinks as the iterated log. */
export function empiricalBand(t: number, alpha: number, tMin: number, a: number): number {
  const error = (c: number) => (eta: number) => {
    const gamma = (2 / eta) * Math.max(0, a - Math.sqrt((2 * (eta - 1)) / c)) ** 2;
    if (gamma <= 1) return Number.POSITIVE_INFINITY;
    return 4 * Math.exp(-gamma * c) * (1 + 1 / ((gamma - 1) * Math.log(eta)));
  };
  const least = (c: number) => {
    const most = root(
      (eta) => Math.sqrt(eta / 2) + Math.sqrt((2 * (eta - 1)) / c) - a,
      1,
      2 * a * a,
    );
    return error(c)(valley(error(c), 1, most));
  };
  const c = root((x) => least(x) - alpha, 1, 200);
  return a * Math.sqrt((Math.log(1 + Math.log(t / tMin)) + c) / t);
}

/** Sequential p-value that a quantile of two samples is the same, best after `tOpt` of each. */
export function quantilePValue(
  samples: readonly [readonly number[], readonly number[]],
  quantile: number,
  tOpt: number,
): number {
  const v = quantile * (1 - quantile);
  const mixture = {
    vOpt: tOpt * v,
    alphaOpt: 0.05,
    g: quantile,
    h: 1 - quantile,
    oneSided: false,
  };
  const [first, second] = samples.map((sample) => {
    const sorted = sample.toSorted((a, b) => a - b);
    const n = sorted.length;
    const evidence = (share: number) => betaBinomial((share - quantile) * n, v * n, mixture);
    const best = valley(evidence, 1e-9, 1 - 1e-9);
    // The share below a candidate may be anything from those less to those not more.
    return (x: number) => {
      const less = sorted.filter((value) => value < x).length / n;
      const notMore = sorted.filter((value) => value <= x).length / n;
      return evidence(Math.min(notMore, Math.max(less, best)));
    };
  });
  let least = Number.POSITIVE_INFINITY;
  for (const x of samples.flat()) least = Math.min(least, (first?.(x) ?? 0) + (second?.(x) ?? 0));
  return Math.min(1, Math.exp(-least));
}

const sum = (all: readonly number[]): number => all.reduce((a, b) => a + b, 0);

const lnBeta = (all: readonly number[]): number => sum(all.map(lnGamma)) - lnGamma(sum(all));

/** Log evidence of counts under a Dirichlet prior of strength 100, without their coefficient. */
const lnAlternative = (counts: readonly number[], shares: readonly number[]): number =>
  lnBeta(shares.map((share, i) => 100 * share + (counts[i] ?? 0))) -
  lnBeta(shares.map((share) => 100 * share));

/** Interval for the log ratio of the second rate to the first, at one moment. */
function logRatioInterval(
  [x0, x1]: readonly [number, number],
  [rho0, rho1]: readonly [number, number],
  alpha: number,
) {
  const bar = lnAlternative([x0, x1], [rho0, rho1]) + Math.log(alpha);
  const likelihood = (d: number) => {
    const odds = (rho1 / rho0) * Math.exp(d);
    return x1 * Math.log(odds) - (x0 + x1) * Math.log1p(odds) - bar;
  };
  const best = Math.log(((x1 / x0) * rho0) / rho1);
  return { low: root(likelihood, best - 20, best), high: root(likelihood, best, best + 20) };
}

/** What all intervals for the log ratio so far have in common, after a stream of two arms. */
export function logRatioSequence(
  arms: readonly number[],
  shares: readonly [number, number],
  alpha: number,
) {
  let [low, high] = [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];
  const counts: [number, number] = [0, 0];
  for (const arm of arms) {
    counts[arm === 0 ? 0 : 1] += 1;
    if (counts[0] === 0 || counts[1] === 0) continue;
    const now = logRatioInterval(counts, shares, alpha);
    [low, high] = [Math.max(low, now.low), Math.min(high, now.high)];
  }
  return { low, high };
}

/** Sequential p-value that the first of three arms is at least as good as each of the others. */
export function firstIsBestPValue(counts: readonly number[], shares: readonly number[]): number {
  const all = sum(counts);
  let best = Number.NEGATIVE_INFINITY;
  // The likeliest rates under the null: the first arm's is that of the arms pooled with it.
  for (const pool of [[0], [0, 1], [0, 2], [0, 1, 2]]) {
    const bad = sum(pool.map((i) => counts[i] ?? 0));
    const share = sum(pool.map((i) => shares[i] ?? 0));
    const rates = counts.map((x, i) => (pool.includes(i) ? bad / share : x / (shares[i] ?? 1)));
    if (rates.some((rate) => rate > (rates[0] ?? 0) + 1e-12)) continue;
    const terms = counts.map((x, i) =>
      x === 0 ? 0 : x * Math.log(((shares[i] ?? 0) * (rates[i] ?? 0)) / all),
    );
    best = Math.max(best, sum(terms));
  }
  return Math.exp(best - lnAlternative(counts, shares));
}

/** First look at which a stream of arms is rejected at 5 %, and the counts by then. */
export function firstRejection(
  arms: readonly number[],
  length: number,
  pValue: (counts: readonly number[]) => number,
) {
  const counts = Array.from({ length }, () => 0);
  for (const arm of arms) {
    counts[arm] = (counts[arm] ?? 0) + 1;
    const p = pValue(counts);
    if (p <= 0.05) return { p, counts, n: sum(counts) };
  }
  return undefined;
}
