import { parser } from '@prometheus-io/lezer-promql';
import { regexFault } from './promql-regex.ts';
import { unquoted } from './promql-strings.ts';

/** Label matchers of PromQL. */
export type MatchOperator = '=' | '!=' | '=~' | '!~';

/** One label matcher of a template; `parts` alternate literal text and names of placeholders. */
export interface TemplateMatcher {
  readonly label: string;
  readonly operator: MatchOperator;
  readonly parts: readonly TemplatePart[];
}

export type TemplatePart =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'placeholder'; readonly name: Placeholder };

export interface TemplateSelector {
  readonly metric: string;
  readonly matchers: readonly TemplateMatcher[];
}

/** A mistake in PromQL text with the offset of the character where it stands. */
export interface PromqlFault {
  readonly offset: number;
  readonly why: string;
}

export type PromqlResult<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly faults: readonly PromqlFault[] };

export const placeholders = [
  'namespace',
  'deployment',
  'route',
  'service',
  'replicaset',
  'pods',
  'port',
] as const;
export type Placeholder = (typeof placeholders)[number];

/** Placeholders whose value differs between stable and canary: one of them must be there. */
export const armPlaceholders: ReadonlySet<Placeholder> = new Set(['service', 'replicaset', 'pods']);

/**
 * Reads a vector selector with placeholders: a metric name and label matchers, nothing around it,
 * since raw samples are asked for and every function would hide resets and births of series.
 */
export function parseSelector(text: string): PromqlResult<TemplateSelector> {
  const tree = parser.parse(text);
  const faults: PromqlFault[] = [];
  tree.iterate({
    enter: ({ type, from }) => {
      if (type.isError && faults.length < 3) faults.push({ offset: from, why: 'not PromQL here' });
    },
  });
  if (faults.length > 0) return { ok: false, faults };
  const top = tree.topNode.firstChild;
  if (top?.name !== 'VectorSelector' || top.nextSibling !== null) {
    const found = top?.name ?? 'nothing';
    const why = `${found} where a plain vector selector such as m{label="x"} must stand`;
    return { ok: false, faults: [{ offset: top?.from ?? 0, why }] };
  }
  const name = top.getChild('Identifier');
  if (name === null) {
    return {
      ok: false,
      faults: [{ offset: top.from, why: 'has no metric name before the braces' }],
    };
  }
  const matchers: TemplateMatcher[] = [];
  const cursor = top.getChild('LabelMatchers')?.cursor();
  if (cursor?.firstChild() === true) {
    do {
      const { name: kind, from, to } = cursor;
      if (kind !== 'UnquotedLabelMatcher') {
        faults.push({ offset: from, why: 'quoted label names are not supported' });
        continue;
      }
      const matcher = readMatcher(text.slice(from, to), from);
      if (matcher.ok) matchers.push(matcher.value);
      else faults.push(...matcher.faults);
    } while (cursor.nextSibling());
  }
  if (faults.length > 0) return { ok: false, faults };
  return { ok: true, value: { metric: text.slice(name.from, name.to), matchers } };
}

/** Reads label matchers alone, such as `code=~"5..",method!="OPTIONS"`, without placeholders. */
export function parseMatchers(text: string): PromqlResult<readonly TemplateMatcher[]> {
  const lead = 'm{';
  const selector = parseSelector(`${lead}${text}}`);
  if (!selector.ok) {
    const faults = selector.faults.map(({ offset, why }) => ({
      offset: Math.max(0, Math.min(text.length, offset - lead.length)),
      why,
    }));
    return { ok: false, faults };
  }
  const { matchers } = selector.value;
  if (matchers.length === 0)
    return { ok: false, faults: [{ offset: 0, why: 'has no label matcher' }] };
  if (matchers.some(hasPlaceholder)) {
    return { ok: false, faults: [{ offset: text.indexOf('$'), why: 'may not hold placeholders' }] };
  }
  return { ok: true, value: matchers };
}

export const hasPlaceholder = ({ parts }: TemplateMatcher): boolean =>
  parts.some(({ kind }) => kind === 'placeholder');

/** Every placeholder that a selector uses. */
export const placeholdersOf = (selector: TemplateSelector): ReadonlySet<Placeholder> =>
  new Set(
    selector.matchers.flatMap(({ parts }) =>
      parts.flatMap((part) => (part.kind === 'placeholder' ? [part.name] : [])),
    ),
  );

const operators: readonly MatchOperator[] = ['=~', '!~', '!=', '='];

/** `label op "value"`, which the grammar has already accepted. */
function readMatcher(text: string, offset: number): PromqlResult<TemplateMatcher> {
  const fault = (why: string): PromqlResult<never> => ({ ok: false, faults: [{ offset, why }] });
  let end = 0;
  while (/[a-zA-Z0-9_]/.test(text[end] ?? '')) end += 1;
  const label = text.slice(0, end);
  const rest = text.slice(end).trimStart();
  const operator = operators.find((known) => rest.startsWith(known));
  if (operator === undefined || label === '') return fault('is no label matcher');
  const value = unquoted(rest.slice(operator.length).trim());
  if (value === undefined) return fault(`${label}: the text in quotes cannot be read`);
  const parts = splitPlaceholders(value);
  const unknown = parts.find(({ kind }) => kind === 'unknown');
  if (unknown !== undefined) {
    const known = placeholders.map((name) => `$${name}`).join(', ');
    return fault(`${label}: unknown placeholder $${unknown.text}; known: ${known}`);
  }
  const matcher: TemplateMatcher = { label, operator, parts: parts as readonly TemplatePart[] };
  const why = matcherFault(matcher);
  return why === undefined ? { ok: true, value: matcher } : fault(`${label}: ${why}`);
}

function matcherFault(matcher: TemplateMatcher): string | undefined {
  const { operator, parts } = matcher;
  const regex = operator === '=~' || operator === '!~';
  if (hasPlaceholder(matcher) && (operator === '!=' || operator === '!~')) {
    return 'a placeholder needs = or =~';
  }
  if (!regex && parts.some((part) => part.kind === 'placeholder' && part.name === 'pods')) {
    return '$pods is a pattern and needs =~';
  }
  if (!regex) return undefined;
  return regexFault(parts.map((part) => (part.kind === 'text' ? part.text : 'x')).join(''));
}

interface RawPart {
  readonly kind: 'text' | 'placeholder' | 'unknown';
  readonly text: string;
  readonly name?: Placeholder;
}

/** `$` followed by a letter begins a placeholder; any other `$` is itself. */
function splitPlaceholders(value: string): RawPart[] {
  const parts: RawPart[] = [];
  let literal = '';
  let index = 0;
  while (index < value.length) {
    const word = value[index] === '$' ? leadingWord(value, index + 1) : '';
    if (word === '') {
      literal += value[index];
      index += 1;
      continue;
    }
    if (literal !== '') parts.push({ kind: 'text', text: literal });
    literal = '';
    const name = placeholders.find((known) => known === word);
    parts.push(
      name === undefined
        ? { kind: 'unknown', text: word }
        : { kind: 'placeholder', text: word, name },
    );
    index += word.length + 1;
  }
  if (literal !== '') parts.push({ kind: 'text', text: literal });
  return parts;
}

function leadingWord(value: string, from: number): string {
  let end = from;
  while (end < value.length && /[a-z]/i.test(value[end] ?? '')) end += 1;
  return value.slice(from, end);
}
