import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ObjectRef } from '../../../src/kubernetes/api-path.ts';
import { createEventRecorder } from '../../../src/kubernetes/events.ts';
import { createLeaderElection } from '../../../src/kubernetes/lease.ts';
import type { RawObject } from '../../../src/kubernetes/raw-object.ts';
import { resources } from '../../../src/kubernetes/resources.ts';
import { systemClock } from '../../../src/lib/clock.ts';
import { isOperatingError } from '../../../src/lib/errors.ts';
import { systemRandom } from '../../../src/lib/random.ts';
import { millis, seconds } from '../../../src/lib/units.ts';
import { waitUntil } from '../api.ts';
import { type Cluster, openCluster } from '../cluster.ts';
import { type KubernetesLayer, openKubernetesLayer } from '../kubernetes-layer.ts';
import { clusterWide, namespaced } from '../resources.ts';

const namespace = 'kubernetes-client';
const never = new AbortController().signal;
let cluster: Cluster;
let layer: KubernetesLayer;

beforeAll(async () => {
  cluster = await openCluster();
  await cluster.api.create(clusterWide('namespaces'), { metadata: { name: namespace } });
  layer = openKubernetesLayer(cluster.kubeconfig);
});

afterAll(async () => {
  await cluster?.api.remove(clusterWide('namespaces', namespace));
  await layer?.transport.close();
  await cluster?.close();
});

const refOf = (name: string): ObjectRef => ({ resource: resources.services, namespace, name });
const create = (name: string, options = {}): Promise<RawObject> =>
  layer.client.create(
    resources.services,
    namespace,
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name, annotations: { color: 'red' } },
      spec: { clusterIP: 'None', ports: [{ port: 80 }] },
    },
    options,
    never,
  );
const precondition = (object: RawObject) => ({
  uid: object.metadata.uid ?? '',
  resourceVersion: object.metadata.resourceVersion ?? '',
});
const paint = (color: string) => ({ metadata: { annotations: { color } } });
const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'accepted',
    (error: unknown) => (isOperatingError(error) ? error.code : String(error)),
  );
const colorPath = '/metadata/annotations/color';

