import type { ServerResponse } from 'node:http';
import { afterEach, expect, test, vi } from 'vitest';
import { createClient } from '../../../src/kubernetes/client.ts';
import {
  createReflector,
  type ReflectorNotice,
  type ReflectorOptions,
} from '../../../src/kubernetes/reflector.ts';
import { resources } from '../../../src/kubernetes/resources.ts';
import { createStore } from '../../../src/kubernetes/store.ts';
import { systemClock } from '../../../src/lib/clock.ts';
import { seededRandom } from '../../../src/lib/random.ts';
import { millis, seconds } from '../../../src/lib/units.ts';
import { virtualClock } from '../../builders/virtual-clock.ts';
import {
  type SeenRequest,
  type StubApiServer,
  sendJson,
  startStubApiServer,
  statusBody,
} from './stub-api-server.ts';

/**
 * A small world of pods behind a loopback server: lists, watches, and whatever fault a test wants.
 */
async function aWorld(
  options: Partial<ReflectorOptions<string, never>> = {},
  fault: { list?: Fault; watch?: Fault } = {},
) {
  const objects = new Map<string, { uid: string; version: number }>();
  const watches = new Set<ServerResponse>();
  let version = 100;
  const pod = (name: string, uid: string, at: number) => ({
    metadata: { namespace: 'shop', name, uid, resourceVersion: String(at) },
  });
  const list = (request: SeenRequest, response: ServerResponse) => {
    const limit = Number(request.query.get('limit'));
    const start = Number(request.query.get('continue') ?? 0);
    const all = [...objects].map(([name, { uid, version }]) => pod(name, uid, version));
    const next = start + limit < all.length ? String(start + limit) : undefined;
    sendJson(response, 200, {
      kind: 'PodList',
      metadata: { resourceVersion: String(version), continue: next },
      items: all.slice(start, start + limit),
    });
  };
  const watch = (_request: SeenRequest, response: ServerResponse) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    response.flushHeaders();
    watches.add(response);
    response.on('close', () => watches.delete(response));
  };
  const server = await startStubApiServer((request, response) => {
    const isWatch = request.query.get('watch') === 'true';
    const fate = isWatch ? fault.watch : fault.list;
    if (fate?.(request, response) === true) return;
    (isWatch ? watch : list)(request, response);
  });
  opened.push(server);
  const raw = (text: string | Uint8Array) => {
    for (const response of watches) response.write(text);
  };
  const send = (type: string, object: object) => raw(`${JSON.stringify({ type, object })}\n`);
  const put = (name: string, uid = `uid-${name}`) => {
    version += 1;
    objects.set(name, { uid, version });
    send('MODIFIED', pod(name, uid, version));
  };
  const remove = (name: string, silently = false) => {
    const uid = objects.get(name)?.uid ?? '';
    objects.delete(name);
    version += 1;
    if (!silently) send('DELETED', pod(name, uid, version));
  };
  const store = createStore<string>({
    project: ({ metadata }) => `${metadata.name}@${metadata.resourceVersion}`,
  });
  const changes: string[] = [];
  store.onChange(({ previous, current }) => changes.push(`${previous ?? '-'}>${current ?? '-'}`));
  const notices: ReflectorNotice[] = [];
  const transport = server.transport();
  const stop = new AbortController();
  stopped.push(stop);
  const reflector = createReflector({
    resource: resources.pods,
    store,
    client: createClient(transport),
    transport,
    clock: systemClock,
    random: seededRandom(3),
    backoff: { first: millis(20), longest: millis(200), factor: 2 },
    onNotice: (notice) => notices.push(notice),
    ...options,
  });
  const names = () => store.values().map((value) => value.split('@')[0]);
  const counted = (query: 'watch' | 'limit') =>
    server.requests.filter((request) => request.query.has(query)).length;
  return {
    server,
    store,
    changes,
    notices,
    reflector,
    fault,
    start: () => void runs.push(reflector.run(stop.signal)),
    stop,
    put,
    remove,
    raw,
    send,
    names,
    lists: () => counted('limit'),
    watchCount: () => counted('watch'),
    watching: () => vi.waitFor(() => expect(watches.size).toBe(1)),
    endWatches: () => {
      for (const response of watches) response.end();
    },
    has: (...wanted: string[]) =>
      vi.waitFor(() => expect(new Set(names())).toEqual(new Set(wanted)), { timeout: 3000 }),
    restart: () => {
      version = 10;
      objects.clear();
    },
  };
}

/** Pods `a` and `b` are there, known and watched. */
async function watchingTwo(options: Partial<ReflectorOptions<string, never>> = {}) {
  const world = await aWorld(options);
  world.put('a');
  world.put('b');
  world.start();
  await world.has('a', 'b');
  await world.watching();
  return world;
}

