/**
 * Probability of `least` or more independent events where `mean` are expected; 0 for some of what
 * never happens. Summed from the side on which nothing cancels.
 */
export function poissonTail(mean: number, least: number): number {
  if (least <= 0) return 1;
  if (mean <= 0) return 0;
  let lnTerm = -mean;
  for (let k = 1; k <= least; k += 1) lnTerm += Math.log(mean / k);
  if (least > mean) {
    let [term, sum] = [Math.exp(lnTerm), 0];
    // Beyond the mean each term is smaller than the one before, in the end by any factor.
    for (let k = least; term > sum * Number.EPSILON; k += 1) {
      sum += term;
      term *= mean / (k + 1);
    }
    return Math.min(1, sum);
  }
  let below = 0;
  for (let k = 0, ln = -mean; k < least; k += 1, ln += Math.log(mean / k)) below += Math.exp(ln);
  return Math.max(0, 1 - below);
}
