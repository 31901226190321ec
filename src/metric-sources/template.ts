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

/** A check with its PromQL read and found to be sound. */
export interface CompiledCheck {
  readonly name: string;
  readonly kind: CheckConfig['kind'];
  readonly dryRun: boolean;
  /** Name of the source that is asked. */
  readonly source: string;
  readonly template: string;
  readonly selector: TemplateSelector;
  /** Text of the selector: requests with the same one share queries. */
  readonly selectorText: string;
  /** Tell the failed requests among the series; empty for latency. */
  readonly bad: readonly TemplateMatcher[];
  readonly podLabel: string | undefined;
  /** Labels that tell copies of the same series apart, from the source. */
  readonly replicaLabels: readonly string[];
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
    const template = config.templates.get(check.template);
    if (template === undefined) continue;
    const compiled = compileCheck(name, check, template, config);
    if (compiled !== undefined) checks.set(name, compiled);
    else if (missing(check, template)) {
      const message = `="${check.template}": has no ${needed(check)}, which ${check.kind} needs`;
      problems.push({ path: ['checks', name, 'template'], message });
    }
  }
  return problems.length > 0 ? { ok: false, problems } : { ok: true, checks };
}

const needed = ({ kind }: CheckConfig) => (kind === 'ratio' ? 'total and bad' : 'buckets');

const missing = (check: CheckConfig, template: TemplateConfig): boolean =>
  check.kind === 'ratio' ? template.total === undefined : template.buckets === undefined;

function compileCheck(
  name: string,
  check: CheckConfig,
  template: TemplateConfig,
  config: Config,
): CompiledCheck | undefined {
  const selectorText = check.kind === 'ratio' ? template.total : template.buckets;
  if (selectorText === undefined) return undefined;
  const selector = parseSelector(selectorText);
  const bad = check.kind === 'ratio' ? parseMatchers(template.bad ?? '') : noMatchers;
  if (!selector.ok || !bad.ok) return undefined;
  return {
    name,
    kind: check.kind,
    dryRun: check.dryRun,
    source: template.source,
    template: check.template,
    selector: selector.value,
    selectorText,
    bad: bad.value,
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
  for (const key of ['total', 'buckets'] as const) {
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
