import { expect, test } from 'vitest';
import { createEmbeddedCluster, type EmbeddedCluster } from '../../../src/embedded/cluster.ts';
import type { StoreImage } from '../../../src/embedded/store.ts';
import { seededRandom } from '../../../src/lib/random.ts';
import { seconds } from '../../../src/lib/units.ts';
import { virtualClock } from '../../builders/virtual-clock.ts';
import { shop } from '../../simulation/shop.ts';

function aCluster(seed: number, image?: StoreImage) {
  const clock = virtualClock();
  const random = seededRandom(seed);
  const from = image === undefined ? {} : { image };
  const cluster = createEmbeddedCluster({ clock, random, events: false, ...from });
  return { clock, cluster };
}

/** A shop of three pods, a minute old. */
async function image(): Promise<StoreImage> {
  const { clock, cluster } = aCluster(1);
  for (const object of shop('shop', { replicas: 3 })) cluster.apply(object);
  await clock.advance(seconds(60));
  cluster.stop();
  return cluster.server.store.image();
}

const pods = (cluster: EmbeddedCluster) => cluster.list('v1', 'pods', 'shop');
const ready = (cluster: EmbeddedCluster) =>
  pods(cluster).filter(({ status }) => JSON.stringify(status).includes('"phase":"Running"'));

async function scaleTo(replicas: number, { cluster, clock }: ReturnType<typeof aCluster>) {
  const found = cluster.find('apps/v1', 'deployments', 'shop', 'web');
  cluster.apply({ ...found, spec: { ...(found?.spec as object), replicas } });
  await clock.advance(seconds(10));
}

test('a cluster goes on from the image of another one, and finds nothing to do', async () => {
  const from = await image();
  const { clock, cluster } = aCluster(2, from);
  const writes: string[] = [];
  cluster.server.store.onCommit(({ object }) =>
    writes.push(`${object.kind} ${object.metadata.name}`),
  );
  await clock.advance(seconds(60));
  expect(writes).toEqual([]);
  expect(cluster.server.store.revision).toBe(from.revision);
  expect(ready(cluster)).toHaveLength(3);
  cluster.stop();
});

test('its controllers and its kubelet know what was there', async () => {
  const next = aCluster(2, await image());
  const { cluster, clock } = next;
  await scaleTo(5, next);
  expect(ready(cluster)).toHaveLength(5);
  const addresses = pods(cluster).map(({ status }) => (status as { podIP?: string }).podIP);
  expect(new Set(addresses).size).toBe(5);
  await scaleTo(1, next);
  expect(pods(cluster)).toHaveLength(1);
  const path = '/apis/apps/v1/namespaces/shop/deployments/web';
  const request = { method: 'DELETE', path, contentType: 'application/json', body: {} } as const;
  await cluster.transport().request(request, new AbortController().signal);
  await clock.advance(seconds(40));
  expect(cluster.list('apps/v1', 'replicasets', 'shop')).toEqual([]);
  expect(pods(cluster)).toEqual([]);
  cluster.stop();
});

test('an image does not change with the clusters that go on from it', async () => {
  const from = await image();
  const before = JSON.stringify(from);
  const next = aCluster(2, from);
  await scaleTo(5, next);
  expect(JSON.stringify(from)).toBe(before);
  const again = aCluster(3, from);
  expect(ready(again.cluster)).toHaveLength(3);
  next.cluster.stop();
  again.cluster.stop();
});

test('the past of an image can be read as before, as far as it goes back', async () => {
  const from = await image();
  const { cluster } = aCluster(2, from);
  const { store } = cluster.server;
  expect(store.listAt('/pods', from.revision - 1)).toBeDefined();
  expect(store.changesSince(from.revision - 5)).toHaveLength(5);
  cluster.stop();
});
