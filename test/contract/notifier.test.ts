import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { systemClock } from '../../src/lib/clock.ts';
import { isOperatingError } from '../../src/lib/errors.ts';
import type { NotifierForm } from '../../src/notifiers/notifier.ts';
import { createNotifiers, notifierFactories } from '../../src/notifiers/registry.ts';
import { aNotice } from '../builders/notice.ts';

// Every notifier of the registry against a real server that behaves well and badly.

const token = 'T0SECRET/B0SECRET/verysecret';
type Reply = (request: IncomingMessage, response: ServerResponse) => void;

interface Seen {
  readonly method: string | undefined;
  readonly path: string | undefined;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

let reply: Reply;
let seen: Seen[] = [];
let closed = 0;
let folder: string;
const server = createServer((request, response) => {
  response.on('close', () => {
    closed += 1;
  });
  let body = '';
  request.on('data', (chunk: Buffer) => {
    body += chunk.toString();
  });
  request.on('end', () => {
    seen.push({ method: request.method, path: request.url, headers: request.headers, body });
    reply(request, response);
  });
});
const origin = () => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

beforeAll(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterAll(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});
beforeEach(async () => {
  seen = [];
  closed = 0;
  folder = await mkdtemp(join(tmpdir(), 'notifier-'));
  await writeFile(join(folder, 'url'), `${origin()}/${token}\n`);
  await writeFile(join(folder, 'key'), 'signing-verysecret\n');
});
afterEach(async () => {
  server.closeAllConnections();
  await rm(folder, { recursive: true });
});

const answer =
  (status: number, body = '', headers: Record<string, string> = {}): Reply =>
  (_request, response) =>
    void response.writeHead(status, headers).end(body);

/** Sends bytes for as long as the other side listens. */
const endless =
  (status: number, everyMillis: number, chunk: string): Reply =>
  (_request, response) => {
    response.writeHead(status);
    const timer = setInterval(() => response.write(chunk), everyMillis);
    response.on('close', () => clearInterval(timer));
  };

const headOnly =
  (status: number): Reply =>
  (_request, response) =>
    response.writeHead(status).flushHeaders();

const never: Reply = () => undefined;

describe.each(Object.keys(notifierFactories) as NotifierForm[])('%s', (kind) => {
  const notifier = () => {
    const settings = {
      name: 'it',
      kind,
      urlFile: join(folder, 'url'),
      hmacKeyFile: join(folder, 'key'),
    };
    const read = (path: string) => readFile(path, 'utf8');
    const [made] = createNotifiers([settings], { clock: systemClock, readFile: read });
    if (made === undefined) throw new Error('no notifier');
    return made;
  };
  const send = (signal = AbortSignal.timeout(10_000)) => notifier().send(aNotice(), signal);
  /** The error of a send that must fail; whatever it is, it shows no secret. */
  const refusal = async (signal?: AbortSignal) => {
    const error: unknown = await send(signal).then(
      () => 'accepted',
      (reason: unknown) => reason,
    );
    if (!isOperatingError(error)) throw new Error(`not an OperatingError: ${String(error)}`);
    expect(inspect(error, { depth: 9, showHidden: true })).not.toContain('verysecret');
    return {
      code: error.code,
      retry: error.retry,
      after: error.retryAfterMillis,
      said: error.message,
    };
  };

  test('posts one JSON document with the facts to the URL in the file', async () => {
    reply = answer(200, 'ok');
    await send();
    expect(seen).toHaveLength(1);
    expect(seen[0]).toMatchObject({ method: 'POST', path: `/${token}` });
    expect(seen[0]?.headers['content-type']).toMatch(
      /^application\/([a-z]+\+)?json; charset=utf-8$/,
    );
    expect(JSON.parse(seen[0]?.body ?? '')).toBeTypeOf('object');
    for (const fact of [
      'shop',
      'web',
      'example.com/shop/web:1.4.2',
      'example.com/shop/web:1.5.0',
      'evidenceWorse',
    ]) {
      expect(seen[0]?.body).toContain(fact);
    }
    expect(seen[0]?.body).not.toContain('verysecret');
  });

  test.each([200, 201, 202, 204])('HTTP %d is accepted', async (status) => {
    reply = answer(status);
    await expect(send()).resolves.toBeUndefined();
  });

  test.each<[status: number, retry: 'backoff' | 'never']>([
    [302, 'never'],
    [307, 'never'],
    [400, 'never'],
    [403, 'never'],
    [404, 'never'],
    [410, 'never'],
    [413, 'never'],
    [408, 'backoff'],
    [425, 'backoff'],
    [500, 'backoff'],
    [503, 'backoff'],
  ])('HTTP %d: retry %s', async (status, retry) => {
    reply = answer(status, '', { location: `${origin()}/elsewhere` });
    const said = `refused with HTTP ${status}`;
    expect(await refusal()).toEqual({ code: 'NOTIFY_FAILED', retry, after: undefined, said });
    expect(seen).toHaveLength(1);
  });

  test.each<[header: string, least: number, most: number]>([
    ['7', 7000, 7000],
    ['0', 0, 0],
    [new Date(Date.now() + 60_000).toUTCString(), 50_000, 60_000],
    ['Wed, 21 Oct 2015 07:28:00 GMT', 0, 0],
  ])('429 with Retry-After %s', async (header, least, most) => {
    reply = answer(429, 'rate_limited', { 'retry-after': header });
    const { after, ...rest } = await refusal();
    const said = 'refused with HTTP 429 rate_limited';
    expect(rest).toEqual({ code: 'NOTIFY_THROTTLED', retry: 'backoff', said });
    expect(after).toBeGreaterThanOrEqual(least);
    expect(after).toBeLessThanOrEqual(most);
  });

  test('503 with Retry-After, and an odd one', async () => {
    reply = answer(503, '', { 'retry-after': '3' });
    expect(await refusal()).toMatchObject({ code: 'NOTIFY_FAILED', after: 3000 });
    reply = answer(429, '', { 'retry-after': 'soon' });
    expect(await refusal()).toMatchObject({ code: 'NOTIFY_THROTTLED', after: undefined });
  });

  test.each<[body: string, said: string]>([
    ['channel_is_archived', 'refused with HTTP 404 channel_is_archived'],
    ['no_service\n', 'refused with HTTP 404 no_service'],
    ['<html>verysecret</html>', 'refused with HTTP 404'],
    ['no\nsuch', 'refused with HTTP 404'],
    [`a${'_a'.repeat(100)}`, 'refused with HTTP 404'],
  ])('of an answer only one plain word is repeated: %.30s', async (body, said) => {
    reply = answer(404, body);
    expect((await refusal()).said).toBe(said);
  });

  test('a server that never answers is left when the signal says so', async () => {
    reply = never;
    const stop = new AbortController();
    const refused = refusal(stop.signal);
    await vi.waitFor(() => expect(seen).toHaveLength(1));
    stop.abort();
    expect(await refused).toMatchObject({
      code: 'NOTIFY_FAILED',
      retry: 'backoff',
      said: 'no answer: timed out',
    });
    await vi.waitFor(() => expect(closed).toBe(1));
  });

  test('a signal that has already fired sends nothing', async () => {
    reply = answer(200);
    expect(await refusal(AbortSignal.abort())).toMatchObject({ said: 'no answer: timed out' });
    expect(seen).toEqual([]);
  });

  test.each<[what: string, reply: Reply]>([
    ['drips for ever', endless(200, 20, '.')],
    ['never ends its body', headOnly(200)],
    ['sends a huge body', endless(200, 1, 'x'.repeat(1_000_000))],
  ])('accepted although the server %s; the connection is dropped', async (_what, bad) => {
    reply = bad;
    await send();
    await vi.waitFor(() => expect(closed).toBe(1));
  });

  test('refused with a huge body: no more than a little of it is read', async () => {
    reply = endless(500, 1, 'x'.repeat(1_000_000));
    expect(await refusal()).toMatchObject({ retry: 'backoff', said: 'refused with HTTP 500' });
    await vi.waitFor(() => expect(closed).toBe(1));
  });

  test('refused with a body that never comes: the signal ends it, the status is kept', async () => {
    reply = headOnly(500);
    expect(await refusal(AbortSignal.timeout(200))).toMatchObject({
      said: 'refused with HTTP 500',
    });
  });

  test('a connection that is cut, and one that is refused', async () => {
    reply = (request) => void request.socket.destroy();
    expect(await refusal()).toMatchObject({ retry: 'backoff', said: 'no answer: ECONNRESET' });
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    await new Promise((resolve) => other.close(resolve));
    await writeFile(join(folder, 'url'), `http://127.0.0.1:${port}/${token}`);
    expect(await refusal()).toMatchObject({ retry: 'backoff', said: 'no answer: ECONNREFUSED' });
  });

  test('no proxy of the environment is asked', async () => {
    reply = answer(200);
    vi.stubEnv('HTTP_PROXY', 'http://127.0.0.1:1');
    vi.stubEnv('http_proxy', 'http://127.0.0.1:1');
    await send().finally(() => vi.unstubAllEnvs());
    expect(seen).toHaveLength(1);
  });

  test('a rotated URL takes effect with the next notice', async () => {
    reply = answer(200);
    const it = notifier();
    await it.send(aNotice(), AbortSignal.timeout(10_000));
    await writeFile(join(folder, 'url'), `${origin()}/rotated`);
    await it.send(aNotice(), AbortSignal.timeout(10_000));
    expect(seen.map(({ path }) => path)).toEqual([`/${token}`, '/rotated']);
  });

  test.each(['', 'not a url', 'ftp://127.0.0.1/verysecret'])(
    'a bad URL file (%j) is an error that passes',
    async (text) => {
      await writeFile(join(folder, 'url'), text);
      expect(await refusal()).toMatchObject({ code: 'NOTIFY_FAILED', retry: 'backoff' });
      expect(seen).toEqual([]);
    },
  );

  test('a missing URL file is an error that passes', async () => {
    await rm(join(folder, 'url'));
    expect(await refusal()).toMatchObject({ code: 'NOTIFY_FAILED', retry: 'backoff' });
  });
});

test('the webhook says which event it is, and signs what it sends', async () => {
  reply = answer(200);
  const settings = {
    name: 'it',
    kind: 'webhook' as const,
    urlFile: join(folder, 'url'),
    hmacKeyFile: join(folder, 'key'),
  };
  const read = (path: string) => readFile(path, 'utf8');
  const [it] = createNotifiers([settings], { clock: systemClock, readFile: read });
  await it?.send(aNotice({ id: 'ünï/1 \n' }), AbortSignal.timeout(10_000));
  expect(seen[0]?.headers).toMatchObject({
    'content-type': 'application/cloudevents+json; charset=utf-8',
    'idempotency-key': '%C3%BCn%C3%AF/1%20%0A',
    'webhook-id': '%C3%BCn%C3%AF/1%20%0A',
    'webhook-timestamp': expect.stringMatching(/^\d{10}$/),
    'webhook-signature': expect.stringMatching(/^v1,[A-Za-z0-9+/]{43}=$/),
  });
});
