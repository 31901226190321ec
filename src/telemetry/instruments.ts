import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import { catalogue, type MetricDefinition, type MetricKey } from './metric-catalogue.ts';

type Instrument<D extends MetricDefinition> = D['type'] extends 'gauge'
  ? Gauge<D['labels'][number]>
  : D['type'] extends 'counter'
    ? Counter<D['labels'][number]>
    : Histogram<D['labels'][number]>;

export type Instruments = { readonly [K in MetricKey]: Instrument<(typeof catalogue)[K]> };

/**
 * One prom-client object per entry of the catalogue; `collect` runs at each scrape, for values
 * read then.
 */
export function createInstruments(
  registry: Registry,
  collect: Partial<Record<MetricKey, () => void>>,
): Instruments {
  const entries = Object.entries(catalogue).map(([key, definition]: [string, MetricDefinition]) => {
    const { name, help, labels, buckets } = definition;
    const read = collect[key as MetricKey];
    const common = {
      name,
      help,
      labelNames: [...labels],
      registers: [registry],
      ...(read === undefined ? {} : { collect: read }),
    };
    if (definition.type === 'gauge') return [key, new Gauge(common)];
    if (definition.type === 'counter') return [key, new Counter(common)];
    return [key, new Histogram({ ...common, buckets: [...(buckets ?? [])] })];
  });
  return Object.fromEntries(entries) as Instruments;
}
