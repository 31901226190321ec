import { advance } from '../../src/analysis/advance.ts';
import type { PodCounts, Poll } from '../../src/analysis/counts.ts';
import { beginEvidence } from '../../src/analysis/evidence.ts';
import { defaultPolicy } from '../../src/analysis/policy.ts';
import { podPollsKept, sickPod } from '../../src/analysis/sick-pod.ts';
import { binomial, poisson } from '../../src/analysis/variates.ts';
import { type Random, seededRandom } from '../../src/lib/random.ts';
import { instant, percent } from '../../src/lib/units.ts';
import { percents, table } from './table.ts';

/** At the moment of the rejection: whether a pod is named, which is right only if one is sick. */
export function sickPodTable(runs: number): string {
  const rows = [3, 5, 10].flatMap((pods) =>
    ([0.02, 0.1, 0.5, 1] as const).map((rate) => {
      const one = Array.from({ length: pods }, (_, i) => (i === 0 ? rate : 0.001));
      const all = Array.from({ length: pods }, () => rate);
      return [pods, rate * 100, ...[one, all].map((rates) => named(rates, runs))];
    }),
  );
  return table(['pods', 'errors %', 'one sick: named %', 'all bad: named %'], rows);
}

function named(rates: readonly number[], runs: number): string {
  let [rejected, found] = [0, 0];
  for (let seed = 1; seed <= runs; seed += 1) {
    const polls = untilRejected(rates, seededRandom(seed * 17));
    if (polls === undefined) continue;
    rejected += 1;
    if (sickPod(polls.slice(-podPollsKept), 'errors', defaultPolicy) !== undefined) found += 1;
  }
  return rejected === 0 ? '–' : percents(found / rejected);
}

/** 100 requests a second, 10 %, polls of 1 s, for ten minutes at most. */
function untilRejected(rates: readonly number[], random: Random): readonly Poll[] | undefined {
  let state = beginEvidence(defaultPolicy);
  const polls: Poll[] = [];
  for (let k = 0; k < 600; k += 1) {
    const pods: Record<string, PodCounts> = {};
    let [nc, xc] = [0, 0];
    rates.forEach((rate, i) => {
      const requests = poisson(10 / rates.length, random);
      const bad = binomial(requests, rate, random);
      pods[`pod-${i}`] = { requests, bad };
      nc += requests;
      xc += bad;
    });
    const ns = poisson(90, random);
    const poll: Poll = {
      since: instant(k * 1000),
      at: instant((k + 1) * 1000),
      weight: percent(10),
      step: 0,
      next: percent(25),
      priors: { errors: { badRates: [0.001] } },
      checks: { errors: [{ nc, xc, ns, xs: binomial(ns, 0.001, random) }] },
      pods: { errors: pods },
    };
    polls.push(poll);
    state = advance(state, poll, defaultPolicy);
    if (state.rejected !== null) return polls;
  }
  return undefined;
}
