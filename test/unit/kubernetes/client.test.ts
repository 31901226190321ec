import { afterEach, expect, test } from 'vitest';
import type { ObjectRef } from '../../../src/kubernetes/api-path.ts';
import { createClient, type KubernetesClient } from '../../../src/kubernetes/client.ts';
import { measuredTransport, type RequestSeen } from '../../../src/kubernetes/measured-transport.ts';
import { resources } from '../../../src/kubernetes/resources.ts';
import { systemClock } from '../../../src/lib/clock.ts';
import {
  type Answer,
  type StubApiServer,
  sendJson,
  startStubApiServer,
  statusBody,
} from './stub-api-server.ts';

let server: StubApiServer;
afterEach(() => server.close());
const never = new AbortController().signal;
const web: ObjectRef = { resource: resources.deployments, namespace: 'shop', name: 'web' };
const stored = { metadata: { name: 'web', namespace: 'shop', uid: 'u', resourceVersion: '7' } };

async function aClient(answer: Answer = (_request, response) => sendJson(response, 200, stored)) {
  server = await startStubApiServer(answer);
  const seen: RequestSeen[] = [];
  const transport = measuredTransport({
    transport: server.transport({ maxResponseBytes: 50_000 }),
    clock: systemClock,
    onRequest: (request) => seen.push(request),
  });
  return { client: createClient(transport), transport, seen, requests: server.requests };
}

test.each<[what: string, call: (client: KubernetesClient) => Promise<unknown>, sent: object]>([
  [
    'a merge patch carries its preconditions and keeps the other metadata',
    (client) =>
      client.mergePatch(
        web,
        { metadata: { labels: { a: null } }, spec: { replicas: 3 } },
        { uid: 'u', resourceVersion: '7' },
        never,
      ),
    {
      method: 'PATCH',
      type: 'application/merge-patch+json',
      query: 'fieldManager=haldane',
      body: {
        metadata: { labels: { a: null }, uid: 'u', resourceVersion: '7' },
        spec: { replicas: 3 },
      },
    },
  ],
  [
    'a JSON patch tests its preconditions first',
    (client) =>
      client.jsonPatch(
        web,
        [{ op: 'remove', path: '/spec/paused' }],
        { uid: 'u', resourceVersion: '7', dryRun: true },
        never,
      ),
    {
      method: 'PATCH',
      type: 'application/json-patch+json',
      query: 'fieldManager=haldane&dryRun=All',
      body: [
        { op: 'test', path: '/metadata/uid', value: 'u' },
        { op: 'test', path: '/metadata/resourceVersion', value: '7' },
        { op: 'remove', path: '/spec/paused' },
      ],
    },
  ],
  [
    'a create',
    (client) => client.create(resources.replicaSets, 'shop', { a: 1 }, {}, never),
    { method: 'POST', type: 'application/json', query: 'fieldManager=haldane', body: { a: 1 } },
  ],
  [
    'a delete carries its preconditions',
    (client) => client.deleteObject(web, { uid: 'u', resourceVersion: '7' }, never),
    {
      method: 'DELETE',
      type: 'application/json',
      query: '',
      body: {
        apiVersion: 'v1',
        kind: 'DeleteOptions',
        propagationPolicy: 'Background',
        preconditions: { uid: 'u', resourceVersion: '7' },
      },
    },
  ],
])('%s', async (_what, call, sent) => {
  const { client, requests } = await aClient();
  await call(client);
  const [request] = requests;
  expect({
    method: request?.method,
    type: request?.headers['content-type'],
    query: String(request?.query),
    body: JSON.parse(request?.body ?? ''),
  }).toEqual(sent);
});

test('an answer that is no object is not taken for one', async () => {
  const { client } = await aClient((_request, response) => sendJson(response, 200, { a: 1 }));
  await expect(client.get(web, never)).rejects.toMatchObject({ code: 'KUBERNETES_UNAVAILABLE' });
});

test('find gives nothing for 404 only', async () => {
  let status = 404;
  const { client } = await aClient((_request, response) =>
    sendJson(response, status, statusBody(status, 'x', 'no')),
  );
  expect(await client.find(web, never)).toBeUndefined();
  status = 403;
  await expect(client.find(web, never)).rejects.toMatchObject({ code: 'KUBERNETES_FORBIDDEN' });
});

test('pages that are too large are asked for again, smaller', async () => {
  const limits: number[] = [];
  const { client } = await aClient((request, response) => {
    const limit = Number(request.query.get('limit'));
    const from = Number(request.query.get('continue') ?? 0);
    limits.push(limit);
    const items = Array.from({ length: Math.min(limit, 100 - from) }, (_, i) => ({
      metadata: { name: `a${from + i}`, uid: 'u', resourceVersion: '1', note: 'x'.repeat(1000) },
    }));
    const next = from + items.length < 100 ? String(from + items.length) : '';
    sendJson(response, 200, { metadata: { resourceVersion: '9', continue: next }, items });
  });
  const names = new Set<string>();
  for await (const page of client.list(resources.pods, {}, never)) {
    for (const item of page.items) names.add(item.metadata.name);
  }
  expect(names.size).toBe(100);
  expect(limits).toEqual([500, 62, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10]);
});

test('every request is measured: verb, resource, status', async () => {
  let status = 200;
  const { client, transport, seen } = await aClient((request, response) => {
    if (status === 0) response.destroy();
    else if (request.method === 'GET' && !request.path.endsWith('/web')) {
      sendJson(response, status, { metadata: { resourceVersion: '1' }, items: [] });
    } else sendJson(response, status, stored);
  });
  await client.get(web, never);
  for await (const _page of client.list(resources.pods, {}, never));
  for await (const _page of client.list(resources.httpRoutes, { namespace: 'shop' }, never));
  await client.mergePatch(web, {}, { subresource: 'status' }, never);
  await client.create(resources.events, 'shop', {}, {}, never);
  await client.deleteObject(web, {}, never);
  const stream = await transport.stream('/apis/apps/v1/deployments', { watch: true }, never);
  for await (const _chunk of stream.chunks);
  status = 409;
  await client.mergePatch(web, {}, {}, never).catch(() => {});
  status = 0;
  await client.get(web, never).catch(() => {});
  expect(seen.map(({ verb, resource, status }) => `${verb} ${resource} ${status}`)).toEqual([
    'get deployments 200',
    'list pods 200',
    'list httproutes 200',
    'patch deployments/status 200',
    'create events 200',
    'delete deployments 200',
    'watch deployments 200',
    'patch deployments 409',
    'get deployments 0',
  ]);
  for (const { millis } of seen) expect(millis).toBeGreaterThan(0);
});