/** True when it has answered (or deliberately not answered) by itself. */
type Fault = (request: SeenRequest, response: ServerResponse) => boolean;
const opened: StubApiServer[] = [];
const stopped: AbortController[] = [];
const runs: Promise<void>[] = [];
afterEach(async () => {
  for (const stop of stopped.splice(0)) stop.abort(new Error('the test is over'));
  await Promise.all(runs.splice(0));
  await Promise.all(opened.splice(0).map((server) => server.close()));
});

/** The first `count` requests meet the fault, the later ones do not. */
const first = (count: number, fault: (response: ServerResponse) => void): Fault => {
  let left = count;
  return (_request, response) => {
    if (left <= 0) return false;
    left -= 1;
    fault(response);
    return true;
  };
};

test('lists by pages, then watches from there with bookmarks and a spread end', async () => {
  const world = await aWorld();
  for (let i = 0; i < 1203; i += 1) world.put(`pod-${i}`);
  expect(world.reflector.isSynced).toBe(false);
  expect(world.reflector.staleness()).toBe(Number.POSITIVE_INFINITY);
  world.start();
  await world.reflector.synced;
  expect(world.store.size).toBe(1203);
  await world.watching();
  expect(world.lists()).toBe(3);
  const watch = world.server.requests.at(-1);
  expect(watch?.query.get('resourceVersion')).toBe('1303');
  expect(watch?.query.get('allowWatchBookmarks')).toBe('true');
  expect(Number(watch?.query.get('timeoutSeconds'))).toBeGreaterThanOrEqual(40);
  expect(Number(watch?.query.get('timeoutSeconds'))).toBeLessThanOrEqual(50);
  expect(world.reflector.staleness()).toBeLessThan(5000);
});

test('follows additions, changes, deletions and replacements', async () => {
  const world = await aWorld();
  world.put('a');
  world.start();
  await world.has('a');
  await world.watching();
  world.put('b');
  world.put('a');
  world.remove('b');
  world.put('a', 'another-uid');
  await vi.waitFor(() =>
    expect(world.changes).toEqual([
      '->a@101',
      '->b@102',
      'a@101>a@103',
      'b@102>-',
      'a@103>-',
      '->a@105',
    ]),
  );
});

test('goes on from the last version or bookmark when the server ends the watch', async () => {
  const world = await aWorld();
  world.start();
  await world.watching();
  world.send('BOOKMARK', { metadata: { resourceVersion: '150' } });
  world.endWatches();
  await vi.waitFor(() => expect(world.watchCount()).toBe(2));
  expect(world.server.requests.at(-1)?.query.get('resourceVersion')).toBe('150');
  expect(world.lists()).toBe(1);
});

test('a cut connection is taken up again without a list', async () => {
  const world = await aWorld();
  world.start();
  await world.watching();
  world.server.cutConnections();
  await vi.waitFor(() => expect(world.watchCount()).toBe(2));
  await world.watching();
  world.put('a');
  await world.has('a');
  expect(world.lists()).toBe(1);
});

test('a watch that does not end as asked is dead, however lively it looks', async () => {
  const clock = virtualClock();
  const world = await aWorld({ clock });
  world.start();
  await world.watching();
  const asked = Number(world.server.requests.at(-1)?.query.get('timeoutSeconds'));
  await clock.advance(seconds(asked + 4));
  world.send('BOOKMARK', { metadata: { resourceVersion: '150' } });
  expect(world.watchCount()).toBe(1);
  await clock.advance(seconds(1));
  await vi.waitFor(() => expect(world.notices.at(-1)).toMatchObject({ kind: 'failed' }));
  await clock.advance(seconds(1));
  await vi.waitFor(() => expect(world.watchCount()).toBe(2));
  expect(world.lists()).toBe(1);
});

const expired = statusBody(410, 'Expired', 'too old resource version: 1 (2)');
const wrongLine = '{"type":"MODIFIED","object":{"metadata"\n';
test.each<[what: string, break_: (world: Awaited<ReturnType<typeof aWorld>>) => void]>([
  ['410 in the stream', (world) => world.send('ERROR', expired)],
  ['a line that is no JSON', (world) => world.raw(wrongLine)],
  ['a line that is no event', (world) => world.raw('{"kind":"Status"}\n')],
  ['an object without metadata', (world) => world.send('MODIFIED', { spec: {} })],
  [
    '410 on the watch request',
    (world) => {
      world.fault.watch = first(1, (response) => sendJson(response, 410, expired));
      world.endWatches();
    },
  ],
])('after %s it lists again, and what went meanwhile is gone', async (_what, break_) => {
  const world = await watchingTwo();
  world.remove('a', true);
  break_(world);
  await world.has('b');
  expect(world.lists()).toBe(2);
  await world.watching();
  world.put('c');
  await world.has('b', 'c');
});

test('a paged list that expires half-way starts again', async () => {
  let expiries = 0;
  const world = await aWorld(
    {},
    {
      list: (request, response) => {
        if (!request.query.has('continue') || expiries > 0) return false;
        expiries += 1;
        sendJson(response, 410, expired);
        return true;
      },
    },
  );
  for (let i = 0; i < 600; i += 1) world.put(`pod-${i}`);
  world.start();
  await world.reflector.synced;
  expect(world.store.size).toBe(600);
  expect(world.lists()).toBe(4);
});

