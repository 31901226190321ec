import { afterEach, expect, test } from 'vitest';
import { OperatingError } from '../../../src/lib/errors.ts';
import { millis } from '../../../src/lib/units.ts';
import {
  type Answer,
  type StubApiServer,
  sendJson,
  startStubApiServer,
} from './stub-api-server.ts';

let server: StubApiServer;
const open = async (answer: Answer) => {
  server = await startStubApiServer(answer);
  return server;
};
afterEach(() => server.close());
const never = new AbortController().signal;
const get = { method: 'GET', path: '/api/v1/pods' } as const;
const caught = (promise: Promise<unknown>) =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  );

test('sends body, query and credentials, and gives back the raw answer', async () => {
  const { transport, requests } = await open((_request, response) =>
    sendJson(response, 201, { metadata: { name: 'a' }, future: [1] }, { 'X-One': '1' }),
  );
  const answer = await transport().request(
    {
      method: 'PATCH',
      path: '/api/v1/namespaces/shop/pods/a',
      query: { dryRun: 'All', limit: 5, watch: false, continue: undefined },
      body: { a: null },
      contentType: 'application/merge-patch+json',
    },
    never,
  );
  expect(answer.status).toBe(201);
  expect(answer.headers['x-one']).toBe('1');
  expect(answer.json).toEqual({ metadata: { name: 'a' }, future: [1] });
  expect(requests[0]).toMatchObject({ method: 'PATCH', body: '{"a":null}' });
  expect(String(requests[0]?.query)).toBe('dryRun=All&limit=5&watch=false');
  expect(requests[0]?.headers).toMatchObject({
    authorization: 'Bearer secret-token',
    'content-type': 'application/merge-patch+json',
  });
});

test('keeps its connections: 300 requests, 3 at once, need a handful', async () => {
  const { transport, connections } = await open((_request, response) =>
    sendJson(response, 200, {}),
  );
  const pooled = transport();
  const lane = async () => {
    for (let i = 0; i < 100; i += 1) await pooled.request(get, never);
  };
  await Promise.all([lane(), lane(), lane()]);
  expect(connections()).toBeLessThanOrEqual(6);
});

test.each<[fault: string, answer: Answer, message: RegExp]>([
  ['the connection is cut', (_q, response) => void response.socket?.destroy(), /cannot be reached/],
  ['no answer comes', () => {}, /no answer within 150 ms/],
  [
    'the body never ends',
    (_q, response) => void response.writeHead(200).write('{'),
    /no answer within 150 ms/,
  ],
  [
    'the body is cut',
    (_q, response) => {
      response.writeHead(200, { 'content-length': '100' }).write('{', () => response.destroy());
    },
    /cannot be reached/,
  ],
  [
    'the answer is too large',
    (_q, response) => void response.end('x'.repeat(2000)),
    /exceeds 1000 bytes/,
  ],
])('rejects as unavailable when %s', async (_fault, answer, message) => {
  const { transport } = await open(answer);
  const error = await caught(
    transport({ timeout: millis(150), maxResponseBytes: 1000 }).request(get, never),
  );
  expect(error).toBeInstanceOf(OperatingError);
  expect(error).toMatchObject({
    code: 'KUBERNETES_UNAVAILABLE',
    message: expect.stringMatching(message),
  });
});

test('an aborted call rejects with the reason of its signal', async () => {
  const arrived = Promise.withResolvers<void>();
  const { transport } = await open(() => arrived.resolve());
  const stop = new AbortController();
  const call = caught(transport().request(get, stop.signal));
  await arrived.promise;
  stop.abort(new Error('shutting down'));
  expect(await call).toMatchObject({ message: 'shutting down' });
});

test('streams pieces as they come, and throws when the stream breaks', async () => {
  const { transport, cutConnections } = await open((_request, response) => {
    response.writeHead(200).write('one\n');
  });
  const stream = await transport().stream('/api/v1/pods', { watch: true }, never);
  const pieces: string[] = [];
  const reading = (async () => {
    for await (const chunk of stream.chunks) {
      pieces.push(String(chunk instanceof Uint8Array ? Buffer.from(chunk) : chunk));
      cutConnections();
    }
  })();
  expect(await caught(reading)).toMatchObject({ code: 'KUBERNETES_UNAVAILABLE' });
  expect(pieces).toEqual(['one\n']);
});

test('leaving a stream ends its connection', async () => {
  const closed = Promise.withResolvers<void>();
  const { transport } = await open((_request, response) => {
    response.on('close', () => closed.resolve());
    response.writeHead(200).write('one\n');
  });
  const stream = await transport().stream('/api/v1/pods', {}, never);
  for await (const _chunk of stream.chunks) break;
  await closed.promise;
});
