import { describe, expect, test } from 'vitest';
import { createEmbeddedCluster } from '../../../src/embedded/cluster.ts';
import { GatewayMetrics } from '../../../src/embedded/traffic/gateway-metrics.ts';
import { HttpPods } from '../../../src/embedded/traffic/http-pods.ts';
import { ModelledPods } from '../../../src/embedded/traffic/modelled-pods.ts';
import {
  type ModelledRequest,
  ModelledTraffic,
} from '../../../src/embedded/traffic/modelled-traffic.ts';
import { answerQuery } from '../../../src/embedded/traffic/prometheus-api.ts';
import { type Backend, RoutingTable } from '../../../src/embedded/traffic/routing-table.ts';
import { startScraper } from '../../../src/embedded/traffic/scraper.ts';
import { parseSelectorQuery } from '../../../src/embedded/traffic/selector-query.ts';
import { TimeSeriesStore } from '../../../src/embedded/traffic/time-series.ts';
import { WeightedChoice } from '../../../src/embedded/traffic/weighted-choice.ts';
import { serveProxy } from '../../../src/embedded/traffic/weighted-proxy.ts';
import { systemClock } from '../../../src/lib/clock.ts';
import { seededRandom } from '../../../src/lib/random.ts';
import { seconds } from '../../../src/lib/units.ts';
import { aCluster, aShop, image } from './scene.ts';

const backend = (label: string, weight: number): Backend => ({
  label,
  weight,
  namespace: 'n',
  service: label,
  exists: true,
  endpoints: [],
});
const count = (chosen: readonly (Backend | undefined)[], label: string) =>
  chosen.filter((b) => b?.label === label).length;

describe('weighted choice', () => {
  test.each([
    [99, 1],
    [90, 10],
    [50, 50],
    [1, 0],
    [3, 2],
  ])('%i to %i is exact', (a, b) => {
    const choice = new WeightedChoice();
    const backends = [backend('a', a), backend('b', b)];
    const chosen = Array.from({ length: (a + b) * 3 }, () => choice.choose(backends));
    expect([count(chosen, 'a'), count(chosen, 'b')]).toEqual([a * 3, b * 3]);
  });

  test('all weights 0 choose nothing', () => {
    expect(new WeightedChoice().choose([backend('a', 0)])).toBeUndefined();
  });
});

describe('selector query', () => {
  const labels = { __name__: 'm', service: 'a-b', code: '500' };
  const queries: readonly [text: string, fits: boolean][] = [
    ['m[60s]', true],
    ['n[60s]', false],
    ['m{code="500"}[1m]', true],
    ['m{code=~"5.."}[1m]', true],
    ['m{code=~"5"}[1m]', false],
    ['m{code!~"5..",service="a-b"}[90000ms]', false],
    ['m{service=~"a-.+|x",code!="200"}[1m30s]', true],
    ['m{absent=""}[1m]', true],
    ['m{absent!=""}[1m]', false],
  ];
  test.each(queries)('%s', (text, fits) => {
    expect(parseSelectorQuery(text)?.fits(labels)).toBe(fits);
  });

  test.each(['rate(m[1m])', 'm', 'm{a=b}[1m]', 'm{a="b"[1m]', 'm{a=~"("}[1m]', 'm[xyz]'])(
    '%s is refused',
    (text) => {
      expect(parseSelectorQuery(text)).toBeUndefined();
    },
  );

  test('a resolution gives the newest sample at each step', () => {
    const store = new TimeSeriesStore();
    for (let at = 1000; at <= 10_000; at += 1000)
      store.append(at, [{ labels: { __name__: 'm' }, value: at }]);
    const clock = { ...systemClock };
    const ask = (query: string) =>
      answerQuery({ store, clock }, new URLSearchParams({ query, time: '10' })).body;
    expect(ask('m[3s]')).toMatchObject({
      data: {
        resultType: 'matrix',
        result: [
          {
            metric: { __name__: 'm' },
            values: [
              [8, '8000'],
              [9, '9000'],
              [10, '10000'],
            ],
          },
        ],
      },
    });
    expect(ask('m[8s:4s]')).toMatchObject({
      data: {
        result: [
          {
            values: [
              [4, '4000'],
              [8, '8000'],
            ],
          },
        ],
      },
    });
    expect(ask('sum(m)')).toMatchObject({ status: 'error', errorType: 'bad_data' });
  });
});

