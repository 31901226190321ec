import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { systemClock } from '../../../src/lib/clock.ts';
import { instant, millis } from '../../../src/lib/units.ts';
import type { MetricSource, Reading } from '../../../src/metric-sources/metric-source.ts';
import { createPrometheusSource } from '../../../src/metric-sources/prometheus.ts';
import { configSchema } from '../../../src/spec/config.ts';
import { checkNamed, namesOf, requestOf, traefikSeries } from './rows.ts';
import {
  type Answer,
  respond,
  type StubPrometheus,
  startStub,
  success,
} from './stub-prometheus.ts';

let stub: StubPrometheus;
let source: MetricSource;
const now = Math.floor(Date.now() / 1000);
const at = instant(now * 1000);

beforeEach(async () => {
  stub = await startStub();
  source = await sourceOf(stub.url);
});
afterEach(async () => {
  source.close();
  await stub.close();
});

async function sourceOf(url: string, change: object = {}): Promise<MetricSource> {
  const entry = { url, timeout: '300ms', ...change };
  const config = configSchema
    .parse({ sources: { default: entry }, templates: {}, checks: {} })
    .sources.get('default');
  if (config === undefined) throw new Error('no source');
  return createPrometheusSource({ config, clock: systemClock });
}

async function readOne(signal = new AbortController().signal): Promise<Reading | undefined> {
  return (await source.read([requestOf()], at, signal)).get('demo/web/errors');
}

test('gives the raw samples of both arms, with failed requests told apart', async () => {
  stub.series = [
    traefikSeries(namesOf(), 'stable', '200', [
      [now - 5, 10],
      [now - 1, 30],
    ]),
    traefikSeries(namesOf(), 'canary', '503', [[now - 1, 2]]),
    traefikSeries(namesOf({ namespace: 'other' }), 'canary', '503', [[now - 1, 9]]),
  ];
  const reading = await readOne();
  expect(
    reading?.kind === 'series' &&
      reading.series.map(({ arm, bad, values }) => ({ arm, bad, values })),
  ).toEqual([
    { arm: 'stable', bad: false, values: [10, 30] },
    { arm: 'canary', bad: true, values: [2] },
  ]);
});

const raw =
  (body: string, status = 200): Answer =>
  (_request, response) =>
    respond(response, status, body);
const json = (body: unknown, status = 200): Answer => raw(JSON.stringify(body), status);
const one = (values: unknown, extra: object = {}) =>
  json(
    success([{ metric: traefikSeries(namesOf(), 'stable', '200', []).labels, values, ...extra }]),
  );

test.each<[what: string, answer: Answer, code: string]>([
  [
    'a redirect',
    (_q, r) => r.writeHead(302, { location: 'http://127.0.0.1:1/' }).end(),
    'http-error',
  ],
  ['status 503 with HTML', raw('<html>', 503), 'http-error'],
  [
    'status 400',
    json({ status: 'error', errorType: 'bad_data', error: 'secret' }, 400),
    'query-error',
  ],
  ['status 422', json({ status: 'error', errorType: 'execution', error: 'x' }, 422), 'query-error'],
  ['success with errorType', json({ ...success([]), errorType: 'timeout' }), 'query-error'],
  ['HTML with 200', raw('<html>'), 'malformed'],
  ['truncated JSON', raw('{"status":"success","data":{"resul'), 'malformed'],
  ['no data', json({ status: 'success' }), 'malformed'],
  [
    'a string result',
    json({ status: 'success', data: { resultType: 'string', result: [0, 'x'] } }),
    'wrong-type',
  ],
  [
    'a vector',
    json({ status: 'success', data: { resultType: 'vector', result: [] } }),
    'wrong-type',
  ],
  ['warnings', json(success([], { warnings: ['a store is away'] })), 'partial'],
  ['an empty value', one([[now - 1, '']]), 'malformed'],
  ['a null value', one([[now - 1, null]]), 'malformed'],
  ['one member', one([['x']]), 'malformed'],
  ['a hex value', one([[now - 1, '0x10']]), 'malformed'],
  ['1e400', one([[now - 1, '1e400']]), 'not-finite'],
  ['+Inf', one([[now - 1, '+Inf']]), 'not-finite'],
  ['NaN', one([[now - 1, 'NaN']]), 'not-finite'],
  ['a negative counter', one([[now - 1, '-1']]), 'negative'],
  [
    'samples out of order',
    one([
      [now - 1, '1'],
      [now - 2, '1'],
    ]),
    'malformed',
  ],
  ['native histograms', one([], { histograms: [[now, {}]] }), 'native-histogram'],
  ['2 MiB', raw(`"${'x'.repeat(2 * 1024 * 1024)}"`), 'too-large'],
  ['too many samples', one(Array.from({ length: 50_001 }, (_, i) => [i, '1'])), 'too-large'],
  [
    'a compressed answer',
    (_q, r) => r.writeHead(200, { 'content-encoding': 'gzip' }).end('x'),
    'malformed',
  ],
  ['an answer that never comes', () => {}, 'timeout'],
  ['a slow drip', (_q, r) => void r.writeHead(200).write('{'), 'timeout'],
  ['a connection cut', (_q, r) => r.destroy(), 'unreachable'],
  [
    'a clock an hour ahead',
    (_q, r) =>
      r
        .writeHead(200, { date: new Date(Date.now() + 3_600_000).toUTCString() })
        .end(JSON.stringify(success([]))),
    'clock-skew',
  ],
])('%s is unusable', async (_what, answer, code) => {
  stub.answer = answer;
  const reading = await readOne();
  expect(reading).toMatchObject({ kind: 'unusable', code });
  expect(JSON.stringify(reading)).not.toContain('secret');
});

