import type { Clock } from '../../lib/clock.ts';
import type { ApiServer } from '../api-server.ts';
import { GatewayMetrics } from './gateway-metrics.ts';
import type { HttpPods } from './http-pods.ts';
import { servePrometheus } from './prometheus-api.ts';
import { RoutingTable } from './routing-table.ts';
import { startScraper } from './scraper.ts';
import { TimeSeriesStore } from './time-series.ts';
import { serveProxy } from './weighted-proxy.ts';

export type DataPlaneParts = {
  readonly server: ApiServer;
  readonly clock: Clock;
  readonly pods: HttpPods;
  /** From a change of a route to traffic that follows it; 100 if absent. */
  readonly propagationMillis?: number;
  /** 1000 if absent. */
  readonly scrapeMillis?: number;
};

export type DataPlane = {
  /** Where clients send their requests; the Host header picks the route. */
  readonly gatewayUrl: string;
  /** A Prometheus source for the controller. */
  readonly prometheusUrl: string;
  readonly metrics: GatewayMetrics;
  close(): Promise<void>;
};

/** A gateway that forwards real HTTP, and a Prometheus that has scraped it. */
export async function startDataPlane(parts: DataPlaneParts): Promise<DataPlane> {
  const { server, clock, pods, propagationMillis = 100, scrapeMillis = 1000 } = parts;
  const table = new RoutingTable({ server, clock, propagationMillis });
  const metrics = new GatewayMetrics();
  const store = new TimeSeriesStore();
  const stopScraping = startScraper({ clock, metrics, table, store, everyMillis: scrapeMillis });
  const prometheus = await servePrometheus({ store, clock });
  const proxy = await serveProxy({ clock, table, pods, metrics });
  return {
    gatewayUrl: proxy.url,
    prometheusUrl: prometheus.url,
    metrics,
    close: async () => {
      stopScraping();
      table.stop();
      pods.stopAll();
      await Promise.all([proxy.close(), prometheus.close()]);
    },
  };
}
