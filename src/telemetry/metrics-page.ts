import { labelBounds } from './label-bounds.ts';
import { catalogue, type MetricDefinition } from './metric-catalogue.ts';

/** The page `docs/metrics.md`: every metric of the catalogue, in its order. */
export function metricsPage(): string {
  const definitions: readonly MetricDefinition[] = Object.values(catalogue);
  const rows = definitions.map(({ name, type, labels, help }) => {
    const shown = labels.length === 0 ? '' : labels.map((label) => `\`${label}\``).join(', ');
    return `| \`${name}\` | ${type} | ${shown} | ${help} |`;
  });
  const bounds = Object.entries(labelBounds).map(([label, most]) => `\`${label}\` ${most}`);
  return [
    '# Metrics',
    '',
    '<!-- Generated from src/telemetry/metric-catalogue.ts by scripts/build-grafana.ts. -->',
    '',
    'Served on `:8081/metrics`. Beside these come the usual `process_*` and `nodejs_*` metrics,',
    'the lag of the event loop among them.',
    '',
    '**Scrape with `honor_labels: true`** (`honorLabels` in a ServiceMonitor or PodMonitor):',
    '`namespace` names the namespace of the rollout. Without it Prometheus writes the namespace of',
    'the controller there, and moves ours to `exported_namespace`.',
    '',
    'Series with `deployment` exist while a rollout is under way and go with it, but for',
    '`haldane_last_rollback_timestamp_seconds`: it stays until the Deployment goes or opts out.',
    'Only the leader has them. Labels take few values; one too many is counted under `other`:',
    `${bounds.join(', ')}.`,
    '',
    '| name | type | labels | meaning |',
    '|---|---|---|---|',
    ...rows,
    '',
    'Dashboard: `config/grafana/haldane.json`. Alerts: `config/prometheus/alerts.yaml`.',
    '',
  ].join('\n');
}
