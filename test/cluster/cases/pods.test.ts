// Canary pods that cannot run or stop running: the watch tells, Prometheus is not waited for.
import { describe, expect, it } from 'vitest';
import { waitUntil } from '../api.ts';
import { auditedRequests } from '../audit.ts';
import type { Pod } from '../kubelet/pod-object.ts';
import { namespaced } from '../resources.ts';
import {
  account,
  type BusyShop,
  busyShop,
  endShop,
  eventsOf,
  figure,
  follow,
  tracesOf,
  untilWeight,
  watchRoute,
} from './setup.ts';
import { setStage } from './stage.ts';

// As shipped: these cases are about time.
const stage = setStage();

/** When a pod of an image first showed a broken container: the moment the API server told of it. */
function firstTrouble(busy: BusyShop, image: string) {
  const stop = new AbortController();
  const seen: { at: number | undefined; reason: string } = { at: undefined, reason: '' };
  const path = namespaced('pods', busy.shop.namespace);
  void follow(stage.cluster, path, stop.signal, (object) => {
    const pod = object as Pod;
    const [status] = pod.status?.containerStatuses ?? [];
    const waiting = status?.state?.waiting?.reason ?? '';
    const ended = status?.state?.terminated ?? status?.lastState?.terminated;
    const broken = /Pull|BackOff/.test(waiting) || (ended !== undefined && ended.exitCode !== 0);
    if (pod.spec.containers[0]?.image !== image || !broken || seen.at !== undefined) return;
    Object.assign(seen, { at: Date.now(), reason: ended?.reason ?? waiting });
  });
  return { seen, stop: () => stop.abort() };
}

/** The rejected template rests in the Deployment; people and machines were told why. */
async function untilRejected({ shop }: BusyShop, because: RegExp) {
  await waitUntil(
    async () => (await tracesOf(stage.cluster, shop)).join() === 'Deployment is marked',
    {
      what: `${shop.namespace} to be rolled back`,
      timeout: 60_000,
    },
  );
  const events = await eventsOf(stage.cluster, shop.namespace, shop.name);
  const told = events.filter(({ reason }) => reason === 'CanaryRolledBack');
  expect(told).toHaveLength(1);
  expect(told[0]?.message).toMatch(because);
  const message = await stage.slack.until(new RegExp(`${shop.namespace}[^]*${because.source}`));
  expect(message.text).toMatch(because);
  const place = ['-n', shop.namespace, 'rollout', 'status', 'deployment/web', '--timeout=5s'];
  expect((await stage.cluster.kubectl(place)).code).toBe(1);
  const { metadata } = await shop.deployment();
  expect(metadata.annotations?.['haldane.dev/rejected']).toMatch(/podsBroken|podsNotReady/);
}

/** Milliseconds from the trouble to the arrival of the write that takes the traffic off. */
async function cutAfter({ shop }: BusyShop, at: number): Promise<number> {
  const uri = `/namespaces/${shop.namespace}/httproutes/`;
  const asked = await auditedRequests(stage.cluster, { account, since: at - 50 });
  const cut = asked.find((one) => one.verb === 'patch' && one.uri.includes(uri));
  return (cut?.at ?? Number.NaN) - at;
}

describe.concurrent('canary pods', () => {
  it.each([
    ['crash-loop', 'shop/web:v2', { CRASH: '1' }, /crashed with exit code 1/],
    ['out-of-memory', 'shop/web:v2', { CRASH: '1', CRASH_REASON: 'OOMKilled' }, /out of memory/],
    ['no-image', 'shop/web:missing', {}, /ErrImagePull|ImagePullBackOff/],
  ] as const)('%s: no weight is ever given', async (name, image, env, because) => {
    const busy = await busyShop(stage.cluster, `pods-${name}`);
    const route = watchRoute(stage.cluster, busy.shop);
    const trouble = firstTrouble(busy, image);
    await busy.shop.release(image, env);
    await waitUntil(() => trouble.seen.at !== undefined, { what: 'a broken pod', every: 20 });
    await untilRejected(busy, because);
    expect(route.seen.map(({ weight }) => weight)).toEqual([0]);
    trouble.stop();
    route.stop();
    const { sent, failed } = await endShop(busy);
    figure(`pods: ${name}`, `rejected, no weight given; ${sent} requests, ${failed.length} failed`);
    expect(failed).toEqual([]);
  });

  it('a crash at 10 % cuts within two seconds', async () => {
    const busy = await busyShop(stage.cluster, 'pods-crash-at-10', {
      annotations: { 'haldane.dev/steps': '10,50', 'haldane.dev/min-step': '10m' },
    });
    const { shop, load } = busy;
    const route = watchRoute(stage.cluster, shop);
    const trouble = firstTrouble(busy, 'shop/web:v2');
    await shop.release('shop/web:v2');
    await untilWeight(shop, 10);
    await load.log.until('requests on v2', (log) => (log.byVersion()['v2'] ?? 0) > 20);
    const pods = (await shop.pods()).filter((p) => p.spec.containers[0]?.image === 'shop/web:v2');
    await shop.behave(pods, { crash: '1' });
    await waitUntil(() => trouble.seen.at !== undefined, { what: 'the crash', every: 5 });
    await untilRejected(busy, /crashed with exit code 1/);
    const cut = await cutAfter(busy, trouble.seen.at ?? 0);
    expect(route.seen.map(({ weight }) => weight)).toEqual([0, 10, 0]);
    trouble.stop();
    route.stop();
    const { sent, failed } = await endShop(busy);
    const onStable = failed.filter(({ version }) => version === 'v1');
    figure(
      'pods: crash at 10 %',
      `cut ${cut} ms after the pod event; ${sent} requests, ${failed.length} met the crashed pod`,
    );
    expect(cut).toBeLessThanOrEqual(2000);
    expect(onStable).toEqual([]);
  });
});
