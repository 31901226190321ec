import { chooseLadder, type LadderChoice } from '../analysis/ladder.ts';
import { ladderWords } from '../analysis/ladder-words.ts';
import { defaultSteps, type Plan, planRollout, type Spread } from '../analysis/plan.ts';
import { defaultPolicy } from '../analysis/policy.ts';
import { describeSpan, type Percent, percent, type Ratio, ratio, seconds } from '../lib/units.ts';
import { type ExitCode, exitCodes, usageError } from './outcome.ts';
import { painter, tableText } from './paint.ts';
import { percentText } from './status-text.ts';
import type { Terminal } from './terminal.ts';

export interface PlanFlags {
  readonly rps: string;
  readonly baseErrors: string;
  readonly steps?: string | undefined;
  readonly interval: string;
  readonly runs: string;
  readonly output?: 'json' | undefined;
}

/** Error rates of bad releases whose end is foretold. */
const faults = [0.01, 0.02, 0.05, 0.5, 1].map(ratio);

/**
 * `haldane plan --rps N`: how long it will take at this traffic, and what would be caught how
 * soon.
 */
export function planCommand(flags: PlanFlags, terminal: Terminal): ExitCode {
  const rps = positive('--rps', flags.rps, 1e6);
  const baseRate = share('--base-errors', flags.baseErrors);
  const choice = choiceOf(flags.steps, rps, baseRate);
  const plan = planRollout({
    rps,
    steps: choice.steps,
    baseRate,
    interval: positive('--interval', flags.interval, 300),
    runs: Math.ceil(positive('--runs', flags.runs, 10_000)),
    faults,
    seed: 1,
  });
  const json = () => JSON.stringify({ ...plan, ladder: choice.ladder }, null, 2);
  terminal.out(flags.output === 'json' ? json() : planText(plan, choice, terminal));
  return exitCodes.ok;
}

/** As a rollout would choose its weights at this traffic. */
function choiceOf(steps: string | undefined, rps: number, baseRate: Ratio): LadderChoice {
  const traffic = { requestsPerSecond: rps, priors: { errors: { badRates: [baseRate] } } };
  return steps === undefined
    ? chooseLadder('traffic', defaultSteps(rps), traffic, defaultPolicy)
    : chooseLadder('annotation', stepsFrom(steps), traffic, defaultPolicy);
}

function planText(
  plan: Plan,
  { ladder, steps: weights }: LadderChoice,
  terminal: Terminal,
): string {
  const paint = painter(terminal.color);
  const dim = (cells: readonly string[]): readonly string[] =>
    cells.map((cell) => paint('dim', cell));
  const steps = plan.steps.map(({ weight, next, canaryRps, seconds: spread }) => [
    `${weight} %`,
    next === 100 ? 'promotion' : `${next} %`,
    canaryRps.toPrecision(2),
    spanText(spread.median),
    spanText(spread.p90),
  ]);
  const faulty = plan.faults.map(({ rate, found, seconds: spread, failedRequests }) => [
    percentText(rate),
    percentText(found),
    failedRequests.toPrecision(2),
    spanText(spread.median),
    spanText(spread.p90),
  ]);
  const every = terminal.live ? terminal.columns : Number.POSITIVE_INFINITY;
  return [
    `At ${plan.rps} requests/s with ${percentText(plan.baseRate)} errors, a healthy release is`,
    `  promoted after ${range(plan.totalSeconds)}; ${percentText(plan.rolledBack)} rolled back`,
    `  ${ladderWords(ladder, weights)}`,
    '',
    tableText([dim(['STEP', 'THEN', 'CANARY RPS', 'MEDIAN', '9 OF 10']), ...steps], every),
    '',
    'A release that fails from its first request on:',
    tableText([dim(['FAILS', 'CAUGHT', 'FAILED REQUESTS', 'MEDIAN', '9 OF 10']), ...faulty], every),
  ].join('\n');
}

const range = ({ median, p90 }: Spread): string =>
  `${spanText(median)} (9 of 10 within ${spanText(p90)})`;

const spanText = (value: number): string =>
  Number.isFinite(value) ? describeSpan(seconds(value)) : 'never';

function positive(flag: string, text: string, most: number): number {
  const value = Number(text);
  if (!(value > 0 && value <= most)) throw usageError(`${flag} ${text}: a number up to ${most}`);
  return value;
}

function share(flag: string, text: string): Ratio {
  const value = Number(text.replace(/%$/, ''));
  if (!text.endsWith('%') || !(value >= 0 && value < 100) || text === '%') {
    throw usageError(`${flag} ${text}: write it with a percent sign, e.g. 0.1%`);
  }
  return ratio(value / 100);
}

function stepsFrom(text: string): readonly Percent[] {
  const steps = text.split(',').map(Number);
  const rising = steps.every((step, i) => step > (steps[i - 1] ?? 0) && step < 100);
  if (!rising || steps.some((step) => !Number.isInteger(step))) {
    throw usageError(`--steps ${text}: rising whole numbers below 100, e.g. 1,5,25`);
  }
  return steps.map(percent);
}
