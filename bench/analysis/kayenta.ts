/** One metric as Kayenta's NetflixACAJudge sees it, rewritten from its documented behaviour. */
export type KayentaClass = 'Pass' | 'High' | 'Low' | 'Nodata';

/** The judge's effect size and confidence: 25 % of the estimate, 98 %. */
const tolerance = 0.25;
/** Differences of rates below this are ties. */
const rounding = 1e-9;
/** 99th percentile of the standard normal: each end of a 98 % interval. */
const z98 = 2.326347874;

/** Values of each minute: high when the whole interval lies beyond the tolerance. */
export function kayentaClass(canary: readonly number[], stable: readonly number[]): KayentaClass {
  if (canary.length === 0 || stable.length === 0) return 'Nodata';
  const all = new Set([...canary, ...stable]);
  if (all.size === 1) return 'Pass';
  const shift = hodgesLehmann(canary, stable);
  const line = Math.abs(tolerance * shift.estimate);
  if (shift.low > line + rounding) return 'High';
  if (shift.high < -line - rounding) return 'Low';
  return 'Pass';
}

/** Whether the class is High; mostly told without the interval: its low end is not above 0. */
export function kayentaHigh(canary: readonly number[], stable: readonly number[]): boolean {
  if (canary.length === 0 || stable.length === 0) return false;
  return rankSumZ(canary, stable, 0, true) > z98 && kayentaClass(canary, stable) === 'High';
}

/**
 * Shift of `x` against `y` and its 98 % interval, by inverting the rank-sum test with normal law,
 * ties and continuity correction. Source: R's wilcox.test (Bauer 1972), as its manual describes it.
 */
function hodgesLehmann(
  x: readonly number[],
  y: readonly number[],
): { low: number; estimate: number; high: number } {
  const least = Math.min(...x) - Math.max(...y);
  const most = Math.max(...x) - Math.min(...y);
  const root = (z: number, correct: boolean) => {
    const f = (shift: number) => rankSumZ(x, y, shift, correct) - z;
    if (f(least) <= 0) return least;
    if (f(most) >= 0) return most;
    let [low, high] = [least, most];
    // Finer than R's 1e-4, which is coarser than the error rates compared here.
    for (let i = 0; i < 50; i += 1) {
      const middle = (low + high) / 2;
      if (f(middle) > 0) low = middle;
      else high = middle;
    }
    return (low + high) / 2;
  };
  return { low: root(z98, true), estimate: root(0, false), high: root(-z98, true) };
}

function rankSumZ(
  x: readonly number[],
  y: readonly number[],
  shift: number,
  correct: boolean,
): number {
  const joined = [
    ...x.map((value) => ({ value: value - shift, own: true })),
    ...y.map((value) => ({ value, own: false })),
  ].toSorted((a, b) => a.value - b.value);
  let [sum, ties] = [0, 0];
  for (let from = 0; from < joined.length; ) {
    let to = from;
    while (to < joined.length && joined[to]?.value === joined[from]?.value) to += 1;
    const rank = (from + 1 + to) / 2;
    for (let i = from; i < to; i += 1) if (joined[i]?.own === true) sum += rank;
    ties += (to - from) ** 3 - (to - from);
    from = to;
  }
  const [n, m] = [x.length, y.length];
  const d = sum - (n * (n + 1)) / 2 - (n * m) / 2;
  const variance = ((n * m) / 12) * (n + m + 1 - ties / ((n + m) * (n + m - 1)));
  return (d - (correct ? Math.sign(d) * 0.5 : 0)) / Math.sqrt(variance);
}
