import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../../src/lib/clock.ts';
import { instant, millis } from '../../../src/lib/units.ts';
import { answerSizes, planQueries, queryTextLimit } from '../../../src/metric-sources/batch.ts';
import type {
  EvidenceNames,
  EvidenceRequest,
  MetricSource,
} from '../../../src/metric-sources/metric-source.ts';
import { createPrometheusSource } from '../../../src/metric-sources/prometheus.ts';
import { configSchema } from '../../../src/spec/config.ts';
import { checkNamed, namesOf, requestOf, type StoredSeries, traefikService } from './rows.ts';
import { type StubPrometheus, startStub } from './stub-prometheus.ts';

const now = Math.floor(Date.now() / 1000);
const at = instant(now * 1000);
const never = new AbortController().signal;

const word = fc.constantFrom('a', 'b', 'a-b', 'b-c', 'a-b-c', 'gw', 'svc', 'ep-x');
const someNames: fc.Arbitrary<EvidenceNames> = fc
  .record({ namespace: word, route: word, service: word, hash: fc.constantFrom('ab12', 'cd34') })
  .map(({ namespace, route, service, hash }) =>
    namesOf({
      namespace,
      route,
      stable: { service, replicaSet: service },
      canary: { service: `${service}-canary-${hash}`, replicaSet: `${service}-${hash}` },
    }),
  );
const value = fc.oneof(
  { weight: 30, arbitrary: fc.nat(1000).map(String) },
  { weight: 1, arbitrary: fc.constantFrom('NaN', '-1', '+Inf') },
);
const samples = fc
  .uniqueArray(fc.integer({ min: 0, max: 40 }), { minLength: 1, maxLength: 4 })
  .chain((ages) =>
    fc
      .array(value, { minLength: ages.length, maxLength: ages.length })
      .map((values) =>
        [...ages]
          .sort((a, b) => b - a)
          .map((age, index): [number, string] => [now - age, values[index] ?? '0']),
      ),
  );
const code = fc.constantFrom('200', '404', '500', '503');

function stored(names: EvidenceNames): fc.Arbitrary<StoredSeries[]> {
  const arm = fc.constantFrom<'stable' | 'canary'>('stable', 'canary');
  const traefik = fc.record({ arm, code, samples, bucket: fc.boolean() }).map((one) => ({
    labels: {
      __name__: one.bucket
        ? 'traefik_service_request_duration_seconds_bucket'
        : 'traefik_service_requests_total',
      service: traefikService(names, one.arm),
      code: one.code,
      ...(one.bucket ? { le: one.code === '200' ? '+Inf' : '0.3' } : {}),
    },
    samples: one.samples,
  }));
  const pod = fc.record({ arm, code, samples, suffix: fc.constantFrom('abcde', 'fghij') });
  const application = pod.map((one) => ({
    labels: {
      __name__: 'http_requests_total',
      namespace: names.namespace,
      pod: `${names[one.arm].replicaSet}-${one.suffix}`,
      code: one.code,
    },
    samples: one.samples,
  }));
  return fc.array(fc.oneof(traefik, application), { maxLength: 8 });
}

const key = ({ labels }: StoredSeries) => JSON.stringify(labels);
const world = fc.array(someNames, { minLength: 1, maxLength: 8 }).chain((all) =>
  fc.record({
    all: fc.constant(all),
    series: fc
      .tuple(...all.map(stored))
      .map((lists) => [...new Map(lists.flat().map((one) => [key(one), one])).values()]),
    windows: fc.array(fc.constantFrom(2000, 15_000, 29_000, 60_000), {
      minLength: 8,
      maxLength: 8,
    }),
  }),
);

describe('together and alone', () => {
  let stub: StubPrometheus;
  let source: MetricSource;
  beforeAll(async () => {
    stub = await startStub();
    const config = configSchema
      .parse({ sources: { default: { url: stub.url } }, templates: {}, checks: {} })
      .sources.get('default');
    if (config === undefined) throw new Error('no source');
    source = await createPrometheusSource({ config, clock: systemClock });
  });
  afterAll(async () => {
    source.close();
    await stub.close();
  });

  test('every request reads the same', async () => {
    let [usable, faulty] = [0, 0];
    await fc.assert(
      fc.asyncProperty(world, async ({ all, series, windows }) => {
        stub.series = series;
        const requests: EvidenceRequest[] = all.flatMap((names, index) =>
          ['errors', 'latency', 'application-errors'].map((check) => ({
            id: `${index}/${check}`,
            check: checkNamed(check),
            names,
            window: millis(windows[index] ?? 15_000),
            ...(check === 'latency' && index % 2 === 0 ? { bounds: [0.3] } : {}),
          })),
        );
        const together = await source.read(requests, at, never);
        for (const request of requests) {
          const alone = (await source.read([request], at, never)).get(request.id);
          expect(together.get(request.id)).toEqual(alone);
          if (alone?.kind === 'unusable') faulty += 1;
          else if ((alone?.series.length ?? 0) > 0) usable += 1;
        }
      }),
      { numRuns: 150 },
    );
    expect(usable).toBeGreaterThan(100);
    expect(faulty).toBeGreaterThan(10);
  }, 60_000);

  test('a query that proves too large is halved until its parts fit', async () => {
    const many = Array.from({ length: 12 }, (_, index) =>
      namesOf({ route: `r${index}`, stable: { service: `s${index}`, replicaSet: 's' } }),
    );
    const long: [number, number][] = Array.from({ length: 15_000 }, (_, i) => [
      now - 15_000 + i,
      i,
    ]);
    stub.series = many.map((names) => ({
      labels: {
        __name__: 'traefik_service_requests_total',
        service: traefikService(names, 'stable'),
        code: '200',
      },
      samples: long,
    }));
    const requests = many.map((names, index) =>
      requestOf({ id: `${index}`, names, window: millis(16_000_000) }),
    );
    const readings = await source.read(requests, at, never);
    for (const { id } of requests) {
      const reading = readings.get(id);
      expect(reading?.kind === 'series' && reading.series[0]?.times.length).toBe(15_000);
    }
    expect(stub.mostInFlight).toBeLessThanOrEqual(2);
  });
});

test('query texts stay below the limit however many canaries there are', () => {
  const requests = Array.from({ length: 500 }, (_, index) =>
    requestOf({
      id: `${index}`,
      names: namesOf({ namespace: `namespace-${index}`, route: 'r'.repeat(200) }),
    }),
  );
  const plans = planQueries(requests, answerSizes());
  expect(plans.flatMap((plan) => plan.requests)).toHaveLength(500);
  for (const { text } of plans) expect(text.length).toBeLessThanOrEqual(queryTextLimit);
});
