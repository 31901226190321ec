import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { rollbackMarks, sections } from '../../scripts/build-grafana.ts';
import type { Needs } from '../../scripts/dashboard/panel.ts';

/** One query that people rely on, ready to be asked. */
export interface MonitoringQuery {
  /** `dashboard: From verdict to route A`, `alert: HaldaneDown`. */
  readonly where: string;
  readonly query: string;
  /**
   * What must have happened for the answer not to be empty; `rollout`: one is under way and has
   * been scraped often enough for a rate. An alert's answer is empty while all is well: `never`.
   */
  readonly needs: Needs | 'never';
}

export interface Substitutions {
  /** Regular expressions, as Grafana's variables become. */
  readonly namespace?: string;
  readonly deployment?: string;
  /** At least four scrape intervals. */
  readonly rateInterval?: string;
  readonly range?: string;
}

/** One alert rule of `config/prometheus/alerts.yaml`. */
export interface AlertRule {
  readonly alert: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

const root = join(import.meta.dirname, '..', '..');
const alertsPath = join(root, 'config', 'prometheus', 'alerts.yaml');

export function alertRules(): readonly AlertRule[] {
  const file = parse(readFileSync(alertsPath, 'utf8')) as {
    readonly groups: readonly { readonly rules: readonly AlertRule[] }[];
  };
  return file.groups.flatMap((group) => group.rules);
}

/** Every query of the dashboard and of the alerts, with Grafana's variables filled in. */
export function monitoringQueries(by: Substitutions = {}): readonly MonitoringQuery[] {
  const panels = sections.flatMap((section) => section.panels);
  const drawn = panels.flatMap((panel) =>
    panel.targets.map(({ query, needs }, i) => ({
      where: `dashboard: ${panel.title} ${String.fromCodePoint(65 + i)}`,
      query: substitute(query, by),
      needs,
    })),
  );
  const marks = {
    where: `dashboard: annotation ${rollbackMarks.name}`,
    query: substitute(rollbackMarks.expr, by),
    needs: 'rollback',
  } as const;
  const alerts = alertRules().map(
    ({ alert, expr }) => ({ where: `alert: ${alert}`, query: expr, needs: 'never' }) as const,
  );
  return [...drawn, marks, ...alerts];
}

/** Fills in the variables of Grafana that our panels use; throws on any other. */
export function substitute(query: string, by: Substitutions): string {
  const values: Readonly<Record<string, string>> = {
    namespace: by.namespace ?? '.*',
    deployment: by.deployment ?? '.*',
    __rate_interval: by.rateInterval ?? '1m',
    __range: by.range ?? '1h',
  };
  return query.replace(/\$(\w+)/g, (_whole, name: string) => {
    const value = values[name];
    if (value === undefined) throw new Error(`unknown variable $${name} in ${query}`);
    return value;
  });
}