test.each<[what: string, fault: (response: ServerResponse) => void]>([
  ['500', (response) => sendJson(response, 500, statusBody(500, 'InternalError', 'etcd'))],
  ['403', (response) => sendJson(response, 403, statusBody(403, 'Forbidden', 'no'))],
  ['a cut connection', (response) => response.destroy()],
  ['a page that is no list', (response) => sendJson(response, 200, { kind: 'Status' })],
  ['HTML', (response) => void response.end('<html>')],
])('survives %s on the list', async (_what, fault) => {
  const world = await aWorld({}, { list: first(3, fault) });
  world.put('a');
  world.start();
  await world.has('a');
  expect(world.notices.filter((notice) => notice.kind === 'failed')).toHaveLength(3);
});

test('waits as long as a 429 asks', async () => {
  const tooMany = statusBody(429, 'TooManyRequests', 'later', { retryAfterSeconds: 1 });
  const world = await aWorld(
    {},
    { list: first(1, (response) => sendJson(response, 429, tooMany)) },
  );
  const start = Date.now();
  world.start();
  await world.reflector.synced;
  expect(Date.now() - start).toBeGreaterThanOrEqual(1000);
  expect(world.notices[0]).toMatchObject({ kind: 'failed', code: 'KUBERNETES_THROTTLED' });
});

test('a server that ends every watch at once is not hammered, but suspected', async () => {
  const world = await aWorld({}, { watch: first(1e9, (response) => void response.end()) });
  world.start();
  await vi.waitFor(() => expect(world.lists()).toBeGreaterThan(1), { timeout: 3000 });
  const seen = world.server.requests.length;
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect(world.server.requests.length - seen).toBeLessThanOrEqual(8);
});

test('a storage that starts anew is believed', async () => {
  const world = await watchingTwo();
  world.restart();
  // Version 11 after 102: that is not the history we know.
  world.put('b', 'new-b');
  await vi.waitFor(() => expect(world.store.values()).toEqual(['b@11']));
});

test('one list that goes back is asked for again: a cache may be behind', async () => {
  const world = await watchingTwo();
  const pod = { namespace: 'shop', name: 'gone', uid: 'uid-gone', resourceVersion: '50' };
  const behind = { metadata: { resourceVersion: '60' }, items: [{ metadata: pod }] };
  world.fault.list = first(1, (response) => sendJson(response, 200, behind));
  world.send('ERROR', expired);
  await vi.waitFor(() => expect(world.lists()).toBe(3));
  await world.watching();
  expect(world.changes).toEqual(['->a@101', '->b@102']);
  expect(world.notices).toContainEqual(
    expect.objectContaining({
      code: 'KUBERNETES_GONE',
      message: 'the list went back from version 102 to 60',
    }),
  );
});

test('a list at least every so often finds what the watch never told', async () => {
  const world = await watchingTwo({ relistEvery: millis(50) });
  world.remove('a', true);
  await new Promise((resolve) => setTimeout(resolve, 60));
  world.endWatches();
  await world.has('b');
});

test('a resource the cluster does not know is waited for only if it is not optional', async () => {
  const unknown = (response: ServerResponse) =>
    sendJson(response, 404, statusBody(404, 'NotFound', 'the server could not find it'));
  const world = await aWorld({ optional: true }, { list: first(2, unknown) });
  world.put('a');
  world.start();
  await world.reflector.synced;
  expect(world.store.size).toBe(0);
  await world.has('a');
  const strict = await aWorld({}, { list: first(1e9, unknown) });
  strict.start();
  await vi.waitFor(() => expect(strict.lists()).toBeGreaterThan(2));
  expect(strict.reflector.isSynced).toBe(false);
});

test('stops at once, whatever it is doing', async () => {
  const idle = await aWorld();
  idle.start();
  await idle.watching();
  const hanging = await aWorld({}, { list: first(1e9, () => {}) });
  hanging.start();
  await vi.waitFor(() => expect(hanging.lists()).toBe(1));
  const start = Date.now();
  idle.stop.abort(new Error('stop'));
  hanging.stop.abort(new Error('stop'));
  await Promise.all(runs.splice(0));
  expect(Date.now() - start).toBeLessThan(500);
});

test('an event cut into pieces, also inside a letter, is put together', async () => {
  const world = await aWorld();
  world.start();
  await world.watching();
  const identity = { name: 'a', namespace: 'shop', uid: 'u', resourceVersion: '200' };
  const labels = { x: 'ü→😀' };
  const line = Buffer.from(
    `${JSON.stringify({ type: 'ADDED', object: { metadata: { ...identity, labels } } })}\n`,
  );
  const half = line.indexOf('😀') + 2;
  world.raw(line.subarray(0, half));
  await new Promise((resolve) => setTimeout(resolve, 20));
  world.raw(line.subarray(half));
  await world.has('a');
});
