import type { Clock } from '../../lib/clock.ts';
import { millis } from '../../lib/units.ts';
import type { GatewayMetrics } from './gateway-metrics.ts';
import type { RoutingTable } from './routing-table.ts';
import type { TimeSeriesStore } from './time-series.ts';

export type ScraperParts = {
  readonly clock: Clock;
  readonly metrics: GatewayMetrics;
  readonly table: RoutingTable;
  readonly store: TimeSeriesStore;
  readonly everyMillis: number;
};

/** Copies the gateway's counters into the time series at every interval; returns how to stop it. */
export function startScraper(parts: ScraperParts): () => void {
  const { clock, metrics, table, store, everyMillis } = parts;
  let cancel = () => {};
  const arm = () => {
    cancel = clock.after(millis(everyMillis), () => {
      store.append(clock.now(), metrics.scrape(table.rules));
      arm();
    });
  };
  arm();
  return () => cancel();
}
