// What half an hour of stable's history is worth: errors are known to come alone, so that one
// scrape may count in full.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Cluster, openCluster } from '../cluster.ts';
import type { Controller } from '../controller.ts';
import { backfill } from '../history.ts';
import { type Slack, startSlack } from '../slack.ts';
import { failedOf, rounded, unanswered, untilCleared, untilCut } from './records.ts';
import {
  type BusyShop,
  busyShop,
  endShop,
  figure,
  startHaldane,
  untilGatewayIsCalm,
  untilWeight,
  watchRoute,
} from './setup.ts';

const bad = 'shop/web:v2';

let cluster: Cluster;
let controller: Controller;
let slack: Slack;
let errors: BusyShop;
let flinch: BusyShop;

beforeAll(async () => {
  cluster = await openCluster();
  slack = await startSlack(cluster);
  controller = await startHaldane(cluster, { slack });
  errors = await busyShop(cluster, 'known-errors');
  flinch = await busyShop(cluster, 'known-flinch', {
    annotations: { 'haldane.dev/steps': '25,50' },
  });
  await backfill(cluster, [
    { namespace: 'known-errors', rate: 100 },
    { namespace: 'known-flinch', rate: 100 },
  ]);
}, 300_000);

afterAll(async () => {
  await controller?.stop();
  await slack?.close();
  await cluster?.close();
});

describe('stable has been known for half an hour', () => {
  it('a release that always fails is cut by its first scrapes', async () => {
    const { shop, load } = errors;
    const route = watchRoute(cluster, shop);
    await untilGatewayIsCalm(cluster);
    await shop.release(bad, { ERROR_RATE: '1' });
    const { seconds } = await untilCut(errors, 60_000);
    await untilCleared(cluster, shop);
    route.stop();
    const { failed } = await endShop(errors);
    figure(
      '100 % errors at 1 %, known for 45 min',
      `weight 0 after ${rounded(seconds, 2)} s, ${failed.length} failed requests`,
    );
    expect(unanswered(load.log)).toEqual([]);
    expect(route.seen.map(({ weight }) => weight)).toEqual([0, 1, 0]);
    expect(seconds).toBeLessThanOrEqual(6);
    expect(failed.length).toBeLessThanOrEqual(6);
  });

  it('a release that begins to fail at 25 % is flinched from, then rolled back', async () => {
    const { shop, load } = flinch;
    const route = watchRoute(cluster, shop);
    await untilGatewayIsCalm(cluster);
    await shop.release(bad);
    await untilWeight(shop, 25);
    await load.log.until('the weight in force', (log) => log.share('v2', 4000) > 0.2);
    const canary = (await shop.pods()).filter((pod) => pod.spec.containers[0]?.image === bad);
    await shop.behave(canary, { 'error-rate': '0.5' });
    await slack.until('known-flinch/web', 60_000);
    await untilCleared(cluster, shop);
    route.stop();
    await endShop(flinch);
    const firstFailedAt = load.log.firstFailure()?.sentAt ?? Number.NaN;
    const after = route.seen.filter(({ at }) => at > firstFailedAt);
    const lowered = after.find(({ weight }) => weight > 0 && weight < 25);
    const cut = after.find(({ weight }) => weight === 0);
    const since = (at: number | undefined) => ((at ?? Number.NaN) - firstFailedAt) / 1000;
    const failed = failedOf(load.log, 'v2').length;
    figure(
      '50 % errors that begin at 25 %, known for 45 min',
      `${lowered?.weight} % after ${rounded(since(lowered?.at))} s, 0 % after ` +
        `${rounded(since(cut?.at))} s, ${failed} failed requests`,
    );
    expect(unanswered(load.log)).toEqual([]);
    expect(since(cut?.at)).toBeLessThanOrEqual(12);
    // 12 a second until the scrape that tells and the gateway's next look at its routes: about 19
    // by simulation, more when the failures begin just after a scrape.
    expect(failed).toBeLessThanOrEqual(30);
  });
});
