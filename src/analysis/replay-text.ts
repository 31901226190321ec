import { instant, percent } from '../lib/units.ts';
import type { CheckCounts, Counts, Poll } from './counts.ts';
import type { PolicyAdjustment } from './replay.ts';
import { parseCsv, usualSpacing } from './replay-csv.ts';

/** What `replayPolls` needs from a file, or all that is wrong with it. */
export type ReplayText =
  | {
      readonly polls: readonly Poll[];
      readonly adjust?: PolicyAdjustment;
      readonly recorded?: readonly number[];
    }
  | { readonly problems: readonly string[] };

/**
 * Reads any of
 *  - CSV, see `parseCsv`;
 *  - JSON of a sequence, `{alpha?, phi?, rho?, delta?, pHat?, polls: [{weight, counts: {nc, xc, ns,
 *    xs}, newStep?, t?, kappa?, lnE?}]}`: weight a ratio, `t` the poll's end in seconds, 5 s apart
 *    without; `kappa` overrides the counted odds, `lnE` is compared with;
 *  - JSON of a rollout, `{"polls": […]}`, as it is exported: polls, or records with `poll`.
 */
export const parseReplay = (text: string): ReplayText =>
  text.trimStart().startsWith('{') ? parseJson(text) : parseCsv(text);

const mostProblems = 20;

function parseJson(text: string): ReplayText {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return { problems: [`no JSON: ${error instanceof Error ? error.message : ''}`] };
  }
  const list = isRecord(value) ? value.polls : undefined;
  if (!isRecord(value) || !Array.isArray(list)) return { problems: ['has no list "polls"'] };
  if (list.length === 0) return { problems: ['"polls" is empty'] };
  const items: readonly unknown[] = list;
  const [first] = items;
  return isRecord(first) && 'counts' in first ? sequence(value, items) : rollout(items);
}

function rollout(items: readonly unknown[]): ReplayText {
  const polls: Poll[] = [];
  const recorded: number[] = [];
  const problems: string[] = [];
  items.forEach((item, i) => {
    const inner = isRecord(item) && isRecord(item.poll) ? item.poll : item;
    if (isPoll(inner)) polls.push(inner);
    else problems.push(`polls[${i}] is no poll`);
    if (isRecord(item) && isNumber(item.lnE)) recorded.push(item.lnE);
  });
  return result(polls, recorded, problems);
}

function sequence(head: Readonly<Record<string, unknown>>, items: readonly unknown[]): ReplayText {
  const polls: Poll[] = [];
  const recorded: number[] = [];
  const problems = (['alpha', 'phi', 'rho', 'delta', 'pHat'] as const)
    .filter((name) => head[name] !== undefined && !isAmount(head[name]))
    .map((name) => `${name} is no number from 0`);
  const spacing = firstSpacing(items);
  items.forEach((item, i) => {
    const before = polls.at(-1);
    const poll = sequencePoll(item, before, spacing, head);
    if (typeof poll === 'string') problems.push(`polls[${i}]: ${poll}`);
    else polls.push(poll);
    if (isRecord(item) && isNumber(item.lnE)) recorded.push(item.lnE);
  });
  const { alpha, rho, delta } = head;
  const adjust = {
    ...(isNumber(alpha) ? { alpha } : {}),
    ...(isNumber(rho) ? { rho } : {}),
    ...(isNumber(delta) ? { delta } : {}),
  };
  return result(polls, recorded, problems, adjust);
}

function result(
  polls: readonly Poll[],
  recorded: readonly number[],
  problems: readonly string[],
  adjust?: PolicyAdjustment,
): ReplayText {
  if (problems.length > 0) return { problems: problems.slice(0, mostProblems) };
  return {
    polls,
    ...(adjust === undefined ? {} : { adjust }),
    ...(recorded.length === polls.length ? { recorded } : {}),
  };
}

function sequencePoll(
  item: unknown,
  before: Poll | undefined,
  spacing: number,
  { phi, pHat }: Readonly<Record<string, unknown>>,
): Poll | string {
  if (!isRecord(item) || !isCounts(item.counts)) return 'counts need nc, xc, ns and xs from 0';
  const { weight, t, newStep, kappa } = item;
  if (!isAmount(weight) || weight > 1) return 'weight is no ratio from 0 to 1';
  if (t !== undefined && !isNumber(t)) return 't is no number of seconds';
  if (kappa !== undefined && !isAmount(kappa)) return 'kappa is no number from 0';
  const since = before?.at ?? instant(t === undefined ? 0 : (t - spacing) * 1000);
  const at = instant(t === undefined ? since + usualSpacing * 1000 : t * 1000);
  if (at <= since) return 't is not later than before';
  const prior = {
    ...(isNumber(pHat) ? { badRates: [pHat] } : {}),
    ...(isNumber(phi) ? { dispersion: phi } : {}),
  };
  return {
    since,
    at,
    weight: percent(weight * 100),
    step: (before?.step ?? 0) + (newStep === true ? 1 : 0),
    next: percent(100),
    ...(kappa === undefined ? {} : { odds: kappa }),
    priors: { errors: prior },
    checks: { errors: [item.counts] },
  };
}

/** Length of the first poll: as the second, where they carry times. */
function firstSpacing(items: readonly unknown[]): number {
  const [a, b] = items.slice(0, 2).map((item) => (isRecord(item) ? item.t : undefined));
  return isNumber(a) && isNumber(b) && b > a ? b - a : usualSpacing;
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isNumber = (value: unknown): value is number => Number.isFinite(value);
const isAmount = (value: unknown): value is number => isNumber(value) && value >= 0;

const isCounts = (value: unknown): value is Counts =>
  isRecord(value) && [value.nc, value.xc, value.ns, value.xs].every(isAmount);

function isPoll(value: unknown): value is Poll {
  if (!isRecord(value) || !isRecord(value.checks)) return false;
  const numbers = [value.since, value.at, value.weight, value.step, value.next];
  return numbers.every(isNumber) && Object.values(value.checks).every(isCheckCounts);
}

function isCheckCounts(value: unknown): value is CheckCounts {
  if (Array.isArray(value)) return value.every(isCounts);
  return (
    isRecord(value) &&
    [value.canary, value.stable].every((side) => Array.isArray(side) && side.every(isNumber))
  );
}
