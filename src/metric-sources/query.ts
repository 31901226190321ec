import type { Millis } from '../lib/units.ts';
import { renderPart } from './arms.ts';
import type { EvidenceNames, EvidenceRequest } from './metric-source.ts';
import { armPlaceholders, hasPlaceholder, type TemplateMatcher } from './promql.ts';
import { regexQuoted } from './promql-regex.ts';
import { quoted } from './promql-strings.ts';

/**
 * One range selector that covers both arms of all these requests. They must share the selector.
 * Where several matchers hold names, the answer may hold more than was asked for; whoever splits it
 * tests every series against the exact matchers of each arm.
 */
export function rangeQuery(
  requests: readonly EvidenceRequest[],
  window: Millis,
  resolution?: Millis,
): string {
  const selector = requests[0]?.check.selector;
  if (selector === undefined) return '';
  const matchers = selector.matchers.map((matcher) =>
    hasPlaceholder(matcher) ? joined(matcher, requests) : fixed(matcher),
  );
  const bounds = requests[0]?.check.native === true ? [] : boundsOf(requests);
  if (bounds.length > 0) matchers.push(`le=~${quoted(bounds.map(boundPattern).join('|'))}`);
  const step = resolution === undefined ? '' : `:${resolution}ms`;
  return `${selector.metric}{${matchers.join(',')}}[${window}ms${step}]`;
}

const fixed = ({ label, operator, parts }: TemplateMatcher): string =>
  `${label}${operator}${quoted(parts.map((p) => (p.kind === 'text' ? p.text : '')).join(''))}`;

function joined(matcher: TemplateMatcher, requests: readonly EvidenceRequest[]): string {
  const regex = matcher.operator === '=~';
  const values = new Set<string>();
  for (const { names } of requests) {
    for (const value of valuesOf(matcher, names, regex)) values.add(value);
  }
  const [first, ...others] = values;
  if (others.length === 0) return `${matcher.label}${matcher.operator}${quoted(first ?? '')}`;
  const patterns = [...values].map((value) => (regex ? value : regexQuoted(value)));
  return `${matcher.label}=~${quoted(patterns.join('|'))}`;
}

/** Both arms in one pattern where only one placeholder tells them apart: half the length of two. */
function valuesOf(matcher: TemplateMatcher, names: EvidenceNames, regex: boolean): string[] {
  const whole = (arm: 'stable' | 'canary') =>
    matcher.parts.map((part) => renderPart(part, names, arm, regex)).join('');
  const stable = whole('stable');
  const canary = whole('canary');
  if (stable === canary) return [stable];
  const telling = matcher.parts.filter(
    (part) => part.kind === 'placeholder' && armPlaceholders.has(part.name),
  );
  if (!regex || telling.length !== 1) return [stable, canary];
  const pattern = matcher.parts.map((part) => {
    if (part !== telling[0]) return renderPart(part, names, 'stable', regex);
    const either = (['stable', 'canary'] as const).map((arm) =>
      renderPart(part, names, arm, regex),
    );
    return `(?:${either.join('|')})`;
  });
  return [pattern.join('')];
}

/** Bounds that any of the requests wants, with that of all requests; none when one wants all. */
function boundsOf(requests: readonly EvidenceRequest[]): readonly number[] {
  if (requests.some(({ bounds }) => bounds === undefined)) return [];
  const wanted = new Set(requests.flatMap(({ bounds = [] }) => bounds));
  return [...[...wanted].sort((a, b) => a - b), Number.POSITIVE_INFINITY];
}

/** Every way in which clients write one bound: `5`, `5.0`, `0.25`, `2.5e-1`. */
export function boundPattern(bound: number): string {
  if (bound === Number.POSITIVE_INFINITY) return '\\+?Inf';
  const [digits = '', exponent = ''] = bound.toExponential().split('e');
  const mantissa = decimalPattern(digits);
  const sign = exponent.startsWith('-') ? '-' : '[+]?';
  const scientific = `${mantissa}[eE]${sign}0*${exponent.slice(1)}`;
  const plain = String(bound);
  return plain.includes('e') ? scientific : `${decimalPattern(plain)}|${scientific}`;
}

function decimalPattern(text: string): string {
  const [whole = '', fraction] = text.split('.');
  return fraction === undefined ? `${whole}(?:\\.0*)?` : `${whole}\\.${fraction}0*`;
}
