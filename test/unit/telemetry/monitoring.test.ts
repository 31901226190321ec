import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parser } from '@prometheus-io/lezer-promql';
import { collectDefaultMetrics, Registry } from 'prom-client';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { generated } from '../../../scripts/build-grafana.ts';
import { catalogue, type MetricDefinition } from '../../../src/telemetry/metric-catalogue.ts';
import { alertRules, monitoringQueries, substitute } from '../../builders/monitoring-queries.ts';

const root = join(import.meta.dirname, '..', '..', '..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

/** Series names with their labels, as Prometheus stores them. */
const exported = new Map<string, ReadonlySet<string>>();
for (const { name, type, labels } of Object.values<MetricDefinition>(catalogue)) {
  const every = [...labels, 'job', 'instance'];
  if (type !== 'histogram') exported.set(name, new Set(every));
  else {
    for (const part of ['_bucket', '_sum', '_count']) {
      exported.set(name + part, new Set(part === '_bucket' ? [...every, 'le'] : every));
    }
  }
}
const processMetrics = new Registry();
collectDefaultMetrics({ register: processMetrics });
for (const { name } of await processMetrics.getMetricsAsJSON()) {
  exported.set(name, new Set(['job', 'instance']));
}

interface Selector {
  readonly metric: string;
  readonly labels: readonly string[];
}

/** Selectors and grouping labels of a query; throws where it is no PromQL. */
function readQuery(query: string): { selectors: Selector[]; grouped: string[] } {
  const selectors: Selector[] = [];
  const grouped: string[] = [];
  parser.parse(query).iterate({
    enter: ({ type, from, to, node }) => {
      if (type.isError) throw new Error(`not PromQL at ${from}: ${query}`);
      if (type.name === 'VectorSelector') {
        const identifier = node.getChild('Identifier');
        const metric = identifier === null ? '' : query.slice(identifier.from, identifier.to);
        const matchers = node.getChild('LabelMatchers')?.getChildren('UnquotedLabelMatcher') ?? [];
        const labels = matchers.map((matcher) => {
          const label = matcher.getChild('LabelName');
          return label === null ? '' : query.slice(label.from, label.to);
        });
        selectors.push({ metric, labels });
      }
      if (type.name === 'LabelName' && node.parent?.type.name === 'GroupingLabels') {
        grouped.push(query.slice(from, to));
      }
    },
  });
  return { selectors, grouped };
}

describe.each(monitoringQueries().map((entry) => [entry.where, entry.query] as const))(
  '%s',
  (_where, query) => {
    test('asks only for what is exported, by labels that it has', () => {
      const { selectors, grouped } = readQuery(query);
      expect(selectors.length).toBeGreaterThan(0);
      for (const { metric, labels } of selectors) {
        expect([...exported.keys()]).toContain(metric);
        expect([...(exported.get(metric) ?? [])]).toEqual(expect.arrayContaining([...labels]));
      }
      const known = selectors.flatMap(({ metric }) => [...(exported.get(metric) ?? [])]);
      expect(known).toEqual(expect.arrayContaining(grouped));
    });
  },
);

test('the reader of queries sees what it must', () => {
  const query = 'sum by (le, code) (rate(a_bucket{b="1",c=~"x"}[5m])) / on (d) e';
  expect(readQuery(query)).toEqual({
    selectors: [
      { metric: 'a_bucket', labels: ['b', 'c'] },
      { metric: 'e', labels: [] },
    ],
    grouped: ['le', 'code', 'd'],
  });
  expect(() => readQuery('sum(rate(a[5m])')).toThrow('not PromQL');
  expect(() => substitute('a{b="$c"}', {})).toThrow('unknown variable $c');
});

test('every metric of ours is shown by the dashboard', () => {
  const shown = monitoringQueries()
    .filter(({ where }) => where.startsWith('dashboard'))
    .flatMap(({ query }) => readQuery(query).selectors.map(({ metric }) => metric));
  const missing = Object.values(catalogue)
    .map(({ name }) => name)
    .filter((name) => !shown.some((metric) => metric.replace(/_bucket$/, '') === name));
  expect(missing).toEqual([]);
});

test.each(Object.entries(generated()))('%s is as generated', (path, text) => {
  // After a change of the source: node scripts/build-grafana.ts
  expect(read(path)).toBe(text);
});

test('the page about metrics names every metric', () => {
  const page = read('docs/metrics.md');
  for (const { name } of Object.values(catalogue)) expect(page).toContain(`\`${name}\``);
});

interface PlacedPanel {
  readonly id: number;
  readonly type: string;
  readonly gridPos: {
    readonly x: number;
    readonly y: number;
    readonly w: number;
    readonly h: number;
  };
}

test('panels of the dashboard have their own ids and do not overlap', () => {
  const { panels } = JSON.parse(read('config/grafana/haldane.json')) as { panels: PlacedPanel[] };
  expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
  const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) => {
    expect(x + w).toBeLessThanOrEqual(24);
    return Array.from({ length: w * h }, (_cell, i) => `${x + (i % w)},${y + Math.floor(i / w)}`);
  });
  expect(new Set(cells).size).toBe(cells.length);
});

describe('alert rules', () => {
  const rules = alertRules();

  test('each has its own name, a severity, and words that name what is concerned', () => {
    expect(new Set(rules.map(({ alert }) => alert)).size).toBe(rules.length);
    for (const { alert, labels, annotations } of rules) {
      expect(alert).toMatch(/^Haldane[A-Z]/);
      expect(labels['severity']).toMatch(/^(?:info|warning|critical)$/);
      expect(annotations['summary']?.length).toBeLessThanOrEqual(120);
      expect(annotations['description']).toMatch(/\.$/);
    }
  });

  test('words use only labels that the query keeps', () => {
    for (const { alert, expr, annotations } of rules) {
      const used = Object.values(annotations).flatMap((text) =>
        [...text.matchAll(/\$labels\.(\w+)/g)].map(([, label]) => label ?? ''),
      );
      expect(readQuery(expr).grouped, alert).toEqual(expect.arrayContaining(used));
    }
  });

  test('each is tested: once firing, once silent', () => {
    const file = parse(read('config/prometheus/alerts.test.yaml')) as {
      tests: { alert_rule_test: { alertname: string; exp_alerts: unknown[] }[] }[];
    };
    const cases = file.tests.flatMap(({ alert_rule_test }) => alert_rule_test);
    for (const { alert } of rules) {
      const own = cases.filter(({ alertname }) => alertname === alert);
      expect(
        own.some(({ exp_alerts }) => exp_alerts.length > 0),
        alert,
      ).toBe(true);
      expect(
        own.some(({ exp_alerts }) => exp_alerts.length === 0),
        alert,
      ).toBe(true);
    }
  });
});
