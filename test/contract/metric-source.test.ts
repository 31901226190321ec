import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/lib/clock.ts';
import { instant, millis } from '../../src/lib/units.ts';
import type { EvidenceRequest, MetricSource } from '../../src/metric-sources/metric-source.ts';
import {
  advance,
  openStream,
  type PollStream,
  windowOf,
} from '../../src/metric-sources/poll-stream.ts';
import { metricSources } from '../../src/metric-sources/registry.ts';
import { compileChecks } from '../../src/metric-sources/template.ts';
import { configSchema } from '../../src/spec/config.ts';
import {
  checkNamed,
  firstOf,
  namesOf,
  requestOf,
  type StoredSeries,
  traefikSeries,
} from '../unit/metric-sources/rows.ts';
import { startStub } from '../unit/metric-sources/stub-prometheus.ts';
import {
  hasPrometheus,
  type RealPrometheus,
  startPrometheus,
  waitFor,
} from './metric-source-prometheus.ts';

/** A running source of some kind, into which a test puts counters. */
interface World {
  readonly url: string;
  readonly add: (series: StoredSeries['labels'], by: number) => void;
  /** Resolves when what was added before has been scraped. */
  readonly scraped: () => Promise<void>;
  readonly stop: () => Promise<void>;
}

const worlds: readonly (readonly [name: string, start: () => Promise<World>])[] = [
  ['a stub in this process', stubWorld],
  ...(hasPrometheus ? ([['the real Prometheus', realWorld]] as const) : []),
];

test('the real Prometheus takes part where CI runs', () => {
  if (!hasPrometheus) console.info('no prometheus binary here: its contract is run by CI');
  expect(hasPrometheus || process.env['CI'] === undefined).toBe(true);
});

async function realWorld(): Promise<World> {
  const prometheus: RealPrometheus = await startPrometheus();
  const scraped = async () => {
    const seen = prometheus.scrapes();
    await waitFor('two scrapes', () => prometheus.scrapes() >= seen + 2);
  };
  return {
    url: prometheus.url,
    add: ({ __name__: metric, ...labels }, by) => {
      const text = Object.entries(labels).map(
        ([name, value]) => `${name}=${JSON.stringify(value)}`,
      );
      prometheus.add(`${metric}{${text.join(',')}}`, by);
    },
    scraped,
    stop: () => prometheus.stop(),
  };
}

async function stubWorld(): Promise<World> {
  const stub = await startStub();
  const values = new Map<
    string,
    { labels: StoredSeries['labels']; value: number; samples: [number, number][] }
  >();
  const timer = setInterval(() => {
    const now = Date.now() / 1000;
    for (const one of values.values()) one.samples.push([now, one.value]);
    stub.series = [...values.values()].map(({ labels, samples }) => ({
      labels,
      samples: [...samples],
    }));
  }, 250);
  return {
    url: stub.url,
    add: (labels, by) => {
      const key = JSON.stringify(labels);
      const one = values.get(key) ?? { labels, value: 0, samples: [] };
      values.set(key, { ...one, value: one.value + by, samples: one.samples });
    },
    scraped: async () => {
      const seen = Date.now();
      await waitFor('a scrape', () => Date.now() - seen > 500);
    },
    stop: async () => {
      clearInterval(timer);
      await stub.close();
    },
  };
}

const never = new AbortController().signal;

const ownMetrics = compileChecks(
  configSchema.parse({
    sources: { default: { url: 'http://prometheus:9090' } },
    templates: {
      own: {
        total: 'own_requests_total{namespace="$namespace",pod=~"$pods"}',
        badTotal: 'own_failures_total{namespace="$namespace",pod=~"$pods"}',
        gauge: 'own_bytes{namespace="$namespace",pod=~"$pods"}',
        podLabel: 'pod',
      },
    },
    checks: {
      errors: { kind: 'ratio', template: 'own' },
      memory: { kind: 'gauge-per-pod', template: 'own' },
    },
  }),
);
const labels = (arm: 'stable' | 'canary', code: string, names = namesOf()) =>
  traefikSeries(names, arm, code, []).labels;

