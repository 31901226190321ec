import { advance } from '../../src/analysis/advance.ts';
import { smoothedOdds } from '../../src/analysis/advance-check.ts';
import { betterOdds, lnBetter, lnBetterTotal } from '../../src/analysis/bets.ts';
import { beginEvidence } from '../../src/analysis/evidence.ts';
import { judge } from '../../src/analysis/judge.ts';
import { type AnalysisPolicy, defaultPolicy, errorsCheck } from '../../src/analysis/policy.ts';
import { simulatedTraffic } from '../../src/analysis/simulated-traffic.ts';
import { seededRandom } from '../../src/lib/random.ts';
import { instant, percent } from '../../src/lib/units.ts';
import { fastWatch } from './fast-watch.ts';
import { makeStream } from './stream.ts';
import { percents, table } from './table.ts';

const traffic = [
  [9.26, 10],
  [100, 1],
  [100, 10],
  [1000, 10],
] as const;

/** The canary exactly on the tolerance line for four hours: false rollbacks in %, promised ≤ α. */
export function rollbackPromiseTable(runs: number): string {
  const rows = traffic.flatMap(([rps, weight]) =>
    [0.001, 0.01].map((stableRate) => {
      const { rho, delta } = errorsCheck.worse;
      const service = { rps, stableRate, canaryRate: rho * stableRate + delta };
      const found = [0.01, 0.05].map((alpha) => {
        let rejected = 0;
        for (let run = 1; run <= runs; run += 1) {
          const options = { service, weight, interval: 5, horizon: 4 * 3600 };
          const stream = makeStream(options, seededRandom(run * 101));
          const policy = { ...defaultPolicy, alpha, confirmPolls: 0 };
          if (fastWatch(stream, weight, { badRates: [stableRate] }, policy)) rejected += 1;
        }
        return percents(rejected / runs);
      });
      return [rps, weight, stableRate * 100, ...found];
    }),
  );
  return table(['rps', 'w %', 'base %', 'α = 1 %', 'α = 5 %'], rows);
}

/** The canary exactly at the promotion margin: steps within an hour in %, promised ≤ β = 5 %. */
export function promotionPromiseTable(runs: number): string {
  const rows = traffic.flatMap(([rps, weight]) =>
    [0, 0.001, 0.01].map((stableRate) => {
      const taken = [25, 100].map((next) => {
        const canaryRate = 1.5 * stableRate + 0.005 / (next / 100);
        let steps = 0;
        for (let run = 1; run <= runs; run += 1) {
          if (fastSteps({ rps, stableRate, canaryRate }, weight, next, run)) steps += 1;
        }
        return percents(steps / runs);
      });
      return [rps, weight, stableRate * 100, ...taken];
    }),
  );
  return table(['rps', 'w %', 'base %', 'to 25 %', 'to 100 %'], rows);
}

/** As `stepsForward`, on the bets alone; `promises.test.ts` holds both against each other. */
export function fastSteps(
  service: { rps: number; stableRate: number; canaryRate: number },
  weight: number,
  next: number,
  seed: number,
  polls = 720,
): boolean {
  const source = simulatedTraffic(service, seededRandom(seed * 211));
  const w = weight / 100;
  const { rho, delta } = errorsCheck.better ?? errorsCheck.worse;
  const logs = new Float32Array(betterOdds.length);
  const needed = -Math.log(defaultPolicy.beta);
  let [allNc, allNs] = [0, 0];
  for (let k = 0; k < polls; k += 1) {
    const counts = source.counts(k * 5, k * 5 + 5, w);
    allNc += counts.nc;
    allNs += counts.ns;
    const line = {
      rho,
      delta: delta / (next / 100),
      pHat: service.stableRate,
      kappa: smoothedOdds({ ...counts, nc: allNc, ns: allNs }, w),
    };
    betterOdds.forEach((odds, i) => {
      logs[i] = (logs[i] ?? 0) + lnBetter(counts, line, odds);
    });
    if (lnBetterTotal(Array.from(logs)) >= needed) return true;
  }
  return false;
}

export function stepsForward(
  service: { rps: number; stableRate: number; canaryRate: number },
  weight: number,
  next: number,
  policy: AnalysisPolicy,
  seed: number,
  polls = 720,
): boolean {
  const source = simulatedTraffic(service, seededRandom(seed * 211));
  let state = beginEvidence(policy);
  for (let k = 0; k < polls; k += 1) {
    const at = instant((k + 1) * 5000);
    const poll = {
      since: instant(k * 5000),
      at,
      weight: percent(weight),
      step: 0,
      next: percent(next),
      priors: { errors: { badRates: [service.stableRate] } },
      checks: { errors: [source.counts(k * 5, k * 5 + 5, weight / 100)] },
    };
    state = advance(state, poll, policy);
    const promotion = judge(state, policy, { now: at }).checks[0]?.promotion ?? 0;
    if (promotion >= 1 / policy.beta) return true;
  }
  return false;
}
