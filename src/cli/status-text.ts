import { lossWords } from '../analysis/loss-words.ts';
import { rateWords } from '../analysis/restart-words.ts';
import { describeSpan, elapsed, type Instant, instant, millis } from '../lib/units.ts';
import { thousands } from '../notifiers/facts.ts';
import { cutAt, type Paint, phaseStyle, printable, tableText } from './paint.ts';
import type { RolloutStatus, StatusCheck } from './rollout-status.ts';

export interface TextOptions {
  readonly paint: Paint;
  readonly now: Instant;
  readonly columns: number;
}

/** The same status with every text safe to print. */
const plain = (status: RolloutStatus): RolloutStatus =>
  JSON.parse(JSON.stringify(status), (_key, value: unknown) =>
    typeof value === 'string' ? printable(value) : value,
  ) as RolloutStatus;

/** Many Deployments, one line each. */
export function statusTable(
  all: readonly RolloutStatus[],
  { paint, now, columns }: TextOptions,
): string {
  const statuses = all.map(plain);
  const head = ['NAMESPACE', 'NAME', 'PHASE', 'WEIGHT', 'STEP', 'CANARY', 'STABLE', 'AGE', 'WHY'];
  const rows = statuses.map((status) => {
    const check = status.checks.find(({ dryRun, per }) => !dryRun && per === undefined);
    return [
      status.namespace,
      status.deployment,
      paint(phaseStyle[status.phase], status.phase),
      isLive(status) ? `${status.weightPercent} %` : '',
      isLive(status) ? `${status.step}/${status.steps.length}` : '',
      check === undefined ? '' : percentText(check.canaryRatio),
      check === undefined ? '' : percentText(check.stableRatio),
      status.startedAtMillis === null ? '' : spanSince(status.startedAtMillis, now),
      status.problems[0] ?? (status.phase === 'rest' ? '' : status.because),
    ];
  });
  return tableText([head.map((word) => paint('dim', word)), ...rows], columns);
}

/** One Deployment on a few lines, with everything that is known of its rollout. */
export function statusCard(shown: RolloutStatus, options: TextOptions): string {
  const status = plain(shown);
  const { paint, now, columns } = options;
  const where = `${status.namespace}/${status.deployment}`;
  const title = `${paint('bold', where)}  ${paint(phaseStyle[status.phase], status.phase)}`;
  const lines = [isLive(status) ? `${title}  ${progress(status, paint)}` : title];
  const say = (name: string, text: string): void => {
    lines.push(`  ${paint('dim', name.padEnd(9))} ${text}`);
  };
  for (const problem of status.problems) say('problem', paint('red', problem));
  if (status.problems.length === 0) say('why', withRule(status));
  for (const { container, from, to } of isLive(status) ? status.images : []) {
    say('image', `${container}: ${from} → ${to}`);
  }
  if (status.phase !== 'not-opted-in') say('revision', revisions(status));
  // Later than the first step it is history.
  if (status.ladder !== null && status.step <= 1) say('steps', status.ladder);
  for (const check of status.checks) say('check', checkText(check));
  if (status.alphaShare < 1) say('lost', lossWords(status.alphaShare));
  if (status.exposedRequests > 0) {
    const { exposedRequests, failedRequests } = status;
    say('exposed', `${thousands(exposedRequests)} requests, ${thousands(failedRequests)} failed`);
  }
  if (status.pausedBy !== null) say('paused', `by ${status.pausedBy}`);
  if (status.request !== null && !status.request.taken) {
    say('asked', `${status.request.verb} by ${status.request.by ?? 'somebody'}, not taken yet`);
  }
  if (status.startedAtMillis !== null) say('since', ages(status, status.startedAtMillis, now));
  return lines.map((line) => cutAt(line, columns)).join('\n');
}

/** One line for logs, where nothing can be redrawn. */
export function statusLine(shown: RolloutStatus, paint: Paint): string {
  const status = plain(shown);
  const weight = isLive(status)
    ? ` ${status.weightPercent} % step ${status.step}/${status.steps.length}`
    : '';
  const phase = paint(phaseStyle[status.phase], status.phase);
  return `${status.namespace}/${status.deployment} ${phase}${weight}: ${withRule(status)}`;
}

const quiet: ReadonlySet<RolloutStatus['phase']> = new Set([
  'rest',
  'rejected',
  'invalid',
  'not-opted-in',
]);

/** A rollout is under way. */
export const isLive = ({ phase }: RolloutStatus): boolean => !quiet.has(phase);

/** The reason and its rule; while going back the rules take turns, but the reason stays. */
const withRule = ({ phase, rule, because }: RolloutStatus): string =>
  rule === '' || phase === 'rolling-back' ? because : `${because} (${rule})`;

/** `▰▰▱▱▱▱  5 %  step 2 of 5`: one mark for each step and one for promotion. */
function progress(status: RolloutStatus, paint: Paint): string {
  const { step, steps, weightPercent } = status;
  const done = status.phase === 'promoting' ? steps.length + 1 : step;
  const bar = '▰'.repeat(done) + '▱'.repeat(Math.max(0, steps.length + 1 - done));
  const colored = paint(phaseStyle[status.phase], bar);
  return `${colored}  ${weightPercent} %  step ${step} of ${steps.length}`;
}

function revisions({ revision, stableRevision, attempt, replicas }: RolloutStatus): string {
  const again = attempt > 1 ? `, attempt ${attempt}` : '';
  if (replicas.canary === 0) return `${revision}${again}`;
  const pods = `${replicas.canaryAvailable} of ${replicas.canary} pods`;
  return `${revision}${again} (${pods}) beside ${stableRevision ?? '?'} (${replicas.stable} pods)`;
}

function checkText(shown: StatusCheck): string {
  const { check, dryRun, canaryRatio, stableRatio, evidence } = shown;
  const [canary, stable] = [valueText(shown, canaryRatio), valueText(shown, stableRatio)];
  const ratios = `canary ${canary}, stable ${stable}`;
  const told = `${ratios}, evidence against it ${number(evidence)}`;
  return dryRun ? `${check} ${dryRunMark}: ${told}, never acts` : `${check}: ${told}`;
}

/** Beside the name of a check whose figures move nothing. */
export const dryRunMark = '(dry run)';

function ages({ updatedAtMillis }: RolloutStatus, startedAt: number, now: Instant): string {
  const began = `${spanSince(startedAt, now)} ago`;
  if (updatedAtMillis === null) return began;
  return `${began}; evidence as of ${spanSince(updatedAtMillis, now)} ago`;
}

const spanSince = (from: number, now: Instant): string =>
  describeSpan(millis(Math.max(0, elapsed(instant(from), now))));

const number = (value: number): string =>
  value >= 100 ? thousands(Math.round(value)) : value.toPrecision(2);

const valueText = ({ per }: StatusCheck, value: number): string =>
  per === undefined ? percentText(value) : rateWords(value);

/** `0.12 %`: two digits that tell something. */
export function percentText(ratio: number): string {
  const value = ratio * 100;
  if (value === 0) return '0 %';
  return `${value >= 10 ? value.toFixed(0) : value.toPrecision(2)} %`;
}
