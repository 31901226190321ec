import { type Instant, instant, parseRfc3339, percent } from '../lib/units.ts';
import type { Counts, Poll } from './counts.ts';

/** Columns of a recording, each with its short name as in the formulas. */
const columns = {
  time: 't',
  canary_total: 'nc',
  canary_bad: 'xc',
  stable_total: 'ns',
  stable_bad: 'xs',
  weight: 'weight',
  step: 'step',
  next: 'next',
} as const;
type Column = keyof typeof columns;
const needed: readonly Column[] = ['canary_total', 'canary_bad', 'stable_total', 'stable_bad'];
const names = Object.keys(columns) as readonly Column[];

/** Seconds between polls that carry no time. */
export const usualSpacing = 5;
const mostProblems = 20;

interface Row {
  readonly line: number;
  readonly at: Instant;
  readonly counts: Counts;
  readonly weight: number | undefined;
  readonly step: number;
  readonly next: number;
}

/**
 * Polls of a CSV with the header `time,canary_total,canary_bad,stable_total,stable_bad` (or
 * `t,nc,xc,ns,xs`), in any order and optionally with `weight` in percent, `step` and `next`. One
 * row per poll: the requests of that poll, not running totals. `time` is its end, in seconds or RFC
 * 3339; without it polls are 5 s apart.
 */
export function parseCsv(
  text: string,
): { readonly polls: readonly Poll[] } | { readonly problems: readonly string[] } {
  const lines = text.split(/\r?\n/).map((line) => line.trim());
  const header = (lines[0] ?? '').split(',').map((name) => columnOf(name.trim()));
  const problems = headerProblems(header);
  if (problems.length > 0) return { problems };
  const rows: Row[] = [];
  lines.forEach((line, i) => {
    if (i === 0 || line === '') return;
    const row = parseRow(header, line.split(','), i + 1, rows.length);
    if (typeof row === 'string') problems.push(row);
    else rows.push(row);
  });
  rows.forEach(({ at, line }, i) => {
    const before = rows[i - 1];
    if (before !== undefined && at <= before.at) {
      problems.push(`line ${line}: time is not later than in the line before`);
    }
  });
  if (rows.length < 2) problems.push('needs two rows at least');
  return problems.length > 0
    ? { problems: problems.slice(0, mostProblems) }
    : { polls: rows.map((row, i) => toPoll(row, rows[i - 1], rows[1])) };
}

const columnOf = (name: string): string => names.find((column) => columns[column] === name) ?? name;

function headerProblems(header: readonly string[]): string[] {
  const known: readonly string[] = names;
  return [
    ...needed.filter((name) => !header.includes(name)).map((name) => `column ${name} is missing`),
    ...header
      .filter((name) => !known.includes(name))
      .map((name) => `column "${name.slice(0, 40)}" is not known; use ${known.join(', ')}`),
  ];
}

function parseRow(
  header: readonly string[],
  cells: readonly string[],
  line: number,
  index: number,
): Row | string {
  const cell = (name: Column) => cells[header.indexOf(name)]?.trim();
  const at = header.includes('time')
    ? momentOf(cell('time') ?? '')
    : instant((index + 1) * usualSpacing * 1000);
  if (at === undefined) return `line ${line}: time is neither seconds nor RFC 3339`;
  const numbers = new Map<Column, number>();
  for (const name of names) {
    if (name === 'time' || !header.includes(name)) continue;
    const text = cell(name) ?? '';
    const value = Number(text);
    if (text === '' || !Number.isFinite(value) || value < 0) {
      return `line ${line}: ${name} is no number from 0`;
    }
    numbers.set(name, value);
  }
  const get = (name: Column) => numbers.get(name) ?? 0;
  const [nc, xc] = [get('canary_total'), get('canary_bad')];
  const [ns, xs] = [get('stable_total'), get('stable_bad')];
  if (xc > nc || xs > ns) return `line ${line}: more bad requests than requests`;
  const weight = numbers.get('weight');
  if (weight !== undefined && weight > 100) return `line ${line}: weight is above 100`;
  const counts = { nc, xc, ns, xs };
  return { line, at, counts, weight, step: get('step'), next: numbers.get('next') ?? 100 };
}

function momentOf(text: string): Instant | undefined {
  const value = Number(text);
  return text !== '' && Number.isFinite(value) ? instant(value * 1000) : parseRfc3339(text);
}

/** Without a weight, the split itself tells it. */
function toPoll(row: Row, before: Row | undefined, second: Row | undefined): Poll {
  const first = (second?.at ?? row.at) - row.at;
  const { nc, ns } = row.counts;
  return {
    since: before?.at ?? instant(row.at - Math.max(1, first)),
    at: row.at,
    weight: percent(row.weight ?? (nc + ns > 0 ? (100 * nc) / (nc + ns) : 0)),
    step: row.step,
    next: percent(row.next),
    checks: { errors: [row.counts] },
  };
}
