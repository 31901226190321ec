// What the cases with figures record while a release goes on, and how they tell it.
import { setTimeout as sleep } from 'node:timers/promises';
import { waitUntil } from '../api.ts';
import type { Cluster } from '../cluster.ts';
import type { Pod } from '../kubelet/pod-object.ts';
import type { LoadedRequest, RequestLog } from '../load/request-log.ts';
import { disturbances, unexcused } from '../load/witness.ts';
import { namespaced } from '../resources.ts';
import type { Deployment, Shop } from '../shop.ts';
import { type BusyShop, canaryWeight, tracesOf } from './setup.ts';

/** One pod as a watch has seen it. */
export interface SeenPod {
  readonly name: string;
  readonly uid: string;
  readonly image: string;
  /** Milliseconds since 1970 at which it was first seen ready. */
  readonly readyAt: number | undefined;
  readonly restarts: number;
}

/** Every pod that a shop has had since the record began, those that were there included. */
export interface PodRecord {
  all(): readonly SeenPod[];
  of(image: string): readonly SeenPod[];
  stop(): void;
}

export function recordPods(cluster: Cluster, shop: Shop): PodRecord {
  const pods = new Map<string, SeenPod>();
  const stop = new AbortController();
  const path = `${namespaced('pods', shop.namespace)}?labelSelector=app%3D${shop.name}`;
  void (async () => {
    while (!stop.signal.aborted) {
      try {
        for await (const { type, object } of cluster.api.watch<Pod>(path, stop.signal)) {
          if (type === 'BOOKMARK' || type === 'ERROR') continue;
          pods.set(object.metadata.uid, seenPod(object, pods.get(object.metadata.uid)));
        }
      } catch {
        // A watch ends now and then; the next one begins with what is there.
        await sleep(200);
      }
    }
  })();
  const all = () => [...pods.values()];
  return {
    all,
    of: (image) => all().filter((pod) => pod.image === image),
    stop: () => stop.abort(),
  };
}

function seenPod({ metadata, spec, status }: Pod, before: SeenPod | undefined): SeenPod {
  const ready = status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True');
  const [container] = status?.containerStatuses ?? [];
  return {
    name: metadata.name,
    uid: metadata.uid,
    image: spec.containers[0]?.image ?? '',
    readyAt: before?.readyAt ?? (ready === true ? Date.now() : undefined),
    restarts: container?.restartCount ?? before?.restarts ?? 0,
  };
}

/** Waits until a pod of an image is ready and returns since when. */
export async function untilReady(pods: PodRecord, image: string): Promise<number> {
  const first = () =>
    Math.min(...pods.of(image).map(({ readyAt }) => readyAt ?? Number.POSITIVE_INFINITY));
  await waitUntil(() => Number.isFinite(first()), { what: `a ready pod of ${image}`, every: 20 });
  return first();
}

/**
 * Waits until a version is the Deployment's own and has all traffic; returns when both were so.
 */
export async function untilPromoted(
  { shop, load }: BusyShop,
  cluster: Cluster,
  image: string,
  timeout = 200_000,
): Promise<number> {
  const version = image.slice(image.indexOf(':') + 1);
  const replicas = (await shop.deployment()).spec.replicas;
  let seen = '';
  await waitUntil(
    async () => {
      const { spec, status } = await cluster.api.get<Deployment>(shop.paths.deployment);
      const share = shareOfLast(load.log, version);
      seen = `updated ${status?.updatedReplicas}, paused ${spec.paused}, share ${share}`;
      const [container] = spec.template.spec.containers;
      return container?.image === image && status?.updatedReplicas === replicas && share === 1;
    },
    { what: () => `${shop.namespace}: ${image} promoted; last seen ${seen}`, timeout },
  );
  return Date.now();
}

/** Waits until no traffic goes to a canary; returns when the failed requests began and ended. */
export async function untilCut(
  { shop, load }: BusyShop,
  timeout: number,
): Promise<{ readonly cutAt: number; readonly firstFailedAt: number; readonly seconds: number }> {
  await load.log.until('a first failure', (log) => log.failed().length > 0, timeout);
  let weight = -1;
  await waitUntil(
    async () => {
      weight = await canaryWeight(shop);
      return weight === 0;
    },
    { what: () => `${shop.namespace}: 0 %; last seen ${weight} %`, timeout, every: 20 },
  );
  const cutAt = Date.now();
  const firstFailedAt = load.log.firstFailure()?.sentAt ?? cutAt;
  return { cutAt, firstFailedAt, seconds: (cutAt - firstFailedAt) / 1000 };
}

/** Share of a version in the last hundred answers. */
function shareOfLast({ all }: RequestLog, version: string): number {
  const last = all.slice(-100);
  return last.filter((one) => one.version === version).length / Math.max(1, last.length);
}

/**
 * Waits until a rejected release has left nothing but its template and the mark that says so, and
 * stable serves alone.
 */
export async function untilCleared(cluster: Cluster, shop: Shop, timeout = 60_000): Promise<void> {
  let traces: readonly string[] = [];
  await waitUntil(
    async () => {
      traces = (await tracesOf(cluster, shop)).filter((trace) => trace !== 'Deployment is marked');
      return traces.length === 0;
    },
    { what: () => `${shop.namespace} cleared; left: ${traces.join(', ')}`, timeout },
  );
}

/** Failed requests that a version answered. */
export const failedOf = (log: RequestLog, version: string): readonly LoadedRequest[] =>
  log.failed().filter((one) => one.version === version);

/** Failed requests that no pod answered: those are ours, or the gateway's. */
export const unanswered = (log: RequestLog): readonly LoadedRequest[] =>
  unexcused(
    log.failed().filter(({ pod }) => pod === ''),
    disturbances(),
  );

export const rounded = (value: number, digits = 1): string => value.toFixed(digits);
