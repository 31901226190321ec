import { type AnalysisPolicy, defaultPolicy } from '../../src/analysis/policy.ts';
import { type SimulatedOutcome, simulateRollout } from '../../src/analysis/simulate.ts';
import { type SimulatedService, simulatedTraffic } from '../../src/analysis/simulated-traffic.ts';
import { type Random, seededRandom } from '../../src/lib/random.ts';
import { percent, seconds } from '../../src/lib/units.ts';
import { meanAgrees, medianAgrees, shareAgrees } from './reproduced.ts';
import { halfShare } from './stream.ts';
import { rolloutStudy } from './study.ts';
import { mean, median, percents, quantile, short, table } from './table.ts';

const ladder = [1, 5, 10, 25, 50];
const shortLadder = [10, 25, 50];

type Outcome = Pick<SimulatedOutcome, 'kind' | 'seconds' | 'failedRequests' | 'flinches'>;

interface Course {
  readonly steps: readonly number[];
  readonly runs: number;
  readonly interval?: number;
  readonly settling?: number;
  readonly policy?: AnalysisPolicy;
}

function outcomes(service: SimulatedService, course: Course): readonly Outcome[] {
  const { steps, runs, policy = defaultPolicy, settling = 2 } = course;
  const interval = course.interval ?? (service.rps < 20 ? 5 : 1);
  const rollout = { service, steps: steps.map(percent), interval, settling, horizon: 7200 };
  return Array.from({ length: runs }, (_, i) =>
    simulateRollout(rollout, policy, seededRandom(i * 104_729 + 1)),
  );
}

const share = (all: readonly Outcome[], kind: Outcome['kind']): number =>
  all.filter((outcome) => outcome.kind === kind).length / all.length;

const row = (
  label: string,
  service: SimulatedService,
  course: Course,
): readonly (string | number)[] => {
  const all = outcomes(service, course);
  const lasted = all.map((outcome) => outcome.seconds);
  return [
    label,
    service.rps,
    percents(share(all, 'promoted')),
    percents(share(all, 'rolled-back')),
    short(median(lasted)),
    short(quantile(lasted, 0.9)),
    short(mean(all.map(({ failedRequests }) => failedRequests))),
    short(mean(all.map(({ flinches }) => flinches))),
  ];
};

const head = ['base→canary %', 'rps', 'promoted %', 'rolled back %', 'median s', 'p90 s'];
const columns = [...head, 'failed', 'flinches'];

/** Whole rollouts 1/5/10/25/50/100 as shipped: polls of 1 s from 20 rps on, flinch, 15 s steps. */
export function rolloutTable(runs: number): string {
  const cells = [
    [0, 0],
    [0.001, 0.001],
    [0.01, 0.01],
    [0.001, 0.01],
    [0.001, 0.05],
    [0.001, 1],
    [0.01, 0.02],
  ] as const;
  const rows = cells.flatMap(([stableRate, canaryRate]) =>
    [9.26, 100, 1000].map((rps) => {
      const label = `${stableRate * 100}→${canaryRate * 100}`;
      const course = { steps: ladder, runs: rps >= 1000 ? Math.ceil(runs / 2) : runs };
      return row(label, { rps, stableRate, canaryRate }, course);
    }),
  );
  return table(columns, rows);
}

/** As the study simulated: polls of 5 s, steps of 30 s at least, errors half the money. */
const studyPolicy: AnalysisPolicy = {
  ...halfShare,
  minStep: seconds(30),
  flinch: { ...defaultPolicy.flinch, on: false },
};

/** § 4.2: ours beside Flagger on the same settings: figure = the study's, and whether so. */
export function rolloutStudyTable(runs: number): string {
  const rows = rolloutStudy.map(({ stableRate, canaryRate, rps, ours, flagger }) => {
    const service = { rps, stableRate, canaryRate };
    const course = { steps: ladder, runs, interval: 5, settling: 0, policy: studyPolicy };
    const peer = Array.from({ length: runs }, (_, i) =>
      flaggerRollout(service, seededRandom(i * 104_729 + 1)),
    );
    return [
      `${stableRate * 100}→${canaryRate * 100}`,
      rps,
      compared(outcomes(service, course), ours, 5),
      compared(peer, flagger, 60),
    ];
  });
  return table(['base→canary %', 'rps', 'Haldane', 'Flagger'], rows);
}

/** Promoted % / rolled back % / median s / failed requests. */
function compared(
  all: readonly Outcome[],
  [promoted, rolledBack, lasted, harm]: readonly [number, number, number, number],
  poll: number,
): string {
  const spans = all.map((outcome) => outcome.seconds);
  const failed = all.map(({ failedRequests }) => failedRequests);
  const [up, down] = [share(all, 'promoted'), share(all, 'rolled-back')];
  const agrees =
    shareAgrees(up, all.length, promoted) &&
    shareAgrees(down, all.length, rolledBack) &&
    (Number.isNaN(lasted) || medianAgrees(spans, lasted, poll)) &&
    (Number.isNaN(harm) || meanAgrees(failed, harm));
  const found = `${percents(up)}/${percents(down)}/${short(median(spans))}/${short(mean(failed))}`;
  const study = [promoted, rolledBack, lasted, harm].map((one) => (Number.isNaN(one) ? '–' : one));
  return `${found} = ${study.join('/')} ${agrees ? '✓' : '✗'}`;
}

/**
 * 10 % more after each minute of at least 99 % success, promoted after the fifth; the fifth failed
 * minute rolls back on the tick after.
 */
function flaggerRollout(service: SimulatedService, random: Random): Outcome {
  const traffic = simulatedTraffic(service, random);
  let [weight, failures, failedRequests] = [10, 0, 0];
  for (let minute = 1; minute <= 120; minute += 1) {
    const now = { seconds: minute * 60, flinches: 0 };
    const { nc, xc } = traffic.counts(now.seconds - 60, now.seconds, weight / 100);
    failedRequests += xc;
    if (failures >= 5) return { kind: 'rolled-back', ...now, failedRequests };
    if (nc === 0 || xc / nc > 0.01 + 1e-12) failures += 1;
    else if (weight >= 50) return { kind: 'promoted', ...now, failedRequests };
    else weight += 10;
  }
  return { kind: 'undecided', seconds: 7200, flinches: 0, failedRequests };
}

/** An image service of 800,000 requests a day: from 1 %, and from 10 % as is default there. */
export function imageServiceTable(runs: number): string {
  const rows = [ladder, shortLadder].flatMap((steps) =>
    [0.001, 0.01, 0.05, 0.5, 1].map((canaryRate) =>
      row(
        `${steps.join('/')}: 0.1→${canaryRate * 100}`,
        { rps: 9.26, stableRate: 0.001, canaryRate },
        { steps, runs },
      ),
    ),
  );
  return table(['ladder: base→canary %', ...columns.slice(1)], rows);
}
