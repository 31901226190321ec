import { z } from 'zod';
import { type Millis, millis, type Ratio, ratio } from '../lib/units.ts';
import { type DurationUnit, durationRule, leadingDigits, parseDuration } from './durations.ts';

// The building blocks of the configuration's schema. Each reads the text that people write and
// gives the typed value; `meta` feeds the reference page.

const durationUnits: readonly DurationUnit[] = ['ms', 's', 'm', 'h'];

/** A span such as `250ms`, `30s`, `5m`, `2h` between two bounds. */
export function span(least: number, most: number) {
  const range = { least: millis(least), most: millis(most), units: durationUnits };
  return z
    .string({ error: durationRule(range) })
    .transform((text, context): Millis => {
      const result = parseDuration(text, range);
      if (result.ok) return result.value;
      context.addIssue({ code: 'custom', message: `${result.why}; ${durationRule(range)}` });
      return z.NEVER;
    })
    .meta({ form: 'duration', allowed: durationRule(range) });
}

/** A share such as `1%` or `0.25%`, strictly between 0 % and 100 % unless zero is allowed. */
export function share(options: { readonly zero?: boolean; readonly most?: number } = {}) {
  const most = options.most ?? 100;
  const bounds = options.zero === true ? `from 0% to ${most}%` : `above 0%, up to ${most}%`;
  const allowed = `write it with a percent sign, ${bounds}, e.g. "0.5%"`;
  return z
    .string({ error: allowed })
    .transform((text, context): Ratio => {
      const value = readPercent(text);
      const inside =
        value !== undefined && value <= most && (options.zero === true ? value >= 0 : value > 0);
      if (inside) return ratio(value / 100);
      context.addIssue({ code: 'custom', message: `not a share; ${allowed}` });
      return z.NEVER;
    })
    .meta({ form: 'percentage', allowed });
}

/**
 * Digits, at most one dot with digits behind it, and a percent sign; `undefined` for anything else.
 */
function readPercent(text: string): number | undefined {
  if (!text.endsWith('%') || text.length > 12) return undefined;
  const number = text.slice(0, -1);
  const whole = leadingDigits(number);
  if (whole === 0) return undefined;
  const rest = number.slice(whole);
  if (rest === '') return Number(number);
  const fraction = leadingDigits(rest.slice(1));
  if (rest[0] !== '.' || fraction === 0 || fraction !== rest.length - 1) return undefined;
  return Number(number);
}

export function wholeNumber(least: number, most: number) {
  return z
    .int({ error: `use a whole number from ${least} to ${most}` })
    .min(least, { error: `use a whole number from ${least} to ${most}` })
    .max(most, { error: `use a whole number from ${least} to ${most}` });
}

export function factor(least: number, most: number) {
  const error = `use a number from ${least} to ${most}`;
  return z.number({ error }).min(least, { error }).max(most, { error });
}

/** Names that users and annotations refer to. */
export const configName = z.string().regex(/^[a-z][a-z0-9-]{0,39}$/, {
  error: 'use 1 to 40 small letters, digits and hyphens, beginning with a letter',
});

/** Names to values; becomes a Map, so that `constructor` is never found by accident. */
export function named<Value extends z.ZodType>(value: Value) {
  return z
    .record(configName, value)
    .transform(
      (entries): ReadonlyMap<string, z.output<Value>> => new Map(Object.entries(entries)) as never,
    );
}

/** A file that is read at run time: secrets stand in files, never in the configuration. */
export const filePath = z
  .string()
  .max(1024)
  .refine((text) => text.startsWith('/') && !text.includes('\0'), {
    error: 'use the absolute path of a mounted file; the secret itself does not belong here',
    params: { secret: true },
  });

/** PromQL text; its grammar is checked when the templates are compiled. */
export const promqlText = z.string().min(1, { error: 'is empty' }).max(4096);
