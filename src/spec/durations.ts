import { type Millis, millis } from '../lib/units.ts';

/** A value read from text, or why it cannot be read. */
export type Parsed<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly why: string };

export const parsed = <T>(value: T): Parsed<T> => ({ ok: true, value });
export const refused = (why: string): { readonly ok: false; readonly why: string } => ({
  ok: false,
  why,
});

export type DurationUnit = 'ms' | 's' | 'm' | 'h';

const unitMillis: ReadonlyMap<string, number> = new Map([
  ['ms', 1],
  ['s', 1000],
  ['m', 60_000],
  ['h', 3_600_000],
]);

export interface DurationRange {
  readonly least: Millis;
  readonly most: Millis;
  /** Units that may be used, smallest first. */
  readonly units: readonly DurationUnit[];
}

/**
 * A number of whole ASCII digits and one unit: `30s`, `5m`, `2h`. Nothing else, no sums, no
 * fractions.
 */
export function parseDuration(text: string, range: DurationRange): Parsed<Millis> {
  if (text === '') return refused('empty');
  if (text.length > 12) return refused('not a duration');
  const digits = leadingDigits(text);
  const unit = text.slice(digits);
  if (digits === 0) {
    return refused(text.startsWith('-') ? 'negative' : 'not a duration: it begins with no digit');
  }
  if (unit === '') return refused('has no unit');
  const scale = unitMillis.get(unit);
  if (scale === undefined || !range.units.some((known) => known === unit)) {
    return refused(`"${printable(unit)}" is not a unit`);
  }
  const span = Number(text.slice(0, digits)) * scale;
  if (span < range.least) return refused(`less than ${durationText(range.least)}`);
  if (span > range.most) return refused(`more than ${durationText(range.most)}`);
  return parsed(millis(span));
}

/** Number of ASCII digits at the start. */
export function leadingDigits(text: string): number {
  let index = 0;
  while (index < text.length && isDigit(text.charCodeAt(index))) index += 1;
  return index;
}

export const isDigit = (code: number): boolean => code >= 48 && code <= 57;

/** Only what can stand in a message as it is; the whole value is quoted beside it anyway. */
const printable = (text: string): string =>
  Array.from(text, (c) => (c >= ' ' && c <= '~' && c !== '"' && c !== '\\' ? c : '?')).join('');

/** The shortest text that {@link parseDuration} reads back as the same span. */
export function durationText(span: Millis): string {
  if (span >= 3_600_000 && span % 3_600_000 === 0) return `${span / 3_600_000}h`;
  if (span >= 60_000 && span % 60_000 === 0) return `${span / 60_000}m`;
  if (span % 1000 === 0) return `${span / 1000}s`;
  return `${span}ms`;
}

/** `at least 10s, at most 24h; units: s, m, h` */
export const durationRule = (range: DurationRange): string =>
  `use a whole number with one unit of ${range.units.join(', ')}, ` +
  `from ${durationText(range.least)} to ${durationText(range.most)}, e.g. "5m"`;
