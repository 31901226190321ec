import { advance } from '../../src/analysis/advance.ts';
import { beginEvidence } from '../../src/analysis/evidence.ts';
import { flinchAdvice } from '../../src/analysis/flinch.ts';
import {
  type AnalysisPolicy,
  defaultPolicy,
  errorsCheck,
  latencyCheck,
} from '../../src/analysis/policy.ts';
import { binomial, poisson } from '../../src/analysis/variates.ts';
import { type Random, seededRandom } from '../../src/lib/random.ts';
import { instant, percent } from '../../src/lib/units.ts';
import { bounds, slowerThan, tailsOf } from './latency.ts';
import { mean, median, percents, short, table } from './table.ts';

const policy: AnalysisPolicy = {
  ...defaultPolicy,
  checks: [errorsCheck, { ...latencyCheck, bounds }],
};
const errorRate = 0.001;

/** Seconds until the weight would go down and until the rejection, where either happens. */
function watch(weight: number, slower: number, horizon: number, random: Random) {
  const [stable, canary] = [tailsOf(1), tailsOf(slower)];
  const priors = { errors: { badRates: [errorRate] }, latency: { badRates: stable } };
  let state = beginEvidence(policy);
  let flinched: number | undefined;
  for (let second = 0; second < horizon; second += 1) {
    const nc = poisson(weight, random);
    const ns = poisson(100 - weight, random);
    const [xc, xs] = [slowerThan(nc, canary, random), slowerThan(ns, stable, random)];
    const bad = (n: number) => binomial(n, errorRate, random);
    const poll = {
      since: instant(second * 1000),
      at: instant((second + 1) * 1000),
      weight: percent(weight),
      step: 0,
      next: percent(100),
      priors,
      checks: {
        errors: [{ nc, xc: bad(nc), ns, xs: bad(ns) }],
        latency: bounds.map((_, i) => ({ nc, xc: xc[i] ?? 0, ns, xs: xs[i] ?? 0 })),
      },
    };
    state = advance(state, poll, policy);
    const advice = flinchAdvice(state, policy, percent(weight));
    if (advice !== undefined) flinched ??= second + 1;
    if (state.rejected !== null) return { flinched, rejected: second + 1 };
  }
  return { flinched, rejected: undefined };
}

/** Errors and latency together at 100 requests a second, polls of 1 s, the last step included. */
export function latencyFlinchTable(runs: number): string {
  const rows = [10, 25, 50].flatMap((weight) =>
    [1, 1.5, 2].map((slower) => {
      const all = Array.from({ length: runs }, (_, i) =>
        watch(weight, slower, 900, seededRandom(i * 7433 + 5)),
      );
      const flinched = all.flatMap((one) => one.flinched ?? []);
      const rejected = all.flatMap((one) => one.rejected ?? []);
      return [
        weight,
        slower === 1 ? 'as fast' : `${slower} × slower`,
        percents(flinched.length / runs),
        short(median(flinched)),
        percents(rejected.length / runs),
        short(mean(rejected)),
      ];
    }),
  );
  return table(['w %', 'canary', 'flinches %', 'after s', 'rejected %', 'after s'], rows);
}
