import { defaultPolicy } from '../../src/analysis/policy.ts';
import { type SimulatedOutcome, simulateRollout } from '../../src/analysis/simulate.ts';
import type { SimulatedService } from '../../src/analysis/simulated-traffic.ts';
import { seededRandom } from '../../src/lib/random.ts';
import { percent } from '../../src/lib/units.ts';
import { mean, median, percents, quantile, short, table } from './table.ts';

const ladder = [1, 5, 10, 25, 50];
const shortLadder = [10, 25, 50];

function outcomes(
  service: SimulatedService,
  steps: readonly number[],
  runs: number,
): readonly SimulatedOutcome[] {
  const interval = service.rps < 20 ? 5 : 1;
  const rollout = { service, steps: steps.map(percent), interval, settling: 2, horizon: 7200 };
  return Array.from({ length: runs }, (_, i) =>
    simulateRollout(rollout, defaultPolicy, seededRandom(i * 104_729 + 1)),
  );
}

const row = (
  label: string,
  service: SimulatedService,
  steps: readonly number[],
  runs: number,
): readonly (string | number)[] => {
  const all = outcomes(service, steps, runs);
  const share = (kind: SimulatedOutcome['kind']) =>
    all.filter((outcome) => outcome.kind === kind).length / runs;
  const seconds = all.map((outcome) => outcome.seconds);
  return [
    label,
    service.rps,
    percents(share('promoted')),
    percents(share('rolled-back')),
    short(median(seconds)),
    short(quantile(seconds, 0.9)),
    short(mean(all.map(({ failedRequests }) => failedRequests))),
    short(mean(all.map(({ flinches }) => flinches))),
  ];
};

const head = ['base→canary %', 'rps', 'promoted %', 'rolled back %', 'median s', 'p90 s'];
const columns = [...head, 'failed', 'flinches'];

/** § 4.2: whole rollouts 1/5/10/25/50/100, paced by evidence. */
export function rolloutTable(runs: number): string {
  const cells = [
    [0, 0, [9.26, 100, 1000]],
    [0.001, 0.001, [9.26, 100, 1000]],
    [0.01, 0.01, [9.26, 100, 1000]],
    [0.001, 0.01, [9.26, 100, 1000]],
    [0.001, 0.05, [9.26, 100, 1000]],
    [0.001, 1, [9.26, 100, 1000]],
    [0.01, 0.02, [9.26, 100, 1000]],
  ] as const;
  const rows = cells.flatMap(([stableRate, canaryRate, rates]) =>
    rates.map((rps) =>
      row(
        `${stableRate * 100}→${canaryRate * 100}`,
        { rps, stableRate, canaryRate },
        ladder,
        rps >= 1000 ? Math.ceil(runs / 2) : runs,
      ),
    ),
  );
  return table(columns, rows);
}

/** An image service of 800,000 requests a day: from 1 %, and from 10 % as is default there. */
export function imageServiceTable(runs: number): string {
  const rows = [ladder, shortLadder].flatMap((steps) =>
    [0.001, 0.01, 0.05, 0.5, 1].map((canaryRate) =>
      row(
        `${steps.join('/')}: 0.1→${canaryRate * 100}`,
        { rps: 9.26, stableRate: 0.001, canaryRate },
        steps,
        runs,
      ),
    ),
  );
  return table(['ladder: base→canary %', ...columns.slice(1)], rows);
}
