import type { Random } from '../lib/random.ts';

/** Above this variance a count is drawn from the normal law, rounded. */
const normalFrom = 400;
/** Largest mean that a walk through the probabilities starts from: e^−mean stays exact. */
const largestWalk = 30;

/** Failures among `n` independent requests, each bad with probability `p`. */
export function binomial(n: number, p: number, random: Random): number {
  if (n <= 0 || p <= 0) return 0;
  if (p >= 1) return n;
  if (p > 0.5) return n - binomial(n, 1 - p, random);
  if (n * p * (1 - p) > normalFrom) {
    const drawn = Math.round(n * p + normal(random) * Math.sqrt(n * p * (1 - p)));
    return Math.min(n, Math.max(0, drawn));
  }
  const part = Math.max(1, Math.floor(largestWalk / p));
  let sum = 0;
  for (let left = n; left > 0; left -= part) sum += binomialWalk(Math.min(part, left), p, random);
  return sum;
}

function binomialWalk(n: number, p: number, random: Random): number {
  const odds = p / (1 - p);
  let probability = (1 - p) ** n;
  let left = random();
  let k = 0;
  while (left > probability && k < n) {
    left -= probability;
    k += 1;
    probability *= (odds * (n - k + 1)) / k;
  }
  return k;
}

export function poisson(mean: number, random: Random): number {
  if (mean <= 0) return 0;
  if (mean > normalFrom) {
    return Math.max(0, Math.round(mean + normal(random) * Math.sqrt(mean)));
  }
  let sum = 0;
  for (let left = mean; left > 0; left -= largestWalk) {
    sum += poissonWalk(Math.min(largestWalk, left), random);
  }
  return sum;
}

function poissonWalk(mean: number, random: Random): number {
  let probability = Math.exp(-mean);
  let left = random();
  let k = 0;
  while (left > probability && k < 1000) {
    left -= probability;
    k += 1;
    probability *= mean / k;
  }
  return k;
}

/** Standard normal. Source: Box and Muller 1958. */
export const normal = (random: Random): number =>
  Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());

/** 1, 2, 3, … with the given mean. */
export const geometric = (mean: number, random: Random): number =>
  mean <= 1 ? 1 : 1 + Math.floor(Math.log(1 - random()) / Math.log(1 - 1 / mean));

/** Positive, mean 1, with the given coefficient of variation. Source: Marsaglia and Tsang 2000. */
export function gamma(variation: number, random: Random): number {
  if (variation <= 0) return 1;
  const shape = 1 / variation ** 2;
  if (shape < 1) {
    const boosted = gammaShape(shape + 1, random);
    return (boosted * (1 - random()) ** (1 / shape)) / shape;
  }
  return gammaShape(shape, random) / shape;
}

function gammaShape(shape: number, random: Random): number {
  const d = shape - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  for (let tries = 0; tries < 1000; tries += 1) {
    const x = normal(random);
    const v = (1 + c * x) ** 3;
    if (v > 0 && Math.log(1 - random()) < 0.5 * x * x + d - d * v + d * Math.log(v)) return d * v;
  }
  return d;
}
