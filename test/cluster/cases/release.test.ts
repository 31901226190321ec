// A healthy release with the shipped configuration: how fast, and that nobody notices.
import { describe, expect, it } from 'vitest';
import { waitUntil } from '../api.ts';
import { apiRequests, byKind, queriesSent } from './costs.ts';
import { type PodRecord, recordPods, rounded, untilPromoted, untilReady } from './records.ts';
import {
  type BusyShop,
  busyShop,
  endShop,
  figure,
  type RouteHistory,
  untilRest,
  watchRoute,
} from './setup.ts';
import { setStage } from './stage.ts';

const stage = setStage();

const usage = () =>
  stage.controller.usage() ?? { cpuSeconds: Number.NaN, residentBytes: Number.NaN };

/** Everything that is looked at while a release goes on. */
interface Watched extends BusyShop {
  readonly pods: PodRecord;
  readonly route: RouteHistory;
}

async function watchedShop(namespace: string, rate: number): Promise<Watched> {
  const busy = await busyShop(stage.cluster, namespace, { rate });
  const pods = recordPods(stage.cluster, busy.shop);
  await waitUntil(() => pods.all().length === 3, { what: 'a record of the pods that serve' });
  return { ...busy, pods, route: watchRoute(stage.cluster, busy.shop) };
}

/** Ships v2 as a user would, and waits as a user would. */
async function ship(watched: Watched) {
  const { shop, pods, load } = watched;
  const place = ['-n', shop.namespace];
  const before = new Set(pods.all().map(({ uid }) => uid));
  const since = Date.now();
  const set = await stage.cluster.kubectl([
    ...place,
    'set',
    'image',
    'deployment/web',
    'web=shop/web:v2',
  ]);
  expect(set).toMatchObject({ code: 0 });
  const status = stage.cluster.kubectl(
    [...place, 'rollout', 'status', 'deployment/web', '--timeout=240s'],
    { timeout: 250_000 },
  );
  const readyAt = await untilReady(pods, 'shop/web:v2');
  const firstPods = pods.of('shop/web:v2').map(({ uid }) => uid);
  const promotedAt = await untilPromoted(watched, stage.cluster, 'shop/web:v2');
  const seconds = (promotedAt - readyAt) / 1000;
  const { code } = await status;
  await untilRest(stage.cluster, shop, 'shop/web:v2');
  const weights = watched.route.seen.map(({ weight }) => weight).filter((weight) => weight > 0);
  const serving = (await shop.pods()).filter((pod) => pod.metadata.deletionTimestamp === undefined);
  const requests = await apiRequests(stage.cluster, { since, namespace: shop.namespace });
  watched.route.stop();
  pods.stop();
  const { sent, failed } = await endShop({ shop, load });
  return {
    seconds,
    kubectl: code,
    weights,
    /** Pods that were started by the release. */
    started: pods.all().filter(({ uid }) => !before.has(uid)),
    firstPods,
    serving: serving.map((pod) => pod.metadata.uid),
    sent,
    failed,
    requests,
  };
}

describe('a healthy release', () => {
  it('goes from 1 % to promotion as its traffic allows, and nobody notices', async () => {
    const shops = [await watchedShop('release-100', 100), await watchedShop('release-1000', 1000)];
    const [asked, used, from] = [await queriesSent(), usage(), Date.now()];
    const results = await Promise.all(shops.map(ship));
    figure(
      'cost of two releases at once',
      `${(await queriesSent()) - asked} queries, ` +
        `${rounded(usage().cpuSeconds - used.cpuSeconds)} s of processor time in ` +
        `${rounded((Date.now() - from) / 1000, 0)} s, ` +
        `${rounded(usage().residentBytes / 1e6, 0)} MB`,
    );
    const [slow, fast] = results;
    for (const { seconds, sent, failed, weights, started, requests } of results) {
      figure(
        'healthy release',
        `promoted ${rounded(seconds)} s after readiness, ${failed.length} of ${sent} failed, ` +
          `weights ${weights.join(' ')}, ${started.length} pods started, ` +
          `${requests.length} API requests (${byKind(requests)})`,
      );
    }
    for (const { failed, kubectl, weights, started, firstPods, serving, requests } of results) {
      expect(requests.length).toBeLessThanOrEqual(80);
      expect(weights[0]).toBe(1);
      expect(failed).toEqual([]);
      expect(kubectl).toBe(0);
      expect(started).toHaveLength(3);
      expect(firstPods.length).toBeGreaterThan(0);
      expect(serving).toHaveLength(3);
      expect(new Set(serving)).toEqual(new Set(started.map(({ uid }) => uid)));
      expect(started.every(({ restarts }) => restarts === 0)).toBe(true);
    }
    expect(slow?.seconds).toBeLessThanOrEqual(140);
    expect(fast?.seconds).toBeLessThanOrEqual(95);
    for (const namespace of ['release-100', 'release-1000']) {
      expect(
        stage.slack.accepted().filter(({ text }) => text.includes(`${namespace}/web`)),
      ).toHaveLength(1);
    }
  });
});