describe('the client, on a real API server,', () => {
  it('patches under preconditions, and a stale one is a conflict', async () => {
    const { client } = layer;
    const old = await create('patched');
    const ref = refOf('patched');
    const blue = await client.mergePatch(ref, paint('blue'), precondition(old), never);
    expect(blue.metadata.annotations?.['color']).toBe('blue');
    const stale = { resourceVersion: old.metadata.resourceVersion ?? '' };
    const foreign = { uid: '00000000-0000-0000-0000-000000000000' };
    const replace = [{ op: 'replace', path: colorPath, value: 'green' }] as const;
    const wrongColor = [{ op: 'test', path: colorPath, value: 'red' }, ...replace] as const;
    const noColor = [
      { op: 'test', path: '/metadata/annotations/none', value: 'x' },
      ...replace,
    ] as const;
    expect({
      mergeStale: await codeOf(client.mergePatch(ref, paint('x'), stale, never)),
      mergeForeign: await codeOf(client.mergePatch(ref, paint('x'), foreign, never)),
      mergeForeignStale: await codeOf(
        client.mergePatch(ref, paint('x'), { ...stale, ...foreign }, never),
      ),
      jsonStale: await codeOf(client.jsonPatch(ref, replace, stale, never)),
      jsonForeign: await codeOf(client.jsonPatch(ref, replace, foreign, never)),
      jsonTest: await codeOf(client.jsonPatch(ref, wrongColor, {}, never)),
      jsonTestMissing: await codeOf(client.jsonPatch(ref, noColor, {}, never)),
      deleteForeign: await codeOf(client.deleteObject(ref, foreign, never)),
      deleteStale: await codeOf(client.deleteObject(ref, stale, never)),
      json: await codeOf(client.jsonPatch(ref, replace, precondition(blue), never)),
    }).toEqual({
      mergeStale: 'KUBERNETES_CONFLICT',
      mergeForeign: 'KUBERNETES_CONFLICT',
      mergeForeignStale: 'KUBERNETES_CONFLICT',
      jsonStale: 'KUBERNETES_CONFLICT',
      jsonForeign: 'KUBERNETES_CONFLICT',
      jsonTest: 'KUBERNETES_CONFLICT',
      jsonTestMissing: 'KUBERNETES_CONFLICT',
      deleteForeign: 'KUBERNETES_CONFLICT',
      deleteStale: 'KUBERNETES_CONFLICT',
      json: 'accepted',
    });
    const seen = await client.get(ref, never);
    expect(seen.metadata.annotations?.['color']).toBe('green');
    const managers = seen.metadata['managedFields'] as readonly { readonly manager: string }[];
    expect(new Set(managers.map(({ manager }) => manager))).toEqual(new Set(['haldane']));
    await client.deleteObject(ref, precondition(seen), never);
    expect(await client.find(ref, never)).toBeUndefined();
  });

  it('names what else can go wrong', async () => {
    const { client } = layer;
    await create('there');
    const account = await cluster.serviceAccountKubeconfig(namespace, 'default');
    const poor = openKubernetesLayer(account);
    const port = { spec: { ports: [{ port: 99_999 }] } };
    expect({
      exists: await codeOf(create('there')),
      noSuch: await codeOf(client.get(refOf('absent'), never)),
      patchNoSuch: await codeOf(client.mergePatch(refOf('absent'), paint('x'), {}, never)),
      invalid: await codeOf(client.mergePatch(refOf('there'), port, {}, never)),
      forbidden: await codeOf(poor.client.get(refOf('there'), never)),
    }).toEqual({
      exists: 'KUBERNETES_ALREADY_EXISTS',
      noSuch: 'KUBERNETES_NOT_FOUND',
      patchNoSuch: 'KUBERNETES_NOT_FOUND',
      invalid: 'KUBERNETES_INVALID',
      forbidden: 'KUBERNETES_FORBIDDEN',
    });
    await poor.transport.close();
  });

  it('stores nothing in a dry run', async () => {
    const dry = await create('dry', { dryRun: true });
    expect(dry.metadata.name).toBe('dry');
    expect(await layer.client.find(refOf('dry'), never)).toBeUndefined();
  });

  it('elects one leader, and hands over at once when it stops', async () => {
    const stand = (identity: string) => {
      const stop = new AbortController();
      const election = createLeaderElection({
        client: layer.client,
        clock: systemClock,
        random: systemRandom,
        namespace,
        name: 'lease',
        identity,
        duration: seconds(3),
        renewDeadline: seconds(2),
        retryPeriod: millis(300),
      });
      const ended = election.run(
        ({ signal }) => new Promise((resolve) => signal.addEventListener('abort', () => resolve())),
        stop.signal,
      );
      return { election, leads: () => election.leadership !== undefined, stop, ended };
    };
    const [a, b] = [stand('a'), stand('b')];
    await waitUntil(() => a.leads() || b.leads(), { what: 'a leader' });
    const [leader, follower] = a.leads() ? [a, b] : [b, a];
    const { resourceVersion } = await cluster.api
      .get(namespaced('leases', namespace, 'lease'))
      .then((lease) => lease.metadata);
    await waitUntil(
      async () =>
        (await cluster.api.get(namespaced('leases', namespace, 'lease'))).metadata
          .resourceVersion !== resourceVersion,
      { what: 'a renewal' },
    );
    expect(follower.leads()).toBe(false);
    leader.stop.abort(new Error('stop'));
    await leader.ended;
    await waitUntil(() => follower.leads(), { what: 'the successor', timeout: 2000, every: 20 });
    expect(follower.election.leadership?.epoch).toBe(2);
    follower.stop.abort(new Error('stop'));
    await follower.ended;
  });

  it('records Events that kubectl describe shows with their count', async () => {
    const object = await create('noted');
    const recorder = createEventRecorder({
      client: layer.client,
      clock: systemClock,
      random: systemRandom,
      instance: 'haldane-0',
    });
    const event = {
      subject: {
        apiVersion: 'v1',
        kind: 'Service',
        namespace,
        name: 'noted',
        uid: object.metadata.uid ?? '',
      },
      type: 'Warning',
      reason: 'RolledBack',
      message: 'errors 4.1 % against 0.2 %',
    } as const;
    recorder.record(event);
    await waitUntil(() => recorder.pending === 0, { what: 'the first event to be written' });
    recorder.record(event);
    await recorder.drain(seconds(5));
    const described = await cluster.kubectl(['-n', namespace, 'describe', 'service', 'noted']);
    expect(described.stdout).toMatch(
      /Warning\s+RolledBack\s+\S+ \(x2 over \S+\)\s+haldane\s+errors 4\.1 % against 0\.2 %/,
    );
  });
});
