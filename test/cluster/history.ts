import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { request } from 'undici';
import type { Cluster } from './cluster.ts';
import { mustRun } from './command.ts';
import { endpoints } from './components.ts';

// A Prometheus that has known a shop for longer than this cluster has existed: blocks of samples
// from before its first scrape, as a server that was there all along would hold them.

export interface Past {
  /** Namespace of the shop; the series of its route are continued backwards. */
  readonly namespace: string;
  /** Requests per second that it answered. */
  readonly rate: number;
}

const scrape = 15; // seconds
const length = 45 * 60;

/** Writes 45 minutes of requests without errors for each shop, and waits until they are seen. */
export async function backfill(cluster: Cluster, pasts: readonly Past[]): Promise<void> {
  const { files, prometheus } = cluster;
  const end = (await firstSample()) - 30;
  const times = Array.from({ length: length / scrape }, (_, i) => end - length + i * scrape);
  const lines = await Promise.all(
    pasts.map(async ({ namespace, rate }) => {
      const [series] = await prometheus.until(seriesOf(namespace));
      const { __name__: _, ...labels } = series?.metric ?? {};
      const name = `${metric}{${Object.entries(labels).map(label).join(',')}}`;
      return times.map((time, i) => `${name} ${i * scrape * rate} ${time}`);
    }),
  );
  const file = join(files.run, `past-${process.pid}.txt`);
  const head = `# TYPE ${metric.replace(/_total$/, '')} counter`;
  await writeFile(file, [head, ...lines.flat(), '# EOF', ''].join('\n'));
  const blocks = join(files.data, 'prometheus');
  await mustRun('promtool', ['tsdb', 'create-blocks-from', 'openmetrics', file, blocks]);
  // It looks for new blocks once a minute.
  for (const { namespace } of pasts) {
    const seen = `count_over_time(${seriesOf(namespace)}[3h]) >= ${times.length}`;
    await prometheus.until(seen, undefined, 120_000);
  }
}

const metric = 'traefik_service_requests_total';
const seriesOf = (namespace: string) =>
  `${metric}{code="200",service=~"httproute-${namespace}-.+-svc-${namespace}-.+"}`;
const label = ([name, value]: readonly [string, string]) => `${name}=${JSON.stringify(value)}`;

/** Seconds since 1970. Blocks that reach beyond it would make Prometheus forget newer samples. */
async function firstSample(): Promise<number> {
  const { body } = await request(`${endpoints.prometheus}/api/v1/status/tsdb`);
  const answer = (await body.json()) as { data: { headStats: { minTime: number } } };
  return Math.floor(answer.data.headStats.minTime / 1000);
}
