import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { auditedRequests } from '../audit.ts';
import { type Cluster, openCluster } from '../cluster.ts';
import type { Controller } from '../controller.ts';
import type { Deployment } from '../shop.ts';
import { account, type BusyShop, busyShop, endShop, figure, startHaldane } from './setup.ts';

let cluster: Cluster;
let controller: Controller;
const shops = new Map<string, BusyShop>();

const modes = ['on-change', 'at-rest'] as const;
const namespaceOf = (mode: string) => `opt-in-${mode}`;

beforeAll(async () => {
  cluster = await openCluster();
  controller = await startHaldane(cluster);
  for (const mode of modes) {
    shops.set(mode, await busyShop(cluster, namespaceOf(mode), { optIn: false }));
  }
});

afterAll(async () => {
  await controller?.stop();
  await cluster?.close();
});

function shopIn(mode: string): BusyShop {
  const found = shops.get(mode);
  if (found === undefined) throw new Error(`no shop for ${mode}`);
  return found;
}

const kubectl = async (mode: string, ...args: readonly string[]) => {
  const result = await cluster.kubectl(['-n', namespaceOf(mode), ...args]);
  expect(result).toMatchObject({ code: 0 });
};

const podsOf = async ({ shop }: BusyShop) =>
  (await shop.pods())
    .map(
      ({ metadata, status }) => `${metadata.uid} ${status?.containerStatuses?.[0]?.restartCount}`,
    )
    .sort();

/** Requests of the controller about one namespace, its Lease and its Events aside. */
async function requestsSince(since: number, namespace: string) {
  const all = await auditedRequests(cluster, { account, since });
  return all.filter(({ uri }) => uri.includes(`/namespaces/${namespace}/`));
}

const ours = (deployment: Deployment) =>
  Object.keys(deployment.metadata.annotations ?? {}).filter((key) => key.startsWith('haldane.dev'));

describe.each(modes)('opting a running shop in and out, paused %s', (mode) => {
  const before: { spec?: Deployment['spec']; pods?: readonly string[]; began?: number } = {};

  it('takes it in without touching a pod', async () => {
    const { shop } = shopIn(mode);
    before.spec = (await shop.deployment()).spec;
    before.pods = await podsOf(shopIn(mode));
    before.began = Date.now();
    const wish = mode === 'at-rest' ? ['haldane.dev/pause=at-rest'] : [];
    await kubectl(mode, 'annotate', 'deployment/web', 'haldane.dev/enabled=true', ...wish);
    const deadline = { progressDeadlineSeconds: 2147483647, paused: true };
    if (mode === 'at-rest') {
      await cluster.api.until<Deployment>(shop.paths.deployment, (d) => d?.spec.paused === true);
      expect((await shop.deployment()).spec).toEqual({ ...before.spec, ...deadline });
    } else {
      // Nothing is to be seen on the Deployment, now or a while later.
      await sleep(3000);
      expect((await shop.deployment()).spec).toEqual(before.spec);
    }
    expect(await podsOf(shopIn(mode))).toEqual(before.pods);
  });

  it('asks nothing and writes nothing while nothing happens', async () => {
    const { shop } = shopIn(mode);
    await sleep(2000); // the Deployment controller answers the pause with a status of its own
    const { resourceVersion } = (await shop.deployment()).metadata;
    const since = Date.now();
    await sleep(15_000);
    const asked = await requestsSince(since, shop.namespace);
    expect(asked.map(({ verb, uri }) => `${verb} ${uri}`)).toEqual([]);
    expect((await shop.deployment()).metadata.resourceVersion).toBe(resourceVersion);
    const all = await auditedRequests(cluster, { account, since });
    const lease = all.filter(({ uri }) => uri.includes('/leases/')).length;
    const watches = all.filter(({ verb }) => verb === 'watch').length;
    figure(
      `at rest, ${mode}`,
      `${asked.length} requests in 15 s; beside them ${lease} for the Lease, ` +
        `${watches} watches renewed`,
    );
    expect(all.length).toBe(lease + watches);
  });

  it('scales as ever', async () => {
    const { shop } = shopIn(mode);
    await kubectl(mode, 'scale', 'deployment/web', '--replicas=4');
    await kubectl(mode, 'rollout', 'status', 'deployment/web', '--timeout=30s');
    await cluster.api.until<Deployment>(
      shop.paths.deployment,
      (d) => d?.status?.availableReplicas === 4,
    );
    await kubectl(mode, 'scale', 'deployment/web', '--replicas=3');
    await cluster.api.until<Deployment>(shop.paths.deployment, (d) => d?.status?.replicas === 3);
    before.pods = await podsOf(shopIn(mode));
  });

  it('lets it go as it was', async () => {
    const busy = shopIn(mode);
    const { shop } = busy;
    const keys = mode === 'at-rest' ? ['haldane.dev/pause-'] : [];
    await kubectl(mode, 'annotate', 'deployment/web', 'haldane.dev/enabled-', ...keys);
    await cluster.api.until<Deployment>(
      shop.paths.deployment,
      (d) => d !== undefined && d.spec.paused !== true && ours(d).length === 0,
    );
    // Nothing is owed to it any more: what is left to do would be done by now.
    await sleep(2000);
    const after = await shop.deployment();
    expect(after.spec).toEqual(before.spec);
    expect(Object.keys(after.spec)).toEqual(Object.keys(before.spec ?? {}));
    expect(ours(after)).toEqual([]);
    const pods = (await shop.pods()).filter(
      ({ metadata }) => metadata.deletionTimestamp === undefined,
    );
    const uids = pods.map(({ metadata }) => metadata.uid);
    const kept = (before.pods ?? []).filter((pod) => uids.some((uid) => pod.startsWith(uid)));
    expect(uids).toHaveLength(3);
    expect(kept.length).toBeGreaterThanOrEqual(3);
    const writes = (await requestsSince(before.began ?? 0, shop.namespace)).filter(
      ({ verb, uri, status }) =>
        !['get', 'list', 'watch'].includes(verb) && !uri.includes('dryRun') && status < 300,
    );
    const { sent, failed } = await endShop(busy);
    expect(failed).toEqual([]);
    figure(
      `opt-in and opt-out, ${mode}`,
      `${sent} requests, ${failed.length} failed; ${writes.length} writes in all; ` +
        `${kept.length} of 3 pods kept; spec as before`,
    );
    expect(writes.length).toBe(mode === 'at-rest' ? 2 : 0);
  });
});
