// One canary pod of several fails alone: it is to be restarted, and the release not rolled back.
import { expect, it } from 'vitest';
import { waitUntil } from '../api.ts';
import { namespaced } from '../resources.ts';
import { failedOf, rounded, unanswered, untilPromoted } from './records.ts';
import {
  busyShop,
  canaryWeight,
  endShop,
  figure,
  untilRest,
  untilWeight,
  watchRoute,
} from './setup.ts';
import { setStage } from './stage.ts';

const stage = setStage();
const next = 'shop/web:v2';

it('one of three canary pods fails: it is named, restarted, and the release promoted', async () => {
  const { cluster, slack } = stage;
  const busy = await busyShop(cluster, 'sick-pod', {
    replicas: 6,
    // Of the gateway's requests nobody knows which pod answered; the pods' own counters tell.
    annotations: { 'haldane.dev/steps': '50', 'haldane.dev/checks': 'application-errors' },
  });
  const { shop, load } = busy;
  const route = watchRoute(cluster, shop);
  await shop.release(next);
  await untilWeight(shop, 50);
  const pods = await shop.pods();
  const canary = pods.filter(({ spec }) => spec.containers[0]?.image === next);
  const [sick] = canary;
  if (sick === undefined) throw new Error('no canary pod');
  expect(canary).toHaveLength(3);
  await shop.behave([sick], { 'error-rate': '1' });
  await waitUntil(async () => (await canaryWeight(shop)) === 0, {
    what: 'no weight while the pod is sick',
    timeout: 60_000,
    every: 50,
  });
  const seconds = (Date.now() - (load.log.firstFailure()?.sentAt ?? Number.NaN)) / 1000;
  const { text } = await slack.until('sick-pod/web');
  expect(text).toContain(`kubectl delete pod ${sick.metadata.name} -n sick-pod`);
  await cluster.api.remove(namespaced('pods', 'sick-pod', sick.metadata.name));
  await untilPromoted(busy, cluster, next);
  await untilRest(cluster, shop, next);
  route.stop();
  const { sent } = await endShop(busy);
  const failed = failedOf(load.log, 'v2').length;
  figure(
    'one sick canary pod of three',
    `no weight after ${rounded(seconds)} s, restarted and promoted; ${failed} of ${sent} failed`,
  );
  // On the way down it may be flinched from first.
  const weights = route.seen.map(({ weight }) => weight);
  expect(weights.filter((weight) => weight === 0 || weight >= 50)).toEqual([0, 50, 0, 50, 100, 0]);
  expect(unanswered(load.log)).toEqual([]);
}, 400_000);
