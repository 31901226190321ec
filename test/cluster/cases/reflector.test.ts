import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createReflector, type ReflectorNotice } from '../../../src/kubernetes/reflector.ts';
import { resources } from '../../../src/kubernetes/resources.ts';
import { createStore } from '../../../src/kubernetes/store.ts';
import type { KubernetesTransport } from '../../../src/kubernetes/transport.ts';
import { systemClock } from '../../../src/lib/clock.ts';
import { OperatingError } from '../../../src/lib/errors.ts';
import { systemRandom } from '../../../src/lib/random.ts';
import { type Millis, seconds } from '../../../src/lib/units.ts';
import { waitUntil } from '../api.ts';
import { type Cluster, openCluster } from '../cluster.ts';
import { type KubernetesLayer, openKubernetesLayer } from '../kubernetes-layer.ts';
import { clusterWide, namespaced } from '../resources.ts';

const namespace = 'reflector';
const stops: AbortController[] = [];
let cluster: Cluster;
let layer: KubernetesLayer;

beforeAll(async () => {
  cluster = await openCluster();
  await cluster.api.create(clusterWide('namespaces'), { metadata: { name: namespace } });
  layer = openKubernetesLayer(cluster.kubeconfig);
});

afterEach(async () => {
  for (const stop of stops.splice(0)) stop.abort(new Error('the case is over'));
  await cluster.components.repair();
});

afterAll(async () => {
  await cluster?.api.remove(clusterWide('namespaces', namespace));
  await layer?.transport.close();
  await cluster?.close();
});

/** The services of our namespace, each as `name color`, mirrored until the case is over. */
async function mirrorServices(options: { watchSpan?: Millis } = {}) {
  const gate = { open: true };
  const transport: KubernetesTransport = {
    request: (request, signal) => layer.transport.request(request, signal),
    stream: (path, query, signal) => {
      if (gate.open) return layer.transport.stream(path, query, signal);
      throw new OperatingError('KUBERNETES_UNAVAILABLE', 'no network');
    },
  };
  const store = createStore<string>({
    project: ({ metadata }) => `${metadata.name} ${metadata.annotations?.['color'] ?? '-'}`,
  });
  const notices: ReflectorNotice[] = [];
  const reflector = createReflector({
    resource: resources.services,
    store,
    client: layer.client,
    transport,
    clock: systemClock,
    random: systemRandom,
    namespace,
    ...options,
    onNotice: (notice) => notices.push(notice),
  });
  const stop = new AbortController();
  stops.push(stop);
  void reflector.run(stop.signal);
  await reflector.synced;
  const shows = (...wanted: string[]) =>
    waitUntil(() => store.values().toSorted().join() === wanted.join(), {
      what: () => `${wanted.join()}; seen: ${store.values().join()} ${JSON.stringify(notices)}`,
      every: 5,
    });
  const lists = () => notices.filter((notice) => notice.kind === 'listed').length;
  return { store, notices, reflector, gate, shows, lists };
}

const service = (name: string) => ({
  metadata: { name },
  spec: { ports: [{ port: 80 }], clusterIP: 'None' },
});
const services = namespaced('services', namespace);
const paint = (name: string, color: string) =>
  cluster.api.patch(`${services}/${name}`, 'merge', { metadata: { annotations: { color } } });

describe('the reflector, on a real API server,', () => {
  it('shows each change within milliseconds', async () => {
    const mirror = await mirrorServices();
    await cluster.api.create(services, service('a'));
    await mirror.shows('a -');
    const delays: number[] = [];
    for (let i = 0; i < 20; i += 1) {
      await paint('a', `c${i}`);
      const start = performance.now();
      await mirror.shows(`a c${i}`);
      delays.push(performance.now() - start);
    }
    expect(Math.max(...delays)).toBeLessThan(500);
    await cluster.api.remove(`${services}/a`);
    await mirror.shows();
    expect(mirror.lists()).toBe(1);
  });

  it('goes on when the API server was killed and comes back', async () => {
    const mirror = await mirrorServices();
    await cluster.api.create(services, service('a'));
    await mirror.shows('a -');
    await cluster.components.kill('kube-apiserver');
    await waitUntil(() => mirror.notices.some((notice) => notice.kind === 'failed'), {
      what: 'the lost watch to be noticed',
    });
    expect(mirror.store.values()).toEqual(['a -']);
    await cluster.components.start('kube-apiserver');
    await paint('a', 'green');
    const back = performance.now();
    await mirror.shows('a green');
    expect(performance.now() - back).toBeLessThan(5000);
    await cluster.api.remove(`${services}/a`);
    await mirror.shows();
  });

  it('lists again when its history is gone, and drops what was deleted meanwhile', async () => {
    await cluster.api.create(services, service('gone'));
    await cluster.api.create(services, service('kept'));
    const mirror = await mirrorServices();
    await mirror.shows('gone -', 'kept -');
    mirror.gate.open = false;
    await cluster.components.kill('kube-apiserver');
    await cluster.components.start('kube-apiserver');
    await cluster.api.remove(`${services}/gone`);
    await paint('kept', 'blue');
    // The new process' history begins after these changes.
    await cluster.components.kill('kube-apiserver');
    await cluster.components.start('kube-apiserver');
    mirror.gate.open = true;
    await mirror.shows('kept blue');
    expect(mirror.notices).toContainEqual(
      expect.objectContaining({ kind: 'failed', code: 'KUBERNETES_GONE' }),
    );
    await cluster.api.remove(`${services}/kept`);
    await mirror.shows();
  });

  it('notices an API server that keeps its connections and says nothing', async () => {
    const mirror = await mirrorServices({ watchSpan: seconds(3) });
    await cluster.components.pause('kube-apiserver');
    await waitUntil(() => mirror.notices.some((notice) => notice.kind === 'failed'), {
      what: () => `the silence to be noticed; seen: ${JSON.stringify(mirror.notices)}`,
    });
    await cluster.components.resume('kube-apiserver');
    await cluster.api.create(services, service('a'));
    await mirror.shows('a -');
    await cluster.api.remove(`${services}/a`);
    await mirror.shows();
  });
});
