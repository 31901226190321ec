// What Haldane asks of others, for the cases that hold it to a number.
import { request } from 'undici';
import { type AuditedRequest, auditedRequests } from '../audit.ts';
import type { Cluster } from '../cluster.ts';
import { account } from './setup.ts';

export interface CostOptions {
  /** Milliseconds since 1970. */
  readonly since: number;
  /** Only what concerns this namespace. */
  readonly namespace?: string;
}

/** Requests to the API server from `since` until now: all but watches and the Lease. */
export async function apiRequests(
  cluster: Cluster,
  { since, namespace }: CostOptions,
): Promise<readonly AuditedRequest[]> {
  const all = await auditedRequests(cluster, { account, since });
  return all
    .filter(({ verb, uri }) => verb !== 'watch' && !uri.includes('/leases'))
    .filter(({ uri }) => namespace === undefined || uri.includes(`/namespaces/${namespace}/`));
}

/** Counts of requests by verb and resource, most frequent first. */
export function byKind(requests: readonly AuditedRequest[]): string {
  const counts = new Map<string, number>();
  for (const { verb, uri } of requests) {
    const [path = '', query = ''] = uri.split('?');
    const [, resource = path] = /\/namespaces\/[^/]+\/([^/]+)/.exec(path) ?? [];
    const kind = `${query.includes('dryRun') ? 'dry-run ' : ''}${verb} ${resource}`;
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  const sorted = [...counts].sort(([, a], [, b]) => b - a);
  return sorted.map(([kind, count]) => `${count} ${kind}`).join(', ');
}

/** Queries that the controller at the default metrics port has sent to Prometheus so far. */
export async function queriesSent(): Promise<number> {
  const { body } = await request('http://127.0.0.1:8081/metrics');
  const lines = (await body.text()).split('\n');
  return lines
    .filter((line) => line.startsWith('haldane_prometheus_queries_total'))
    .reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
}
