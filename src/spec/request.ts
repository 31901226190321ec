import { type RequestVerb, type RolloutRequest, requestVerbs } from '../rollout/rollout-spec.ts';
import { annotationLimit } from './annotations.ts';
import { isDigit, type Parsed, parsed, refused } from './durations.ts';
import { consistsOf, isLowerAlphanumeric } from './names.ts';
import { didYouMean, quote } from './problems.ts';

/** Requests that raise weight name the step, so that a late click cannot raise it further. */
const needsStep: ReadonlySet<RequestVerb> = new Set(['promote', 'skip-step']);

export const requestForm =
  'use "<verb> revision=<hash> step=<number> id=<letters, digits, . _ ->" with an optional ' +
  `by=<name>, one space between; verbs: ${requestVerbs.join(', ')}; ` +
  'only promote and skip-step need the step';

/**
 * Reads `promote revision=ab12cd34ef step=2 id=7f3k by=alice`: a verb, then fields in any order,
 * each at most once, one space between. Linear in the length, never throws.
 */
export function parseRequest(text: string): Parsed<RolloutRequest> {
  if (text.length > annotationLimit) return refused(`${text.length} characters, too long`);
  const [word = '', ...fields] = text.split(' ', 8);
  const verb = requestVerbs.find((known) => known === word);
  if (verb === undefined) {
    return refused(
      text === '' ? 'empty' : `unknown verb ${quote(word)}${didYouMean(word, requestVerbs)}`,
    );
  }
  const values = new Map<string, string>();
  for (const field of fields) {
    const fault = addField(field, values);
    if (fault !== undefined) return refused(fault);
  }
  return complete(verb, values);
}

/** The text that {@link parseRequest} reads back as the same request. */
export function formatRequest(request: RolloutRequest): string {
  const step = request.step === undefined ? '' : ` step=${request.step}`;
  const by = request.by === undefined ? '' : ` by=${request.by}`;
  return `${request.verb} revision=${request.revision}${step} id=${request.id}${by}`;
}

const fieldRules: ReadonlyMap<string, (value: string) => boolean> = new Map([
  ['revision', (value: string) => consistsOf(value, isLowerAlphanumeric, 5, 63)],
  ['step', (value: string) => consistsOf(value, isDigit, 1, 2)],
  ['id', (value: string) => consistsOf(value, isIdCharacter, 1, 64)],
  ['by', (value: string) => consistsOf(value, isPlainCharacter, 1, 128)],
]);

function addField(field: string, values: Map<string, string>): string | undefined {
  const equals = field.indexOf('=');
  if (equals === -1) return `${quote(field)} is no field=value`;
  const name = field.slice(0, equals);
  const value = field.slice(equals + 1);
  const rule = fieldRules.get(name);
  if (rule === undefined)
    return `unknown field ${quote(name)}${didYouMean(name, fieldRules.keys())}`;
  if (values.has(name)) return `${name} is given twice`;
  if (!rule(value)) return `${name}=${quote(value)} is malformed`;
  values.set(name, value);
  return undefined;
}

function complete(verb: RequestVerb, values: ReadonlyMap<string, string>): Parsed<RolloutRequest> {
  const revision = values.get('revision');
  const id = values.get('id');
  const step = values.get('step');
  if (revision === undefined) return refused('revision is missing');
  if (id === undefined) return refused('id is missing');
  if (step === undefined && needsStep.has(verb)) return refused(`${verb} needs the step`);
  const number = step === undefined ? undefined : Number(step);
  return parsed({ verb, revision, id, step: number, by: values.get('by') });
}

const isIdCharacter = (code: number): boolean =>
  isLowerAlphanumeric(code) ||
  (code >= 65 && code <= 90) ||
  code === 45 ||
  code === 46 ||
  code === 95;

/** Printable ASCII without the space and the characters that chats and pages treat as marks. */
const isPlainCharacter = (code: number): boolean =>
  code > 32 && code < 127 && !'"\'`<>&\\|{}'.includes(String.fromCharCode(code));