describe.each(Object.entries(metricSources))('metric source %s', (kind, create) => {
  describe.each(worlds)('with %s', (_name, start) => {
    let world: World;
    let source: MetricSource;

    beforeAll(async () => {
      world = await start();
      const config = configSchema
        .parse({ sources: { default: { kind, url: world.url } }, templates: {}, checks: {} })
        .sources.get('default');
      if (config === undefined) throw new Error('no source');
      source = await create({ config, clock: systemClock });
    }, 30_000);
    afterAll(async () => {
      source?.close();
      await world?.stop();
    });

    test('counts every request once, from the first failed one of a new series on', async () => {
      const checks = [{ name: 'errors' }];
      let stream: PollStream | undefined;
      const sums = { nc: 0, xc: 0, ns: 0, xs: 0 };
      const poll = async () => {
        const at = systemClock.now();
        stream ??= openStream(instant(at - 100), checks);
        const request = requestOf({ window: windowOf(stream, 'errors', at) });
        const reading = (await source.read([request], at, never)).get(request.id);
        const step = advance(
          stream,
          new Map(reading === undefined ? [] : [['errors', reading]]),
          at,
        );
        stream = step.stream;
        for (const one of step.polls) {
          const counts = firstOf(one.checks['errors']);
          for (const key of ['nc', 'xc', 'ns', 'xs'] as const) sums[key] += counts?.[key] ?? 0;
        }
        return step;
      };
      world.add(labels('stable', '200'), 1000);
      await world.scraped();
      await world.scraped();
      await waitFor('the first boundary', async () => (await poll()).stream.cursor !== undefined);
      for (let round = 0; round < 5; round += 1) {
        world.add(labels('stable', '200'), 100);
        world.add(labels('stable', '500'), 1);
        world.add(labels('canary', '200'), 7);
        if (round > 1) world.add(labels('canary', '503'), 2);
        await world.scraped();
        await poll();
      }
      const complete = { nc: 41, xc: 6, ns: 505, xs: 5 };
      await waitFor('all requests', async () => (await poll()).polls.length > 0 && sums.nc >= 41);
      await poll();
      expect(sums).toEqual(complete);
    }, 60_000);

    test('reads alike together and alone: 200 canaries in at most 4 queries', async () => {
      const requests: EvidenceRequest[] = [];
      for (let index = 0; index < 200; index += 1) {
        const names = namesOf({
          namespace: index % 2 === 0 ? 'shop' : 'shop-web',
          route: `app-${index}`,
          stable: { service: `app-${index}`, replicaSet: `app-${index}-7d4b9` },
          canary: {
            service: `app-${index}-canary-ab12cd34ef`,
            replicaSet: `app-${index}-ab12cd34ef`,
          },
        });
        for (const arm of ['stable', 'canary'] as const) {
          for (const code of ['200', '404', '500']) world.add(labels(arm, code, names), index + 1);
        }
        requests.push(requestOf({ id: `${index}`, names, window: millis(4000) }));
      }
      await world.scraped();
      const at = systemClock.now();
      await source.read(requests.slice(0, 20), at, never);
      const before = queries(source);
      const together = await source.read(requests, at, never);
      expect(queries(source) - before).toBeLessThanOrEqual(4);
      expect([...together.keys()]).toHaveLength(200);
      for (const request of [0, 1, 77, 199].map((index) => requests[index])) {
        if (request === undefined) continue;
        const alone = (await source.read([request], at, never)).get(request.id);
        expect(together.get(request.id)).toEqual(alone);
        expect(alone?.kind === 'series' && alone.series).toHaveLength(6);
      }
    }, 60_000);

    test('names that look like PromQL or patterns select nothing else', async () => {
      const at = systemClock.now();
      for (const hostile of [
        '"} or vector(1) #',
        '.*',
        '\\',
        'a|b',
        '(',
        '$',
        '\n',
        '😀',
        '\ud800',
        '`',
      ]) {
        const names = namesOf({ stable: { service: hostile, replicaSet: hostile } });
        const reading = (await source.read([requestOf({ names })], at, never)).get(
          'demo/web/errors',
        );
        expect(reading, hostile).toMatchObject({ kind: 'series' });
        const stable =
          reading?.kind === 'series' && reading.series.some(({ arm }) => arm === 'stable');
        expect(stable, hostile).toBe(false);
      }
    });

    test('reads a counter of failures and a gauge of pods beside all requests', async () => {
      const pod = { namespace: 'demo', pod: 'web-7d4b9-aaaaa' };
      const canary = { namespace: 'demo', pod: 'web-ab12cd34ef-bbbbb' };
      world.add({ __name__: 'own_requests_total', ...pod }, 50);
      world.add({ __name__: 'own_requests_total', ...canary }, 10);
      world.add({ __name__: 'own_failures_total', ...canary }, 3);
      world.add({ __name__: 'own_bytes', ...pod }, 700);
      world.add({ __name__: 'own_bytes', ...canary }, -5);
      await world.scraped();
      const requests = ['errors', 'memory'].map((name) =>
        requestOf({ id: name, check: checkNamed(name, ownMetrics), window: millis(5000) }),
      );
      const readings = await source.read(requests, systemClock.now(), never);
      const last = (name: string) => {
        const reading = readings.get(name);
        if (reading?.kind !== 'series') return reading;
        return reading.series.map(({ arm, bad, pod: of, values }) => [arm, bad, of, values.at(-1)]);
      };
      expect(last('errors')).toEqual([
        ['stable', false, 'web-7d4b9-aaaaa', 50],
        ['canary', false, 'web-ab12cd34ef-bbbbb', 10],
        ['canary', true, 'web-ab12cd34ef-bbbbb', 3],
      ]);
      expect(last('memory')).toEqual([
        ['stable', false, 'web-7d4b9-aaaaa', 700],
        ['canary', false, 'web-ab12cd34ef-bbbbb', -5],
      ]);
    });

    test('ends at once when it is told to stop', async () => {
      const stop = new AbortController();
      const reading = source.read([requestOf()], systemClock.now(), stop.signal);
      stop.abort();
      expect((await reading).get('demo/web/errors')).toMatchObject({ code: 'cancelled' });
    });
  });
});

const queries = (source: MetricSource): number =>
  [...source.queries().values()].reduce((sum, count) => sum + count, 0);
