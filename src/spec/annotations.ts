import { invariant } from '../lib/errors.ts';
import type { Problem, RolloutSpec } from '../rollout/rollout-spec.ts';
import { type AnnotationContext, userKeys } from './annotation-keys.ts';
import { valueParsers } from './annotation-values.ts';
import { durationText, type Parsed } from './durations.ts';
import { didYouMean, listed, problem } from './problems.ts';

export const annotationPrefix = 'haldane.dev/';
/** Longest value that is looked at, in UTF-16 units; no valid value comes near it. */
export const annotationLimit = 4096;

/** Keys that the controller writes, and `request`, which has its own parser. */
export const writtenKeys = [
  'stable',
  'rejected',
  'rollout',
  'original-progress-deadline',
  'request',
  'notified',
] as const;

export type ParsedAnnotations =
  | {
      readonly ok: true;
      /** `false`: not opted in, or opted out; `spec` then holds only defaults. */
      readonly enabled: boolean;
      readonly spec: RolloutSpec;
      /** The user wrote the steps: they are obeyed whatever the traffic. */
      readonly stepsGiven: boolean;
      /**
       * Worth telling although nothing is refused: keys of ours on a Deployment that is not opted
       * in.
       */
      readonly notes: readonly Problem[];
    }
  | { readonly ok: false; readonly problems: readonly Problem[] };

type Values = ReadonlyMap<string, string>;

/**
 * Reads the annotations of one Deployment; everything wrong is reported at once and nothing throws.
 *
 * Opting out always works: without `haldane.dev/enabled`, or with exactly `"false"`, no other value
 * is judged, since a typing error must not keep a Deployment under control.
 */
export function parseAnnotations(
  annotations: Readonly<Record<string, string>>,
  context: AnnotationContext,
): ParsedAnnotations {
  const values = valuesUnderPrefix(annotations);
  const enabled = values.get('enabled');
  if (enabled === undefined || enabled === 'false') {
    const notes = enabled === undefined ? unknownKeys(values) : [];
    const spec = readSpec(new Map(), context, []);
    return { ok: true, enabled: false, spec, stepsGiven: false, notes };
  }
  const problems = unknownKeys(values);
  const spec = readSpec(values, context, problems);
  if (problems.length === 0) problems.push(...stepTimeProblems(values, spec));
  if (problems.length > 0) return { ok: false, problems };
  return { ok: true, enabled: true, spec, stepsGiven: values.has('steps'), notes: [] };
}

/** The longest step must leave room for the shortest, whoever set which. */
function stepTimeProblems(values: Values, { minStep, maxStep, bake }: RolloutSpec): Problem[] {
  const least = bake > minStep ? 'bake' : 'min-step';
  const span = Math.max(bake, minStep) as typeof minStep;
  if (maxStep > span) return [];
  const key = values.has('max-step') ? 'max-step' : least;
  const why = `max-step is ${durationText(maxStep)} and ${least} is ${durationText(span)}`;
  const allowed = 'the longest time at a weight must be longer than the shortest';
  return [problem(`${annotationPrefix}${key}`, values.get(key), why, allowed)];
}

function valuesUnderPrefix(annotations: Readonly<Record<string, string>>): Values {
  const values = new Map<string, string>();
  for (const [key, value] of Object.entries(annotations)) {
    if (key.startsWith(annotationPrefix)) values.set(key.slice(annotationPrefix.length), value);
  }
  return values;
}

function unknownKeys(values: Values): Problem[] {
  const known = [...userKeys.keys()];
  const problems: Problem[] = [];
  for (const key of values.keys()) {
    if (userKeys.has(key) || writtenKeys.some((written) => written === key)) continue;
    const guess = didYouMean(key, known);
    const name = `${annotationPrefix}${key}`;
    problems.push(problem(name, undefined, `unknown key${guess}`, `known: ${listed(known, 20)}`));
  }
  return problems;
}

function readSpec(values: Values, context: AnnotationContext, problems: Problem[]): RolloutSpec {
  const read = <T>(key: string, parse: (text: string, context: AnnotationContext) => Parsed<T>) => {
    const text = values.get(key);
    if (text === undefined) return undefined;
    const name = `${annotationPrefix}${key}`;
    // Asked for when something is wrong: most annotations are right, and the words are long.
    const refuse = (shown: string | undefined, why: string): undefined => {
      problems.push(problem(name, shown, why, userKeys.get(key)?.allowed(context) ?? ''));
    };
    if (typeof text !== 'string') {
      return refuse(undefined, 'not a text');
    }
    if (text.length > annotationLimit) {
      return refuse(undefined, `${text.length} characters, over the limit of ${annotationLimit}`);
    }
    const result = parse(text, context);
    return result.ok ? result.value : refuse(text, result.why);
  };
  return specOf(read, context);
}

type Read = <T>(
  key: string,
  parse: (text: string, context: AnnotationContext) => Parsed<T>,
) => T | undefined;

function specOf(read: Read, { defaults, profiles }: AnnotationContext): RolloutSpec {
  read('enabled', valueParsers.enabled);
  const name = read('profile', valueParsers.profile) ?? defaults.profile;
  const profile = profiles.get(name);
  invariant(profile !== undefined, `profile ${name} is not configured`);
  const service = read('service', valueParsers.service);
  const route = read('route', valueParsers.route);
  const pause = read('pause', valueParsers.pause);
  return {
    ...(service === undefined ? {} : { service }),
    ...(route === undefined ? {} : { route }),
    steps: read('steps', valueParsers.steps) ?? defaults.steps,
    profile: name,
    checks: read('checks', valueParsers.checks) ?? defaults.checks,
    minStep: read('min-step', valueParsers.span) ?? profile.minStep,
    maxStep: read('max-step', valueParsers.span) ?? profile.maxStep,
    bake: read('bake', valueParsers.span) ?? profile.bake,
    onReject: read('on-reject', valueParsers.onReject) ?? defaults.onReject,
    notify: read('notify', valueParsers.notify) ?? defaults.notify,
    ...(pause === undefined ? {} : { pause }),
    flinch: read('flinch', valueParsers.flinch) ?? profile.flinch,
  };
}
