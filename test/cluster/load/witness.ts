// The suite's control group: a service that no controller knows, behind the same gateway, on the
// same node. When it goes without an answer too, nobody's rollout is to blame.
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Cluster } from '../cluster.ts';
import { applyShop } from '../shop.ts';
import { type Load, startLoad } from './load.ts';
import type { LoadedRequest } from './request-log.ts';

/** Milliseconds since 1970. */
export interface Disturbance {
  readonly from: number;
  readonly to: number;
}

/** Milliseconds; a healthy answer takes a hundredth of it. */
const slow = 2_000;
/** The witness asks every 50 ms: a disturbance began this long before it could be seen, at most. */
const blur = 500;
const fileIn = (folder: string) => join(folder, 'disturbances.jsonl');

export const isDisturbed = ({ status, latency }: Pick<LoadedRequest, 'status' | 'latency'>) =>
  status === 0 || status >= 500 || latency > slow;

/** Sends 20 requests a second to an untouched service, for as long as the suite may run. */
export async function startWitness(cluster: Cluster): Promise<Load> {
  const shop = await applyShop(cluster, 'witness', { replicas: 2 });
  const file = fileIn(cluster.files.run);
  return startLoad({
    host: shop.host,
    rate: 20,
    seconds: 3600,
    onRequest: (request) => {
      if (!isDisturbed(request)) return;
      const { sentAt, latency } = request;
      const seen: Disturbance = { from: sentAt - blur, to: sentAt + latency + blur };
      appendFileSync(file, `${JSON.stringify(seen)}\n`);
    },
  });
}

/** Requests for which no disturbance accounts: one that lasted while they were under way. */
export const unexcused = (
  requests: readonly LoadedRequest[],
  disturbances: readonly Disturbance[],
): readonly LoadedRequest[] =>
  requests.filter(
    ({ sentAt, latency }) =>
      !disturbances.some(({ from, to }) => sentAt <= to && sentAt + latency >= from),
  );

/** What the witness has seen so far; in a case file, that of the running cluster. */
export function disturbances(
  folder: string = dirname(process.env['HALDANE_TEST_CLUSTER'] ?? ''),
): readonly Disturbance[] {
  const file = fileIn(folder);
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, 'utf8').split('\n');
  return lines.slice(0, -1).map((line) => JSON.parse(line) as Disturbance);
}
