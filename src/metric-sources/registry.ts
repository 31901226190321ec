import type { Clock } from '../lib/clock.ts';
import type { SourceConfig } from '../spec/config.ts';
import type { MetricSource } from './metric-source.ts';
import { createPrometheusSource } from './prometheus.ts';

export interface MetricSourceOptions {
  readonly config: SourceConfig;
  readonly clock: Clock;
}

export type MetricSourceFactory = (options: MetricSourceOptions) => Promise<MetricSource>;

/** Every kind of source that the configuration knows; the contract suite runs on each. */
export const metricSources = {
  prometheus: createPrometheusSource,
} satisfies Record<SourceConfig['kind'], MetricSourceFactory>;
