import { describe, expect, test } from 'vitest';
import type { ClientFaults, RequestFault } from '../../../src/embedded/faults.ts';
import type { EventFault } from '../../../src/embedded/subscription.ts';
import { createClient } from '../../../src/kubernetes/client.ts';
import { createReflector } from '../../../src/kubernetes/reflector.ts';
import { resources } from '../../../src/kubernetes/resources.ts';
import { createStore } from '../../../src/kubernetes/store.ts';
import { isParsedLine, type KubernetesTransport } from '../../../src/kubernetes/transport.ts';
import { seconds } from '../../../src/lib/units.ts';
import { aCluster } from './scene.ts';

const path = '/api/v1/namespaces/default/configmaps';
const never = new AbortController().signal;
const aMap = (name: string) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name },
  data: { a: '1' },
});
const create = (transport: KubernetesTransport, name: string) =>
  transport.request({ method: 'POST', path, body: aMap(name) }, never);

function once(fault: RequestFault): ClientFaults {
  let left = 1;
  return { onRequest: () => (left-- > 0 ? fault : undefined) };
}

/** The types of the events that one client sees for the same three commits. */
async function eventsUnder(
  fault: (serial: number) => EventFault | undefined,
): Promise<readonly string[]> {
  const { clock, cluster } = aCluster();
  let serial = 0;
  const transport = cluster.transport({ faults: { onEvent: () => fault((serial += 1)) } });
  const stop = new AbortController();
  const { chunks } = await transport.stream(
    path,
    { watch: true, resourceVersion: cluster.server.store.revision },
    stop.signal,
  );
  const seen: string[] = [];
  const reading = (async () => {
    for await (const chunk of chunks) {
      if (!isParsedLine(chunk)) continue;
      const event = chunk.parsed as {
        type: string;
        object: { code?: number; data?: { a: string } };
      };
      seen.push(`${event.type} ${event.object.code ?? event.object.data?.a ?? ''}`);
    }
  })().catch(() => undefined);
  for (const a of ['1', '2', '3']) {
    cluster.apply({ ...aMap('x'), data: { a } });
    await clock.advance(seconds(1));
  }
  await clock.advance(seconds(20));
  stop.abort();
  await reading;
  return seen;
}

describe('requests', () => {
  test('a lost answer: the write is done, the client does not know', async () => {
    const { cluster } = aCluster();
    await expect(
      create(cluster.transport({ faults: once({ kind: 'lose-answer' }) }), 'done'),
    ).rejects.toMatchObject({ code: 'KUBERNETES_UNAVAILABLE' });
    expect(cluster.find('v1', 'configmaps', 'default', 'done')).toBeDefined();
  });

  test('a lost request: nothing is done', async () => {
    const { cluster } = aCluster();
    await expect(
      create(cluster.transport({ faults: once({ kind: 'lose-request' }) }), 'lost'),
    ).rejects.toMatchObject({ code: 'KUBERNETES_UNAVAILABLE' });
    expect(cluster.find('v1', 'configmaps', 'default', 'lost')).toBeUndefined();
  });

  test('throttling carries Retry-After', async () => {
    const { cluster } = aCluster();
    const transport = cluster.transport({
      faults: once({ kind: 'answer', status: 429, retryAfterSeconds: 7 }),
    });
    const answer = await create(transport, 'throttled');
    expect([answer.status, answer.headers['retry-after']]).toEqual([429, '7']);
    expect((await create(transport, 'throttled')).status).toBe(201);
  });

  test('a slow request is performed although its client has given up', async () => {
    const { clock, cluster } = aCluster();
    const asked = create(
      cluster.transport({ faults: once({ kind: 'slow-request', millis: 15_000 }) }),
      'late',
    );
    const failed = expect(asked).rejects.toMatchObject({ code: 'KUBERNETES_UNAVAILABLE' });
    await clock.advance(seconds(11));
    await failed;
    expect(cluster.find('v1', 'configmaps', 'default', 'late')).toBeUndefined();
    await clock.advance(seconds(5));
    expect(cluster.find('v1', 'configmaps', 'default', 'late')).toBeDefined();
  });

  test('a stale read shows the past', async () => {
    const { cluster } = aCluster();
    const { revision } = cluster.server.store;
    cluster.apply(aMap('new'));
    const transport = cluster.transport({
      faults: { onRequest: () => ({ kind: 'stale', revision }) },
    });
    const list = await transport.request({ method: 'GET', path }, never);
    expect(list.json).toMatchObject({ metadata: { resourceVersion: String(revision) }, items: [] });
    expect((await transport.request({ method: 'GET', path: `${path}/new` }, never)).status).toBe(
      404,
    );
  });

  test('answers cannot be changed by who gets them', async () => {
    const { cluster } = aCluster();
    const { json } = await create(cluster.transport(), 'frozen');
    expect(() => Object.assign((json as { metadata: object }).metadata, { name: 'x' })).toThrow(
      TypeError,
    );
  });
});

describe('events', () => {
  const faults: readonly [
    name: string,
    fault: (serial: number) => EventFault | undefined,
    seen: readonly string[],
  ][] = [
    ['no fault', () => undefined, ['ADDED 1', 'MODIFIED 2', 'MODIFIED 3']],
    [
      'the second dropped',
      (n) => (n === 2 ? { kind: 'drop' } : undefined),
      ['ADDED 1', 'MODIFIED 3'],
    ],
    [
      'the second twice',
      (n) => (n === 2 ? { kind: 'duplicate' } : undefined),
      ['ADDED 1', 'MODIFIED 2', 'MODIFIED 2', 'MODIFIED 3'],
    ],
    [
      'the second late: what follows waits',
      (n) => (n === 2 ? { kind: 'delay', millis: 5000 } : undefined),
      ['ADDED 1', 'MODIFIED 2', 'MODIFIED 3'],
    ],
    [
      'the second overtaken',
      (n) => (n === 2 ? { kind: 'reorder', millis: 5000 } : undefined),
      ['ADDED 1', 'MODIFIED 3', 'MODIFIED 2'],
    ],
    [
      '410 instead of the second',
      (n) => (n === 2 ? { kind: 'gone' } : undefined),
      ['ADDED 1', 'ERROR 410'],
    ],
  ];
  test.each(faults)('%s', async (_name, fault, seen) => {
    expect(await eventsUnder(fault)).toEqual(seen);
  });
});

describe("the controller's own client", () => {
  test('keeps a store in step over dropped events, 410 and 500', async () => {
    const { clock, cluster, random } = aCluster();
    let serial = 0;
    const transport = cluster.transport({
      watchLagMillis: 50,
      faults: {
        onRequest: () => (random() < 0.2 ? { kind: 'answer', status: 500 } : undefined),
        onEvent: () => ((serial += 1) % 5 === 0 ? { kind: 'gone' } : undefined),
      },
    });
    const store = createStore({ project: (raw) => raw.metadata.name });
    const reflector = createReflector({
      resource: resources.services,
      store,
      client: createClient(transport),
      transport,
      clock,
      random,
    });
    const stop = new AbortController();
    const running = reflector.run(stop.signal);
    for (let i = 0; i < 20; i += 1) {
      cluster.apply({
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: `s${i}` },
        spec: { selector: { app: 'x' }, ports: [{ port: 80 + i }] },
      });
      await clock.advance(seconds(3));
    }
    await clock.advance(seconds(120));
    expect(store.size).toBe(21);
    stop.abort();
    await running;
  });
});
