import { advance } from '../../src/analysis/advance.ts';
import type { Counts } from '../../src/analysis/counts.ts';
import { beginEvidence } from '../../src/analysis/evidence.ts';
import {
  type AnalysisPolicy,
  defaultPolicy,
  latencyCheck,
  latencyObjectiveCheck,
} from '../../src/analysis/policy.ts';
import { binomial, poisson } from '../../src/analysis/variates.ts';
import { type Random, seededRandom } from '../../src/lib/random.ts';
import { instant, percent } from '../../src/lib/units.ts';
import { median, percents, short, table } from './table.ts';

/** Usable bounds of Prometheus' default buckets at a median of 80 ms and a p99 of 323 ms. */
export const bounds: readonly number[] = [0.1, 0.25, 0.5];

/** Share of lognormal requests slower than `seconds`. */
const tail = (seconds: number, slower: number): number =>
  1 - normalLaw(Math.log(seconds / (0.08 * slower)) / 0.6);

/** Source: Abramowitz and Stegun 7.1.26, error below 1.5e-7. */
function normalLaw(z: number): number {
  const x = Math.abs(z) / Math.SQRT2;
  const t = 1 / (1 + 0.3275911 * x);
  const poly =
    ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t;
  const erf = 1 - poly * Math.exp(-x * x);
  return z >= 0 ? (1 + erf) / 2 : (1 - erf) / 2;
}

/** Shares of requests beyond each bound, of a version so many times as slow as stable. */
export const tailsOf = (slower: number): readonly number[] =>
  bounds.map((bound) => tail(bound, slower));

/** Requests slower than each bound: each tail is drawn from the one before. */
export function slowerThan(
  requests: number,
  tails: readonly number[],
  random: Random,
): readonly number[] {
  let [left, before] = [requests, 1];
  return tails.map((share) => {
    left = binomial(left, Math.min(1, share / before), random);
    before = share;
    return left;
  });
}

const policies: Readonly<Record<string, AnalysisPolicy>> = {
  // The other half of the money lies on errors, of which there are none.
  'objective 500 ms': {
    ...defaultPolicy,
    alpha: 0.01 / 8,
    checks: [{ ...latencyObjectiveCheck, share: 1, bounds: [0.5] }],
  },
  distribution: {
    ...defaultPolicy,
    alpha: 0.01 / 4,
    checks: [{ ...latencyCheck, share: 1, bounds }],
  },
};

function watch(
  policy: AnalysisPolicy,
  [rps, weight]: readonly [number, number],
  tails: readonly number[],
  random: Random,
): { seconds: number; requests: number } | undefined {
  const [check] = policy.checks;
  const name = check?.name ?? '';
  const stable = bounds.map((bound) => tail(bound, 1));
  const last = check?.bounds?.length === 1;
  const pick = <T>(all: readonly T[]) => (last ? all.slice(-1) : all);
  let state = beginEvidence(policy);
  let requests = 0;
  for (let k = 0; k < 720; k += 1) {
    const nc = poisson((rps * 5 * weight) / 100, random);
    const ns = poisson(rps * 5 * (1 - weight / 100), random);
    const xc = slowerThan(nc, tails, random);
    const xs = slowerThan(ns, stable, random);
    requests += nc;
    const counts = bounds.map((_, i): Counts => ({ nc, xc: xc[i] ?? 0, ns, xs: xs[i] ?? 0 }));
    const poll = {
      since: instant(k * 5000),
      at: instant(k * 5000 + 5000),
      weight: percent(weight),
      step: 0,
      next: percent(100),
      priors: { [name]: { badRates: pick(stable) } },
      checks: { [name]: pick(counts) },
    };
    state = advance(state, poll, policy);
    if (state.rejected !== null) return { seconds: 5 * (k + 1), requests };
  }
  return undefined;
}

/** § 2: rolled back % / median s / median canary requests. */
export function latencyTable(runs: number): string {
  const mixed = bounds.map((bound) => 0.97 * tail(bound, 1) + 0.03);
  const cells = [
    ['as fast', [9.26, 10], tailsOf(1)],
    ['as fast', [100, 10], tailsOf(1)],
    ['1.2 × slower', [100, 10], tailsOf(1.2)],
    ['1.5 × slower', [9.26, 10], tailsOf(1.5)],
    ['1.5 × slower', [100, 10], tailsOf(1.5)],
    ['2 × slower', [100, 1], tailsOf(2)],
    ['3 % take 2 s', [100, 10], mixed],
    ['3 % take 2 s', [100, 1], mixed],
  ] as const;
  const rows = cells.map(([name, traffic, tails]) => {
    const results = Object.values(policies).map((policy) => {
      const found = Array.from({ length: runs }, (_, i) =>
        watch(policy, traffic, tails, seededRandom(i * 6151 + 1)),
      ).filter((one) => one !== undefined);
      if (found.length === 0) return '0';
      const seconds = short(median(found.map((one) => one.seconds)));
      const requests = short(median(found.map((one) => one.requests)));
      return `${percents(found.length / runs)} / ${seconds} / ${requests}`;
    });
    return [name, `${traffic[0]}, ${traffic[1]} %`, ...results];
  });
  return table(['canary', 'rps, w', ...Object.keys(policies)], rows);
}
