import { type Millis, type Percent, percent, seconds } from '../lib/units.ts';
import type { RouteRef } from '../rollout/rollout-spec.ts';
import type { AnnotationContext } from './annotation-keys.ts';
import {
  type DurationRange,
  isDigit,
  leadingDigits,
  type Parsed,
  parseDuration,
  parsed,
  refused,
} from './durations.ts';
import { labelFault, subdomainFault } from './names.ts';
import { didYouMean, quote } from './problems.ts';

export const mostSteps = 50;
export const mostNames = 20;

/** Spans that a user may ask for in an annotation. */
export const spanRange: DurationRange = {
  least: seconds(10),
  most: seconds(86_400),
  units: ['s', 'm', 'h'],
};

/** One parser per kind of annotation value: linear in the length of the text, never throwing. */
export const valueParsers = {
  enabled: (text: string): Parsed<boolean> =>
    text === 'true' ? parsed(true) : refused(text === '' ? 'empty' : 'neither "true" nor "false"'),
  service: (text: string): Parsed<string> => {
    const fault = text.includes('/')
      ? 'names a Service in its own namespace only'
      : labelFault(text);
    return fault === undefined ? parsed(text) : refused(fault);
  },
  route: parseRoute,
  steps: parseSteps,
  span: (text: string): Parsed<Millis> => parseDuration(text, spanRange),
  profile: (text: string, context: AnnotationContext): Parsed<string> =>
    knownName(text, [...context.profiles.keys()], 'profile'),
  checks: parseChecks,
  notify: (text: string, context: AnnotationContext): Parsed<readonly string[]> =>
    text === 'none' ? parsed([]) : knownNames(text, context.notifiers, 'notifier'),
  onReject: (text: string) => oneOf(text, ['keep', 'revert'] as const),
  pause: (text: string) => oneOf(text, ['on-change', 'at-rest'] as const),
  flinch: (text: string): Parsed<boolean> => {
    const word = oneOf(text, ['on', 'off'] as const);
    return word.ok ? parsed(word.value === 'on') : word;
  },
};

function oneOf<Word extends string>(text: string, words: readonly Word[]): Parsed<Word> {
  const found = words.find((word) => word === text);
  if (found !== undefined) return parsed(found);
  return refused(
    text === '' ? 'empty' : `not one of ${words.join(', ')}${didYouMean(text, words)}`,
  );
}

function parseRoute(text: string, context: AnnotationContext): Parsed<RouteRef> {
  if (text === '') return refused('empty');
  const slash = text.indexOf('/');
  if (slash === -1) return refused('names no kind of route');
  const kind = text.slice(0, slash);
  const name = text.slice(slash + 1);
  if (name.includes('/')) return refused('names a route in its own namespace only: kind/name');
  const known = context.routeKinds.find((one) => one === kind);
  if (known === undefined) {
    const guess = didYouMean(kind, context.routeKinds);
    return refused(
      `${quote(kind)} is no kind of route, and no other namespace can be named${guess}`,
    );
  }
  const fault = subdomainFault(name);
  return fault === undefined ? parsed({ kind: known, name }) : refused(`the name: ${fault}`);
}

/**
 * `1,5,25`: rising whole percentages; a closing 100 is allowed and means the same as leaving it
 * out.
 */
function parseSteps(text: string): Parsed<readonly Percent[]> {
  if (text === '') return refused('empty');
  const steps: number[] = [];
  let position = 0;
  for (;;) {
    if (steps.length === mostSteps) return refused(`more than ${mostSteps} steps`);
    const rest = text.slice(position, position + 5);
    const digits = leadingDigits(rest);
    if (digits === 0) return refused(notADigit(text, position, steps.length + 1));
    if (digits > 3) return refused(`step ${steps.length + 1} is outside 1–100`);
    const fault = stepFault(Number(rest.slice(0, digits)), steps);
    if (fault !== undefined) return refused(fault);
    steps.push(Number(rest.slice(0, digits)));
    position += digits;
    if (position === text.length) break;
    if (text[position] !== ',') return refused(notADigit(text, position, steps.length));
    position += 1;
  }
  if (steps.at(-1) === 100) steps.pop();
  if (steps.length === 0) return refused('no step below 100, so that nothing would be tested');
  return parsed(steps.map(percent));
}

function stepFault(step: number, before: readonly number[]): string | undefined {
  const place = `step ${before.length + 1}`;
  if (step === 0) return `${place} is 0`;
  if (step > 100) return `${place} is ${step}, outside 1–100`;
  const last = before.at(-1);
  if (last !== undefined && step <= last) return `${place} (${step}) does not rise after ${last}`;
  return undefined;
}

function notADigit(text: string, position: number, step: number): string {
  if (position >= text.length) return `ends with a comma`;
  const character = String.fromCodePoint(text.codePointAt(position) ?? 0);
  if (character === ',') return `step ${step} is empty, at character ${position + 1}`;
  const hint = isDigit(character.charCodeAt(0)) ? '' : ' is not a whole ASCII digit or a comma';
  return `character ${position + 1} (${quote(character)})${hint}, in step ${step}`;
}

/**
 * Gauges and dry runs alone are refused: without a count of requests nothing tells traffic from
 * none, so that no step could be taken, and errors would not be seen.
 */
function parseChecks(text: string, context: AnnotationContext): Parsed<readonly string[]> {
  const names = knownNames(text, context.checks, 'check');
  if (!names.ok || names.value.some((name) => context.countingChecks.includes(name))) return names;
  return refused('none of them counts requests and acts, so that errors would not be seen');
}

function knownName(text: string, known: readonly string[], what: string): Parsed<string> {
  if (known.includes(text)) return parsed(text);
  if (text === '') return refused('empty');
  if (text.includes('://')) return refused(`a ${what} is a name of the configuration, not a URL`);
  return refused(`unknown ${what} ${quote(text)}${didYouMean(text, known)}`);
}

function knownNames(
  text: string,
  known: readonly string[],
  what: string,
): Parsed<readonly string[]> {
  const names = text.split(',', mostNames + 1);
  if (names.length > mostNames) return refused(`more than ${mostNames} names`);
  for (const [index, name] of names.entries()) {
    const result = knownName(name, known, what);
    if (!result.ok) return result;
    if (names.indexOf(name) !== index) return refused(`${quote(name)} is named twice`);
  }
  return parsed(names);
}
