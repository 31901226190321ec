import type { Arm, EvidenceNames, Labels } from './metric-source.ts';
import type { Placeholder, TemplateMatcher, TemplatePart, TemplateSelector } from './promql.ts';
import { anchored, matchedLengthLimit, regexQuoted } from './promql-regex.ts';

/**
 * Kubernetes cuts the base of a generated pod name to this length and adds 5 characters of its own.
 */
const generatedBase = 58;

/** One label matcher with a rollout's names filled in. */
export interface RenderedMatcher {
  readonly label: string;
  readonly operator: '=' | '=~';
  readonly value: string;
}

/** Which series belong to one arm of one rollout. */
export interface ArmSelector {
  readonly arm: Arm;
  readonly matchers: readonly RenderedMatcher[];
  readonly matches: (labels: Labels) => boolean;
}

/** The placeholder that a selector needs and these names lack. */
export function missingName(
  selector: TemplateSelector,
  names: EvidenceNames,
): Placeholder | undefined {
  for (const { parts } of selector.matchers) {
    for (const part of parts) {
      if (part.kind !== 'placeholder') continue;
      if ((['stable', 'canary'] as const).some((arm) => nameOf(part.name, names, arm) === '')) {
        return part.name;
      }
    }
  }
  return undefined;
}

/** The exact matchers of one arm: literal values escaped, patterns anchored at both ends. */
export function armSelector(
  selector: TemplateSelector,
  names: EvidenceNames,
  arm: Arm,
): ArmSelector {
  const matchers = selector.matchers
    .filter(({ parts }) => parts.some(({ kind }) => kind === 'placeholder'))
    .map((matcher) => renderMatcher(matcher, names, arm));
  return { arm, matchers, matches: allOf(matchers.map(renderedTest)) };
}

function renderMatcher(
  { label, operator, parts }: TemplateMatcher,
  names: EvidenceNames,
  arm: Arm,
): RenderedMatcher {
  const regex = operator === '=~';
  const value = parts.map((part) => renderPart(part, names, arm, regex)).join('');
  return { label, operator: regex ? '=~' : '=', value };
}

export function renderPart(
  part: TemplatePart,
  names: EvidenceNames,
  arm: Arm,
  regex: boolean,
): string {
  if (part.kind === 'text') return part.text;
  const name = nameOf(part.name, names, arm);
  return regex && part.name !== 'pods' ? regexQuoted(name) : name;
}

/**
 * Value of a placeholder for one arm; '' when the rollout has none. `pods` is already a pattern.
 */
function nameOf(placeholder: Placeholder, names: EvidenceNames, arm: Arm): string {
  switch (placeholder) {
    case 'namespace':
      return names.namespace;
    case 'deployment':
      return names.deployment;
    case 'route':
      return names.route;
    case 'port':
      return names.port ?? '';
    case 'service':
      return names[arm].service;
    case 'replicaset':
      return names[arm].replicaSet;
    case 'pods':
      return podPattern(names[arm].replicaSet);
  }
}

const podPattern = (replicaSet: string): string =>
  replicaSet === '' ? '' : `${regexQuoted(`${replicaSet}-`.slice(0, generatedBase))}[a-z0-9]{5}`;

type Test = (labels: Labels) => boolean;

const allOf =
  (tests: readonly Test[]): Test =>
  (labels) =>
    tests.every((test) => test(labels));

function renderedTest({ label, operator, value }: RenderedMatcher): Test {
  if (operator === '=') return (labels) => labelOf(labels, label) === value;
  const pattern = anchored(value);
  return (labels) => {
    const found = labelOf(labels, label);
    return found.length <= matchedLengthLimit && pattern.test(found);
  };
}

/** An absent label is the empty text, as in PromQL. */
export const labelOf = (labels: Labels, name: string): string =>
  Object.hasOwn(labels, name) ? (labels[name] ?? '') : '';

/** Tells the series that all matchers without placeholders select, e.g. `code=~"5.."`. */
export function fixedTest(matchers: readonly TemplateMatcher[]): Test {
  return allOf(
    matchers.map(({ label, operator, parts }): Test => {
      const text = parts.map((part) => (part.kind === 'text' ? part.text : '')).join('');
      const negated = operator.startsWith('!');
      if (operator === '=' || operator === '!=') {
        return (labels) => (labelOf(labels, label) === text) !== negated;
      }
      const pattern = anchored(text);
      return (labels) => {
        const found = labelOf(labels, label);
        return (found.length <= matchedLengthLimit && pattern.test(found)) !== negated;
      };
    }),
  );
}
