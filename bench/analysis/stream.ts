import { advance } from '../../src/analysis/advance.ts';
import type { CheckPrior } from '../../src/analysis/counts.ts';
import { dispersionOf } from '../../src/analysis/dispersion.ts';
import { beginEvidence } from '../../src/analysis/evidence.ts';
import { type AnalysisPolicy, defaultPolicy, errorsCheck } from '../../src/analysis/policy.ts';
import {
  type SimulatedService,
  simulatedHistory,
  simulatedTraffic,
} from '../../src/analysis/simulated-traffic.ts';
import { type Random, seededRandom } from '../../src/lib/random.ts';
import { instant, percent } from '../../src/lib/units.ts';
import { peers, type StreamPoll } from './peers.ts';

export interface StreamOptions {
  readonly service: SimulatedService;
  readonly weight: number;
  readonly interval: number;
  readonly horizon: number;
}

export function makeStream(options: StreamOptions, random: Random): StreamPoll[] {
  const { service, weight, interval, horizon } = options;
  const traffic = simulatedTraffic(service, random);
  return Array.from({ length: Math.floor(horizon / interval) }, (_, k) => ({
    seconds: (k + 1) * interval,
    counts: traffic.counts(k * interval, (k + 1) * interval, weight / 100),
  }));
}

/** Second at which our rollback test rejects, with errors as half of the money by default. */
export function watchOurs(
  stream: readonly StreamPoll[],
  weight: number,
  prior: CheckPrior,
  policy: AnalysisPolicy = halfShare,
): number | undefined {
  let state = beginEvidence(policy);
  let since = 0;
  for (const { seconds, counts } of stream) {
    state = advance(
      state,
      {
        since: instant(since * 1000),
        at: instant(seconds * 1000),
        weight: percent(weight),
        step: 0,
        next: percent(100),
        priors: { errors: prior },
        checks: { errors: [counts] },
      },
      policy,
    );
    since = seconds;
    if (state.rejected !== null) return seconds;
  }
  return undefined;
}

/** Errors have half of the money, and the other checks with the rest of it see nothing. */
export const halfShare: AnalysisPolicy = {
  ...defaultPolicy,
  checks: [errorsCheck, { name: 'others', kind: 'ratio', share: 1 / 2, worse: errorsCheck.worse }],
};

/** Of a service whose base rate is known. */
export type KnownPrior = CheckPrior & { readonly badRates: readonly number[] };

/** An hour of stable, as the controller asks for it when a rollout begins. */
export function priorOf(service: SimulatedService, random: Random): KnownPrior {
  const history = simulatedHistory(service, 3600, 15, random);
  return {
    badRates: [service.stableRate],
    dispersion: dispersionOf(history, 15_000),
    history: 3_600_000,
  };
}

export interface RuleResult {
  readonly name: string;
  /** Share of runs that were rolled back. */
  readonly found: number;
  readonly seconds: readonly number[];
  /** Failed canary requests until rollback, of the runs that were rolled back. */
  readonly failed: readonly number[];
}

/** The same streams watched by every peer's rule and by ours. */
export function compare(
  options: StreamOptions,
  runs: number,
  ours: Readonly<
    Record<string, (stream: readonly StreamPoll[], random: Random) => number | undefined>
  >,
): readonly RuleResult[] {
  const rules = [
    ...peers.map(({ name, watch }) => [name, watch] as const),
    ...Object.entries(ours),
  ];
  const results = rules.map(([name]) => ({
    name,
    seconds: [] as number[],
    failed: [] as number[],
  }));
  for (let run = 1; run <= runs; run += 1) {
    const random = seededRandom(run * 7919);
    const stream = makeStream(options, random);
    rules.forEach(([, watch], i) => {
      const at = watch(stream, random);
      if (at === undefined) return;
      results[i]?.seconds.push(at);
      results[i]?.failed.push(failedUntil(stream, at));
    });
  }
  return results.map((result) => ({ ...result, found: result.seconds.length / runs }));
}

function failedUntil(stream: readonly StreamPoll[], seconds: number): number {
  let failed = 0;
  for (const poll of stream) if (poll.seconds <= seconds) failed += poll.counts.xc;
  return failed;
}
