import { unquoted } from '../../metric-sources/promql-strings.ts';
import type { Labels } from './gateway-metrics.ts';

/** A range selector, `metric{label="x"}[90000ms]` or with a resolution `[3600000ms:15000ms]`. */
export type SelectorQuery = {
  readonly fits: (labels: Labels) => boolean;
  readonly windowMillis: number;
  readonly resolutionMillis: number | undefined;
};

const form =
  /^\s*([a-zA-Z_:][a-zA-Z0-9_:]*)\s*(?:\{([\s\S]*)\})?\s*\[([0-9a-z]+)(?::([0-9a-z]+))?\]\s*$/;
const matcherForm = /\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*(=~|!~|!=|=)\s*("(?:[^"\\]|\\.)*")\s*(,|$)/y;
const units: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** Reads the one form of PromQL that the embedded cluster answers; `undefined` for any other. */
export function parseSelectorQuery(text: string): SelectorQuery | undefined {
  const match = form.exec(text);
  const metric = match?.[1];
  const windowMillis = span(match?.[3]);
  if (match === null || metric === undefined || windowMillis === undefined) return undefined;
  const resolutionMillis = span(match[4]);
  if (match[4] !== undefined && resolutionMillis === undefined) return undefined;
  const matchers = parseMatchers(match[2] ?? '');
  if (matchers === undefined) return undefined;
  const named = (labels: Labels) => labels['__name__'] === metric;
  return {
    fits: (labels) => named(labels) && matchers.every((fits) => fits(labels)),
    windowMillis,
    resolutionMillis,
  };
}

/** `90000ms`, `5m`, `1h30m`. */
function span(text: string | undefined): number | undefined {
  if (text === undefined || !/^(\d+(ms|s|m|h|d))+$/.test(text)) return undefined;
  let total = 0;
  for (const [, count, unit = 'ms'] of text.matchAll(/(\d+)(ms|s|m|h|d)/g))
    total += Number(count) * (units[unit] ?? 1);
  return total;
}

function parseMatchers(text: string): readonly ((labels: Labels) => boolean)[] | undefined {
  const matchers: ((labels: Labels) => boolean)[] = [];
  matcherForm.lastIndex = 0;
  while (matcherForm.lastIndex < text.trimEnd().length) {
    const match = matcherForm.exec(text);
    const value = unquoted(match?.[3] ?? '');
    if (match === null || value === undefined) return undefined;
    const matcher = matcherOf(match[1] ?? '', match[2] ?? '', value);
    if (matcher === undefined) return undefined;
    matchers.push(matcher);
  }
  return matchers;
}

function matcherOf(
  label: string,
  operator: string,
  value: string,
): ((labels: Labels) => boolean) | undefined {
  const wanted = operator === '=' || operator === '=~';
  if (operator === '=' || operator === '!=')
    return (labels) => ((labels[label] ?? '') === value) === wanted;
  try {
    // Prometheus anchors regular expressions at both ends.
    const pattern = new RegExp(`^(?:${value})$`, 's');
    return (labels) => pattern.test(labels[label] ?? '') === wanted;
  } catch {
    return undefined;
  }
}