test('a server that is not there is unreachable', async () => {
  await stub.close();
  expect(await readOne()).toMatchObject({ code: 'unreachable' });
});

describe('what is sent', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'haldane-source-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const withToken = async (text: string | undefined) => {
    const bearerTokenFile = join(folder, 'token');
    if (text !== undefined) await writeFile(bearerTokenFile, text);
    source.close();
    source = await sourceOf(stub.url, { bearerTokenFile, tenant: 'team-a' });
    return bearerTokenFile;
  };

  test('a bearer token that is read anew for every query, and the tenant', async () => {
    const file = await withToken('first\n');
    await readOne();
    await writeFile(file, 'second');
    await readOne();
    const sent = stub.requests.map(({ headers }) => [
      headers.authorization,
      headers['x-scope-orgid'],
    ]);
    expect(sent).toEqual([
      ['Bearer first', 'team-a'],
      ['Bearer second', 'team-a'],
    ]);
  });

  test.each([
    ['absent', undefined],
    ['empty', ''],
    ['of two lines', 'a\nb: c'],
    ['huge', 'x'.repeat(20_000)],
  ])('nothing while the token file is %s', async (_what, text) => {
    await withToken(text);
    expect(await readOne()).toMatchObject({ code: 'secret-unreadable' });
    expect(stub.requests).toHaveLength(0);
  });

  test('a form, no cookies, no wish for compression, past every proxy', async () => {
    for (const name of ['http_proxy', 'HTTP_PROXY']) vi.stubEnv(name, 'http://127.0.0.1:1');
    for (const name of ['no_proxy', 'NO_PROXY']) vi.stubEnv(name, '');
    expect(await readOne()).toMatchObject({ kind: 'series' });
    vi.unstubAllEnvs();
    const [request] = stub.requests;
    expect(request?.method).toBe('POST');
    expect(request?.url).toBe('/api/v1/query');
    expect(request?.headers['accept-encoding']).toBe('identity');
    expect(request?.headers['content-type']).toBe('application/x-www-form-urlencoded');
    expect(request?.headers.cookie).toBeUndefined();
    expect(stub.queries[0]?.time).toBe(now);
  });

  test('the path of the base URL is kept', async () => {
    source.close();
    source = await sourceOf(`${stub.url}/prometheus/`);
    await readOne();
    expect(stub.requests[0]?.url).toBe('/prometheus/api/v1/query');
  });
});

test('queries that wait behind hanging ones give up with them', async () => {
  stub.answer = () => {};
  const requests = Array.from({ length: 24 }, (_, index) =>
    // Windows of different resolutions do not share queries.
    requestOf({ id: `${index}`, resolution: millis(1000 + index) }),
  );
  const start = performance.now();
  const readings = await source.read(requests, at, new AbortController().signal);
  expect(performance.now() - start).toBeLessThan(2400);
  expect([...readings.values()].map((one) => one.kind === 'unusable' && one.code)).toEqual(
    requests.map(() => 'timeout'),
  );
});

test('a source whose certificate file is missing is not created', async () => {
  await expect(sourceOf(stub.url, { caFile: '/nonexistent/ca.pem' })).rejects.toThrow('ENOENT');
});

test('a rollout that lacks a name for the template is told so, others are asked', async () => {
  const check = { ...checkNamed('errors') };
  const bare = requestOf({ id: 'bare', check, names: namesOf({ route: '' }) });
  const readings = await source.read([bare, requestOf()], at, new AbortController().signal);
  expect(readings.get('bare')).toMatchObject({
    code: 'names-missing',
    detail: expect.stringContaining('$route'),
  });
  expect(readings.get('demo/web/errors')).toMatchObject({ kind: 'series' });
});

test('arms with the same names cannot be told apart', async () => {
  const names = namesOf({ canary: namesOf().stable });
  const request = requestOf({ names });
  const reading = (await source.read([request], at, new AbortController().signal)).get(request.id);
  expect(reading).toMatchObject({ code: 'arms-not-separable' });
  expect(stub.requests).toHaveLength(0);
});

test('copies of a series that differ by a replica label are never added up', async () => {
  const copy = (replica: string) => {
    const one = traefikSeries(namesOf(), 'stable', '200', [[now - 1, 5]]);
    return { ...one, labels: { ...one.labels, prometheus_replica: replica } };
  };
  stub.series = [copy('a'), copy('b')];
  expect(await readOne()).toMatchObject({ code: 'duplicate-series' });
  stub.series = [copy('a')];
  expect(await readOne()).toMatchObject({ kind: 'series' });
});

test('a label of another name does not mean that nothing fails', async () => {
  const { labels, samples } = traefikSeries(namesOf(), 'canary', '500', [[now - 1, 5]]);
  const { code, ...others } = labels;
  stub.series = [{ labels: { ...others, status: code ?? '' }, samples }];
  expect(await readOne()).toMatchObject({ code: 'bad-label-absent' });
});
