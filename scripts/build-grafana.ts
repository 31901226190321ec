// Writes the Grafana dashboard and the page about metrics: node scripts/build-grafana.ts
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { metricsPage } from '../src/telemetry/metrics-page.ts';
import { asked, controller, reaction } from './dashboard/controller-panels.ts';
import type { Panel, Section, Target } from './dashboard/panel.ts';
import { now, outcomes, rollouts } from './dashboard/rollout-panels.ts';

export const sections: readonly Section[] = [now, rollouts, outcomes, reaction, asked, controller];

const datasource = { type: 'prometheus', uid: '${datasource}' };
const height = { number: 4, lines: 8, bars: 8, table: 7 } as const;
const grafanaForm = {
  number: 'stat',
  lines: 'timeseries',
  bars: 'timeseries',
  table: 'table',
} as const;

/** The dashboard as Grafana imports it (schema 39, Grafana 10.3 and later). */
export function dashboard() {
  return {
    uid: 'haldane',
    title: 'Haldane: canary rollouts',
    description: 'Weights, evidence and outcomes of canary rollouts, and the health of Haldane.',
    tags: ['haldane', 'kubernetes', 'canary'],
    schemaVersion: 39,
    version: 1,
    editable: true,
    graphTooltip: 1,
    refresh: '10s',
    time: { from: 'now-1h', to: 'now' },
    timezone: 'browser',
    templating: { list: [datasourceVariable, ...labelVariables] },
    annotations: { list: [rollbackMarks] },
    panels: layOut(sections),
  };
}

const datasourceVariable = {
  name: 'datasource',
  label: 'Prometheus',
  type: 'datasource',
  query: 'prometheus',
  refresh: 1,
};

/** What has had a rollout in the time shown; `.*` also matches what has not. */
const labelVariables = [
  ['namespace', 'label_values(haldane_rollouts_started_total, namespace)'],
  ['deployment', 'label_values(haldane_rollout_phase{namespace=~"$namespace"}, deployment)'],
].map(([name, query]) => ({
  name,
  label: name,
  type: 'query',
  datasource,
  definition: query,
  query: { query, refId: name },
  refresh: 2,
  sort: 1,
  multi: true,
  includeAll: true,
  allValue: '.*',
  current: { text: 'All', value: '$__all' },
}));

/** A red line over every panel at the moment of a rollback. */
export const rollbackMarks = {
  name: 'Rollbacks',
  datasource,
  enable: true,
  iconColor: 'red',
  expr:
    'max by (namespace, deployment, rule) (haldane_last_rollback_timestamp_seconds' +
    '{namespace=~"$namespace",deployment=~"$deployment"}) * 1000',
  useValueForTime: true,
  titleFormat: '{{namespace}}/{{deployment}} rolled back',
  textFormat: '{{rule}}',
};

/** Panels side by side in rows of 24 columns, each section under its own heading. */
function layOut(all: readonly Section[]): object[] {
  const placed: object[] = [];
  let y = 0;
  const place = (panel: object, gridPos: { x: number; w: number; h: number }) =>
    placed.push({ id: placed.length + 1, ...panel, gridPos: { ...gridPos, y } });
  for (const { title, panels } of all) {
    place({ type: 'row', title, collapsed: false, panels: [] }, { x: 0, w: 24, h: 1 });
    y += 1;
    let x = 0;
    let tallest = 0;
    for (const panel of panels) {
      if (x + panel.width > 24) {
        y += tallest;
        x = 0;
        tallest = 0;
      }
      place(grafanaPanel(panel), { x, w: panel.width, h: height[panel.form] });
      x += panel.width;
      tallest = Math.max(tallest, height[panel.form]);
    }
    y += tallest;
  }
  return placed;
}

function grafanaPanel(panel: Panel): object {
  const { title, about, form, unit, targets } = panel;
  return {
    type: grafanaForm[form],
    title,
    description: about,
    datasource,
    targets: targets.map((each, index) => grafanaTarget(each, index, form)),
    fieldConfig: { defaults: { unit, custom: drawing(panel) }, overrides: [] },
    options: options(form),
    ...(form === 'table' ? { transformations: oneTable(targets) } : {}),
  };
}

const refId = (index: number): string => String.fromCodePoint(65 + index);

const grafanaTarget = ({ query, legend }: Target, index: number, form: Panel['form']) => ({
  refId: refId(index),
  datasource,
  expr: query,
  legendFormat: legend,
  ...(form === 'table' ? { format: 'table', instant: true } : {}),
});

function drawing({ form, steps, logarithmic }: Panel): object {
  if (form === 'number' || form === 'table') return {};
  return {
    drawStyle: form,
    lineInterpolation: steps === true ? 'stepAfter' : 'linear',
    fillOpacity: form === 'bars' ? 80 : 8,
    stacking: { mode: form === 'bars' ? 'normal' : 'none' },
    scaleDistribution: logarithmic === true ? { type: 'log', log: 10 } : { type: 'linear' },
    showPoints: 'never',
  };
}

function options(form: Panel['form']): object {
  if (form === 'number') return { reduceOptions: { calcs: ['lastNotNull'] }, graphMode: 'none' };
  if (form === 'table') return { showHeader: true };
  return { legend: { displayMode: 'list', placement: 'bottom' }, tooltip: { mode: 'multi' } };
}

/** Joins the queries by their common labels, and heads each column with the query's legend. */
function oneTable(targets: readonly Target[]): object[] {
  const [only] = targets;
  if (targets.length === 1 && only !== undefined) {
    const renameByName = { Value: only.legend };
    return [{ id: 'organize', options: { excludeByName: { Time: true }, renameByName } }];
  }
  const columns = targets.map((each, i) => ({ ...each, column: `Value #${refId(i)}` }));
  const hidden = columns.filter(({ info }) => info === true).map(({ column }) => [column, true]);
  return [
    { id: 'merge', options: {} },
    {
      id: 'organize',
      options: {
        excludeByName: Object.fromEntries([['Time', true], ...hidden]),
        renameByName: Object.fromEntries(columns.map(({ column, legend }) => [column, legend])),
      },
    },
  ];
}

/** Files that this script writes, by their path in the repository. */
export const generated = (): Readonly<Record<string, string>> => ({
  'config/grafana/haldane.json': `${JSON.stringify(dashboard(), null, 2)}\n`,
  'docs/metrics.md': metricsPage(),
});

if (import.meta.main) {
  const root = join(import.meta.dirname, '..');
  for (const [path, text] of Object.entries(generated())) writeFileSync(join(root, path), text);
}
