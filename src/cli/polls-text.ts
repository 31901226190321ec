import { excessSurety, excessWords } from '../analysis/excess-words.ts';
import type { ExplainedCheck, ExplainedPoll, Share } from '../analysis/explained.ts';
import type { Interval } from '../analysis/interval.ts';
import { countWords, podHours } from '../analysis/restart-words.ts';
import { describeSpan, elapsed, type Instant, seconds } from '../lib/units.ts';
import { thousands } from '../notifiers/facts.ts';
import { printable, tableText } from './paint.ts';
import { dryRunMark, percentText, type TextOptions } from './status-text.ts';

const head = [
  'AGO',
  'WEIGHT',
  'TELLS MOST',
  'CANARY',
  'STABLE',
  'EXCESS',
  'EVIDENCE',
  'STILL NEEDED',
  'NEXT STEP',
] as const;

/** One line for each poll: the check that tells most, as counted in the step so far. */
export function pollsTable(
  polls: readonly ExplainedPoll[],
  { paint, now, columns }: TextOptions,
): string {
  const rows = polls.map((poll) => rowOf(poll, now));
  return tableText([head.map((word) => paint('dim', word)), ...rows], columns);
}

function rowOf(poll: ExplainedPoll, now: Instant): readonly string[] {
  const told = blamed(poll);
  const weight = `${poll.weightPercent} %${poll.settling ? ' …' : ''}`;
  return [
    describeSpan(elapsed(poll.atMillis, now)),
    weight,
    told === undefined ? '' : nameOf(told),
    told === undefined ? '' : shareText(told, told.canary),
    told === undefined ? '' : shareText(told, told.stable),
    told?.excess ? rangeText(told.excess) : '',
    `${evidenceText(poll.evidence)} of ${thousands(Math.round(poll.evidenceNeeded))}`,
    poll.requestsNeeded === null ? '' : requestsText(poll.requestsNeeded),
    nextText(poll),
  ];
}

/** The check to blame, else the first. */
const blamed = ({ blame, checks }: ExplainedPoll): ExplainedCheck | undefined =>
  checks.find(({ check }) => check === blame) ?? checks[0];

function nextText(poll: ExplainedPoll): string {
  if (poll.verdict === 'fail') return 'rolled back';
  if (poll.secondsToNextStep === null) return 'not known';
  return poll.secondsToNextStep === 0 ? 'now' : `in ${spanText(poll.secondsToNextStep)}`;
}

const spanText = (span: number): string => describeSpan(seconds(span));

/** What the last poll says of each check, in sentences. */
export function pollWords(poll: ExplainedPoll): readonly string[] {
  const checks = poll.checks.map((check) => checkWords(check));
  const { requestsNeeded: requests, secondsToNextStep: span } = poll;
  const enough = requests === 0 ? 'no more requests' : `about ${requestsText(requests ?? 0)}`;
  if (poll.verdict !== 'inconclusive' || requests === null) return checks;
  const time = span === null ? '' : `, ${spanText(span)} at the traffic of this step`;
  return [...checks, `the next step needs ${enough}${time}`];
}

function checkWords(check: ExplainedCheck): string {
  const { canary, stable, excess } = check;
  const [here, there] = [countText(check, canary), countText(check, stable)];
  const told = `${nameOf(check)}: ${here} in the canary, ${there} in stable`;
  return excess === null
    ? told
    : `${told}; its bad share is ${excessWords(excess)} (${excessSurety})`;
}

function nameOf({ check, boundSeconds, dryRun }: ExplainedCheck): string {
  const name = printable(boundSeconds === null ? check : `${check} > ${boundSeconds} s`);
  return dryRun ? `${name} ${dryRunMark}` : name;
}

function shareText({ per }: ExplainedCheck, share: Share): string {
  if (share.total === 0) return 'none';
  return per === undefined
    ? `${counts(share)} ${percentText(share.bad / share.total)}`
    : `${share.bad} in ${podHours(share.total)} pod-h`;
}

const countText = ({ per }: ExplainedCheck, share: Share): string =>
  per === undefined ? `${counts(share)} bad` : countWords(share);

const counts = ({ bad, total }: Share): string =>
  `${thousands(Math.round(bad))} of ${thousands(Math.round(total))}`;

/** `−0.40 … +4.1 pts`. */
const rangeText = ({ low, high }: Interval): string => `${signed(low)} … ${signed(high)} pts`;

function signed(ratio: number): string {
  const points = Math.abs(ratio) * 100;
  const digits = points === 0 || points >= 9.95 ? 0 : points >= 0.995 ? 1 : 2;
  return `${ratio < 0 ? '−' : '+'}${points.toFixed(digits)}`;
}

const requestsText = (requests: number): string =>
  `${thousands(requests)} ${requests === 1 ? 'request' : 'requests'}`;

/** Small ones change with each poll, large ones are read as a number of hundreds. */
const evidenceText = (value: number): string =>
  value >= 99_999 ? 'over 99,999' : value >= 10 ? thousands(Math.floor(value)) : value.toFixed(1);
