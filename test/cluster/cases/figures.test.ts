// What Haldane costs while nothing happens, and while much happens at once.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Cluster, openCluster } from '../cluster.ts';
import type { Controller } from '../controller.ts';
import { apiRequests, byKind, queriesSent } from './costs.ts';
import { rounded } from './records.ts';
import { type BusyShop, busyShop, endShop, figure, startHaldane, untilWeight } from './setup.ts';

const annotations = { 'haldane.dev/steps': '50', 'haldane.dev/min-step': '1h' };

let cluster: Cluster;
let controller: Controller;
let shops: readonly BusyShop[] = [];

beforeAll(async () => {
  cluster = await openCluster();
  controller = await startHaldane(cluster);
  const made: BusyShop[] = [];
  for (let i = 1; i <= 20; i += 1) {
    made.push(await busyShop(cluster, `many-${i}`, { annotations, replicas: 1, rate: 5 }));
  }
  shops = made;
});

afterAll(async () => {
  await Promise.all(shops.map(endShop));
  await controller?.stop();
  await cluster?.close();
});

const usage = () => controller.usage() ?? { cpuSeconds: Number.NaN, residentBytes: Number.NaN };

describe('twenty Deployments that are opted in', () => {
  it('cost nothing at rest', async () => {
    const [since, asked, used] = [Date.now(), await queriesSent(), usage()];
    await sleep(60_000); // it is the absence of requests that is measured
    const resting = await apiRequests(cluster, { since });
    const queries = (await queriesSent()) - asked;
    figure(
      'a minute of rest, 20 Deployments',
      `${resting.length} API requests (${byKind(resting)}), ${queries} queries, ` +
        `${rounded(usage().cpuSeconds - used.cpuSeconds, 2)} s of processor time, ` +
        `${rounded(usage().residentBytes / 1e6, 0)} MB`,
    );
    expect(resting).toEqual([]);
    expect(queries).toBe(0);
  });

  it('share their queries when all of them release at once', async () => {
    for (const { shop } of shops) await shop.release('shop/web:v2');
    await Promise.all(shops.map(({ shop }) => untilWeight(shop, 50)));
    const [from, asked, used] = [Date.now(), await queriesSent(), usage()];
    await sleep(20_000); // a rate needs a span
    const seconds = (Date.now() - from) / 1000;
    const perSecond = ((await queriesSent()) - asked) / seconds;
    const busyShare = (usage().cpuSeconds - used.cpuSeconds) / seconds;
    const scrape = Number.parseFloat(cluster.settings.scrapeInterval);
    figure(
      '20 canaries at once',
      `${rounded(perSecond * scrape)} queries per scrape interval of ${scrape} s, ` +
        `${rounded(100 * busyShare, 0)} % of a core, ${rounded(usage().residentBytes / 1e6, 0)} MB`,
    );
    expect(perSecond * scrape).toBeLessThanOrEqual(4);
    expect(usage().residentBytes).toBeLessThan(250e6);
  });
});
