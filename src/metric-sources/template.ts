import type { CheckConfig, Config, TemplateConfig } from '../spec/config.ts';
import {
  armPlaceholders,
  type Placeholder,
  type PromqlFault,
  type PromqlResult,
  parseMatchers,
  parseSelector,
  placeholdersOf,
  type TemplateMatcher,
  type TemplateSelector,
} from './promql.ts';

/** Kinds of checks that ask a source; restarts are told by the pods themselves. */
type SourceKind = Exclude<CheckConfig['kind'], 'restarts'>;

/** A check with its PromQL read and found to be sound. */
export interface CompiledCheck {
  readonly name: string;
  readonly kind: SourceKind;
  readonly dryRun: boolean;
  /** Name of the source that is asked. */
  readonly source: string;
  readonly template: string;
  readonly selector: TemplateSelector;
  /** Text of the selector: requests with the same one share queries. */
  readonly selectorText: string;
  /** Tell the failed requests among the series; empty for latency. */
  readonly bad: readonly TemplateMatcher[];
  /** A counter of the failed requests alone, where `bad` cannot tell them. */
  readonly failures: CompiledSelector | undefined;
  /** The histogram is native: one series for all its buckets. */
  readonly native: boolean;
  readonly podLabel: string | undefined;
  /** Labels that tell copies of the same series apart, from the source. */
  readonly replicaLabels: readonly string[];
}

export interface CompiledSelector {
  readonly selector: TemplateSelector;
  readonly selectorText: string;
}

/** A mistake in a template: where in the configuration, and at which character of the text. */
export interface TemplateProblem {
  readonly path: readonly (string | number)[];
  readonly message: string;
}

export type CompiledChecks =
  | { readonly ok: true; readonly checks: ReadonlyMap<string, CompiledCheck> }
  | { readonly ok: false; readonly problems: readonly TemplateProblem[] };

/** Compiles every check of a configuration whose names have been found to lead somewhere. */
export function compileChecks(config: Config): CompiledChecks {
  const problems: TemplateProblem[] = [];
  const checks = new Map<string, CompiledCheck>();
  for (const [name, template] of config.templates)
    problems.push(...templateProblems(name, template));
  for (const [name, check] of config.checks) {
    const asked = sourceCheck(check);
    const template = config.templates.get(asked?.template ?? '');
    if (asked === undefined || template === undefined) continue;
    const compiled = compileCheck(name, asked, template, config);
    if (compiled !== undefined) checks.set(name, compiled);
    else if (textFor(asked, template) === undefined) {
      const message = `="${asked.template}": has no ${needed(asked)}, which ${asked.kind} needs`;
      problems.push({ path: ['checks', name, 'template'], message });
    }
  }
  return problems.length > 0 ? { ok: false, problems } : { ok: true, checks };
}

interface SourceCheck {
  readonly kind: SourceKind;
  readonly template: string;
  readonly dryRun: boolean;
}

const sourceCheck = ({ kind, template, dryRun }: CheckConfig): SourceCheck | undefined =>
  kind === 'restarts' || template === undefined ? undefined : { kind, template, dryRun };

const needed = ({ kind }: SourceCheck): string => {
  switch (kind) {
    case 'ratio':
      return 'total and bad';
    case 'histogram':
      return 'buckets or nativeHistogram';
    case 'gauge-per-pod':
      return 'gauge';
  }
};

/** The text that selects what a check of this kind compares. */
function textFor({ kind }: SourceCheck, template: TemplateConfig): string | undefined {
  switch (kind) {
    case 'ratio':
      return template.total;
    case 'histogram':
      return template.nativeHistogram ?? template.buckets;
    case 'gauge-per-pod':
      return template.gauge;
  }
}

function compileCheck(
  name: string,
  check: SourceCheck,
  template: TemplateConfig,
  config: Config,
): CompiledCheck | undefined {
  const selectorText = textFor(check, template);
  if (selectorText === undefined) return undefined;
  const selector = parseSelector(selectorText);
  const isRatio = check.kind === 'ratio';
  const bad = isRatio && template.bad !== undefined ? parseMatchers(template.bad) : noMatchers;
  const apart = isRatio ? template.badTotal : undefined;
  const failures = apart === undefined ? undefined : parseSelector(apart);
  if (!selector.ok || !bad.ok || failures?.ok === false) return undefined;
  return {
    name,
    kind: check.kind,
    dryRun: check.dryRun,
    source: template.source,
    template: check.template,
    selector: selector.value,
    selectorText,
    bad: bad.value,
    failures:
      apart === undefined || failures === undefined
        ? undefined
        : { selector: failures.value, selectorText: apart },
    native: check.kind === 'histogram' && template.nativeHistogram !== undefined,
    podLabel: template.podLabel,
    replicaLabels: config.sources.get(template.source)?.replicaLabels ?? [],
  };
}

const noMatchers: PromqlResult<readonly TemplateMatcher[]> = { ok: true, value: [] };

function templateProblems(name: string, template: TemplateConfig): TemplateProblem[] {
  const at = (key: string, faults: readonly PromqlFault[]) =>
    faults.map(({ offset, why }) => ({
      path: ['templates', name, key],
      message: `: at character ${offset + 1}: ${why}`,
    }));
  const problems: TemplateProblem[] = [];
  for (const key of ['total', 'badTotal', 'buckets', 'nativeHistogram', 'gauge'] as const) {
    const text = template[key];
    if (text === undefined) continue;
    const selector = parseSelector(text);
    const faults = selector.ok ? selectorFaults(selector.value, key) : selector.faults;
    problems.push(...at(key, faults));
  }
  if (template.bad !== undefined) {
    const bad = parseMatchers(template.bad);
    problems.push(...at('bad', bad.ok ? badFaults(bad.value) : bad.faults));
  }
  return problems;
}

function selectorFaults(selector: TemplateSelector, key: string): PromqlFault[] {
  const used = placeholdersOf(selector);
  const faults: PromqlFault[] = [];
  const complain = (why: string) => faults.push({ offset: 0, why });
  if (!used.has('namespace')) {
    complain('does not use $namespace: series of another namespace would be counted');
  }
  if (![...armPlaceholders].some((name) => used.has(name))) {
    complain(`uses none of ${armNames}: canary and stable would be the same series`);
  }
  if (key === 'buckets' && selector.matchers.some(({ label }) => label === 'le')) {
    complain('may not choose by le: all bounds are needed');
  }
  if (key === 'nativeHistogram' && /_(?:bucket|count|sum)$/.test(selector.metric)) {
    complain('ends as a classic histogram does; a native one is selected by its bare name');
  }
  return faults;
}

const armNames = [...armPlaceholders].map((name: Placeholder) => `$${name}`).join(', ');

/**
 * `bad` must choose by something positive, or a renamed label would silently mean "all is well".
 */
function badFaults(matchers: readonly TemplateMatcher[]): PromqlFault[] {
  const positive = matchers.some(({ operator }) => operator === '=' || operator === '=~');
  return positive ? [] : [{ offset: 0, why: 'needs a matcher with = or =~' }];
}
