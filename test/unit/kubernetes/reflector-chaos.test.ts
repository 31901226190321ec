import type { ServerResponse } from 'node:http';
import { afterEach, expect, test, vi } from 'vitest';
import { createClient } from '../../../src/kubernetes/client.ts';
import type { RawObject } from '../../../src/kubernetes/raw-object.ts';
import { createReflector } from '../../../src/kubernetes/reflector.ts';
import { resources } from '../../../src/kubernetes/resources.ts';
import { createStore } from '../../../src/kubernetes/store.ts';
import { systemClock } from '../../../src/lib/clock.ts';
import { type Random, seededRandom } from '../../../src/lib/random.ts';
import { millis } from '../../../src/lib/units.ts';
import { type StubApiServer, sendJson, startStubApiServer, statusBody } from './stub-api-server.ts';

interface Change {
  readonly version: number;
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly object: RawObject;
}

/** An API server with a history that can be compacted, and faults drawn from one seed. */
function history(random: Random) {
  const objects = new Map<string, RawObject>();
  const live = new Set<ServerResponse>();
  let log: Change[] = [];
  let compacted = 0;
  let version = 0;
  let unwilling = 0;
  const send = (response: ServerResponse, { type, object }: Omit<Change, 'version'>) =>
    void response.write(`${JSON.stringify({ type, object })}\n`);
  const record = (type: Change['type'], name: string, uid: string): RawObject => {
    version += 1;
    const metadata = { name, namespace: 'shop', uid, resourceVersion: String(version) };
    const change: Change = { version, type, object: { metadata } };
    log.push(change);
    for (const response of live) send(response, change);
    return change.object;
  };
  return {
    objects,
    endWatches: (lastWords: string) => {
      for (const response of live) response.end(lastWords);
      live.clear();
    },
    answer: (query: URLSearchParams, response: ServerResponse) => {
      if (unwilling > 0) {
        unwilling -= 1;
        if (random() < 0.5) response.destroy();
        else sendJson(response, 500, statusBody(500, 'InternalError', 'etcd'));
        return;
      }
      if (!query.has('watch')) {
        const list = {
          metadata: { resourceVersion: String(version) },
          items: [...objects.values()],
        };
        sendJson(response, 200, list);
        return;
      }
      const from = Number(query.get('resourceVersion'));
      const expired = statusBody(410, 'Expired', 'too old resource version');
      if (from < compacted && random() < 0.5) {
        sendJson(response, 410, expired);
        return;
      }
      response.writeHead(200);
      response.flushHeaders();
      if (from < compacted) {
        response.end(`${JSON.stringify({ type: 'ERROR', object: expired })}\n`);
        return;
      }
      for (const change of log) if (change.version > from) send(response, change);
      live.add(response);
      response.on('error', () => {});
      response.on('close', () => live.delete(response));
    },
    put: (name: string, replace: boolean) => {
      const before = objects.get(name)?.metadata.uid;
      if (before !== undefined && replace) record('DELETED', name, before);
      const fresh = before === undefined || replace;
      const uid = fresh ? `${name}-${version}` : before;
      const object = record(fresh ? 'ADDED' : 'MODIFIED', name, uid);
      objects.set(name, object);
      return object;
    },
    remove: (name: string) => {
      const uid = objects.get(name)?.metadata.uid;
      if (uid === undefined) return;
      objects.delete(name);
      record('DELETED', name, uid);
    },
    compact: () => {
      compacted = version;
      log = [];
    },
    refuse: (count: number) => {
      unwilling = count;
    },
  };
}

const servers: StubApiServer[] = [];
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

test.each([1, 2, 3, 4, 5, 6, 7, 8])(
  'seed %i: whatever breaks, in the end the store is right',
  async (seed) => {
    const random = seededRandom(seed);
    const pick = <V>(values: readonly V[]): V => values[Math.floor(random() * values.length)] as V;
    const world = history(random);
    const server = await startStubApiServer(({ query }, response) => world.answer(query, response));
    servers.push(server);
    const transport = server.transport();
    const store = createStore<RawObject['metadata']>({ project: ({ metadata }) => metadata });
    const wentBack: string[] = [];
    store.onChange(({ key, previous, current }) => {
      const [before, after] = [previous, current].map((m) => Number(m?.resourceVersion));
      if (before !== undefined && after !== undefined && after <= before) wentBack.push(key);
    });
    const stop = new AbortController();
    const running = createReflector({
      resource: resources.pods,
      store,
      client: createClient(transport),
      transport,
      clock: systemClock,
      random,
      backoff: { first: millis(1), longest: millis(8), factor: 2 },
    }).run(stop.signal);
    const answers: RawObject[] = [];
    const faults: readonly (() => void)[] = [
      () => server.cutConnections(),
      () => world.compact(),
      () => world.refuse(1 + Math.floor(random() * 4)),
      () => world.endWatches(''),
      () => world.endWatches('{"type":"MODIF\n'),
      () => world.endWatches('{"type":"MODIFIED","object":{"me'),
    ];
    for (let step = 0; step < 150; step += 1) {
      const name = pick(['a', 'b', 'c', 'd', 'e']);
      if (random() < 0.25) world.remove(name);
      else answers.push(world.put(name, random() < 0.15));
      if (random() < 0.2) pick(faults)();
      // The answers to our own writes come at any time, in any order, or never.
      if (random() < 0.4 && answers.length > 0) store.accept(pick(answers));
      if (random() < 0.5) await new Promise((resolve) => setTimeout(resolve, random() * 4));
    }
    const truth = () => [...world.objects.values()].map(({ metadata }) => metadata);
    await vi.waitFor(() => expect(new Set(store.values())).toEqual(new Set(truth())), {
      timeout: 3000,
      interval: 5,
    });
    expect(wentBack).toEqual([]);
    stop.abort(new Error('the test is over'));
    await running;
  },
);