describe('modelled traffic', () => {
  async function serve(containers = [image('v1')]) {
    const pods = new ModelledPods();
    const { clock, cluster, random } = aCluster(3, { runtime: pods });
    const table = new RoutingTable({ server: cluster.server, clock, propagationMillis: 100 });
    const metrics = new GatewayMetrics();
    const store = new TimeSeriesStore();
    startScraper({ clock, metrics, table, store, everyMillis: 1000 });
    for (const object of aShop(containers)) cluster.apply(object);
    await clock.advance(seconds(2));
    const requests: ModelledRequest[] = [];
    const traffic = new ModelledTraffic({
      clock,
      random,
      table,
      pods,
      metrics,
      host: 'web.test',
      rate: () => 100,
      onRequest: (request) => requests.push(request),
    });
    return { clock, cluster, store, requests, traffic };
  }

  test('is served, counted and queried like the real thing', async () => {
    const { clock, store, requests } = await serve();
    await clock.advance(seconds(30));
    expect(requests).toHaveLength(3000);
    expect(requests.every(({ outcome }) => outcome === 'served')).toBe(true);
    const query =
      'traefik_service_requests_total{service=~"httproute-default-web-gw-.+-ep-.+-[0-9]+-[0-9a-f]{20}-svc-default-web-[0-9]+@kubernetesgateway"}[20s]';
    const answer = answerQuery({ store, clock }, new URLSearchParams({ query }));
    const [series] = (
      answer.body as {
        data: { result: { metric: Record<string, string>; values: [number, string][] }[] };
      }
    ).data.result;
    expect(series?.metric['code']).toBe('200');
    const values = series?.values.map(([, value]) => Number(value)) ?? [];
    expect((values.at(-1) ?? 0) - (values[0] ?? 0)).toBe((values.length - 1) * 100);
  });

  test('a rolling update of draining pods loses nothing', async () => {
    const { clock, cluster, requests } = await serve();
    await clock.advance(seconds(5));
    cluster.apply(aShop([image('v2')])[0] ?? {});
    await clock.advance(seconds(20));
    const outcomes = new Set(requests.map(({ outcome }) => outcome));
    expect([...outcomes]).toEqual(['served']);
  });

  test('pods that go without draining lose requests: the count is honest', async () => {
    const hasty = { ...image('v1'), env: [{ name: 'DRAIN_MS', value: '0' }] };
    const { clock, cluster, requests } = await serve([hasty]);
    await clock.advance(seconds(5));
    cluster.apply(aShop([{ ...hasty, image: 'shop/web:v2' }])[0] ?? {});
    await clock.advance(seconds(20));
    expect(requests.some(({ outcome }) => outcome === 'refused')).toBe(true);
  });

  test('a missing backend fails its share', async () => {
    const { clock, cluster, requests } = await serve();
    const route = aShop()[4] ?? {};
    cluster.apply({
      ...route,
      spec: {
        parentRefs: [{ name: 'gw' }],
        hostnames: ['web.test'],
        rules: [
          {
            backendRefs: [
              { name: 'web', port: 80, weight: 3 },
              { name: 'nobody', port: 80, weight: 1 },
            ],
          },
        ],
      },
    });
    await clock.advance(seconds(1));
    requests.length = 0;
    await clock.advance(seconds(4));
    expect(requests.filter(({ outcome }) => outcome === 'no-backend')).toHaveLength(100);
  });
});

describe('the proxy', () => {
  test('sends real requests to real pods by weight', async () => {
    const random = seededRandom(5);
    const pods = new HttpPods({ clock: systemClock, random });
    const cluster = createEmbeddedCluster({ clock: systemClock, random, runtime: pods });
    const table = new RoutingTable({
      server: cluster.server,
      clock: systemClock,
      propagationMillis: 5,
    });
    const metrics = new GatewayMetrics();
    const front = await serveProxy({ clock: systemClock, table, pods, metrics });
    const quick = { ...image('v1'), env: [{ name: 'START_DELAY_MS', value: '1' }] };
    for (const object of aShop([quick], 2)) cluster.apply(object);
    const { request } = await import('undici');
    const ask = async () => {
      const answer = await request(front.url, { headers: { host: 'web.test' } });
      return { status: answer.statusCode, text: await answer.body.text() };
    };
    await expect.poll(async () => (await ask()).status, { timeout: 10_000 }).toBe(200);
    await expect
      .poll(() => table.rules[0]?.backends[0]?.endpoints.length, { timeout: 10_000 })
      .toBe(2);
    const answers = await Promise.all(Array.from({ length: 20 }, ask));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    expect(new Set(answers.map(({ text }) => text)).size).toBe(2);
    const total = metrics
      .scrape(table.rules)
      .find(
        ({ labels }) =>
          labels['__name__'] === 'traefik_service_requests_total' && labels['code'] === '200',
      );
    expect(total?.value).toBeGreaterThanOrEqual(20);
    cluster.stop();
    table.stop();
    pods.stopAll();
    await front.close();
  });
});
