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
  return kayentaClass(canary, stable) === 'High';
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
    return brentRoot(f, least, most, rootTolerance);
  };
  return { low: root(z98, true), estimate: root(0, false), high: root(-z98, true) };
}

/** Of R's and of Kayenta's root finder: coarser than differences of error rates can be. */
const rootTolerance = 1e-4;

/**
 * Root of `f` between `a` and `b`, at which its signs differ, to within `tolerance`. Source: Brent,
 * Algorithms for Minimization without Derivatives (1973), chapter 4.
 */
function brentRoot(f: (x: number) => number, a: number, b: number, tolerance: number): number {
  let [best, other, before] = [b, a, a];
  let [fBest, fOther, fBefore] = [f(b), f(a), f(a)];
  let step = b - a;
  let stepBefore = step;
  for (;;) {
    if (Math.abs(fOther) < Math.abs(fBest)) {
      [before, best, other] = [best, other, best];
      [fBefore, fBest, fOther] = [fBest, fOther, fBest];
    }
    const half = (other - best) / 2;
    const least = 2 * Number.EPSILON * Math.abs(best) + tolerance / 2;
    if (Math.abs(half) <= least || fBest === 0) return best;
    if (Math.abs(stepBefore) < least || Math.abs(fBefore) <= Math.abs(fBest)) {
      [step, stepBefore] = [half, half];
    } else {
      const s = fBest / fBefore;
      let p: number;
      let q: number;
      if (before === other) {
        p = 2 * half * s;
        q = 1 - s;
      } else {
        const [t, r] = [fBefore / fOther, fBest / fOther];
        p = s * (2 * half * t * (t - r) - (best - before) * (r - 1));
        q = (t - 1) * (r - 1) * (s - 1);
      }
      if (p > 0) q = -q;
      p = Math.abs(p);
      if (2 * p < Math.min(3 * half * q - Math.abs(least * q), Math.abs(stepBefore * q))) {
        [stepBefore, step] = [step, p / q];
      } else {
        [step, stepBefore] = [half, half];
      }
    }
    [before, fBefore] = [best, fBest];
    best += Math.abs(step) > least ? step : Math.sign(half) * least;
    fBest = f(best);
    if (fBest > 0 === fOther > 0) {
      [other, fOther] = [before, fBefore];
      [step, stepBefore] = [best - before, best - before];
    }
  }
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
