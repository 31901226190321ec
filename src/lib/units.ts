// Branded numbers: a value carries its unit in its type, so that a percentage is never taken for a
// ratio nor milliseconds for seconds. A brand costs nothing at run time.

declare const unit: unique symbol;
type Branded<Name extends string> = number & { readonly [unit]: Name };

/** Share of the route's requests in percent, 0 to 100. */
export type Percent = Branded<'percent'>;
/** Share as a fraction, 0 to 1. */
export type Ratio = Branded<'ratio'>;
/** A span of time in milliseconds. */
export type Millis = Branded<'millis'>;
/** A moment: milliseconds since the Unix epoch. */
export type Instant = Branded<'instant'>;

export const percent = (value: number): Percent => value as Percent;
export const ratio = (value: number): Ratio => value as Ratio;
export const millis = (value: number): Millis => value as Millis;
export const seconds = (value: number): Millis => (value * 1000) as Millis;
export const minutes = (value: number): Millis => (value * 60_000) as Millis;
export const instant = (epochMillis: number): Instant => epochMillis as Instant;

export const toRatio = (value: Percent): Ratio => (value / 100) as Ratio;
export const later = (moment: Instant, by: Millis): Instant => (moment + by) as Instant;
/** Time from `start` to `end`; negative when `end` lies before `start`. */
export const elapsed = (start: Instant, end: Instant): Millis => (end - start) as Millis;
export const toSeconds = (span: Millis): number => span / 1000;

/** RFC 3339 in UTC with milliseconds, as annotations and logs carry it. */
export function toRfc3339(moment: Instant): string {
  const whole = Math.floor(moment);
  const days = Math.floor(whole / 86_400_000);
  const rest = whole - days * 86_400_000;
  const { year, month, day } = civilFromDays(days);
  const two = (n: number) => String(n).padStart(2, '0');
  const time = [3_600_000, 60_000, 1000].map((size, i) =>
    two(Math.floor(rest / size) % (i === 0 ? 24 : 60)),
  );
  const fraction = String(rest % 1000).padStart(3, '0');
  const date = `${String(year).padStart(4, '0')}-${two(month)}-${two(day)}`;
  return `${date}T${time.join(':')}.${fraction}Z`;
}

/**
 * Proleptic Gregorian date of a day count since 1970-01-01. Source: H. Hinnant, chrono-compatible
 * algorithms.
 */
function civilFromDays(days: number): { year: number; month: number; day: number } {
  const shifted = days + 719_468;
  const era = Math.floor(shifted / 146_097);
  const dayOfEra = shifted - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra -
      Math.floor(dayOfEra / 1460) +
      Math.floor(dayOfEra / 36_524) -
      Math.floor(dayOfEra / 146_096)) /
      365,
  );
  const dayOfYear =
    dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const monthIndex = Math.floor((5 * dayOfYear + 2) / 153);
  const day = dayOfYear - Math.floor((153 * monthIndex + 2) / 5) + 1;
  const month = monthIndex < 10 ? monthIndex + 3 : monthIndex - 9;
  return { year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day };
}

const rfc3339 = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?Z$/;

/**
 * Strict reading of an RFC 3339 moment in UTC; `undefined` for anything else, e.g. February 30th.
 */
export function parseRfc3339(text: string): Instant | undefined {
  const match = rfc3339.exec(text);
  if (match === null) return undefined;
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  if (hour > 23 || minute > 59 || second > 59) return undefined;
  const fraction = Math.floor(Number(`0.${match[7] ?? '0'}`) * 1000);
  const days = daysFromCivil(year, month, day);
  const back = civilFromDays(days);
  if (back.year !== year || back.month !== month || back.day !== day) return undefined;
  return instant(days * 86_400_000 + hour * 3_600_000 + minute * 60_000 + second * 1000 + fraction);
}

function daysFromCivil(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year;
  const era = Math.floor(y / 400);
  const yearOfEra = y - era * 400;
  const dayOfYear = Math.floor((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) + day - 1;
  const dayOfEra =
    yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146_097 + dayOfEra - 719_468;
}

/** `90 s`, `4 min 5 s`, `2 h 3 min`: a span as people read it. */
export function describeSpan(span: Millis): string {
  const total = Math.round(span / 1000);
  if (total < 120) return `${total} s`;
  const minutesWhole = Math.floor(total / 60);
  if (minutesWhole < 120)
    return total % 60 === 0 ? `${minutesWhole} min` : `${minutesWhole} min ${total % 60} s`;
  const hours = Math.floor(minutesWhole / 60);
  return minutesWhole % 60 === 0 ? `${hours} h` : `${hours} h ${minutesWhole % 60} min`;
}
