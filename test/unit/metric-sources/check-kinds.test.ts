import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../../src/lib/clock.ts';
import { instant, millis, seconds } from '../../../src/lib/units.ts';
import type { GaugeSpan } from '../../../src/metric-sources/counts.ts';
import { gaugeHistory, historyOf } from '../../../src/metric-sources/history.ts';
import type {
  EvidenceRequest,
  MetricSource,
  Reading,
} from '../../../src/metric-sources/metric-source.ts';
import { advance, openStream, windowOf } from '../../../src/metric-sources/poll-stream.ts';
import { createPrometheusSource } from '../../../src/metric-sources/prometheus.ts';
import { compileChecks } from '../../../src/metric-sources/template.ts';
import { parseConfig } from '../../../src/spec/config-file.ts';
import { checkNamed, firstOf, namesOf, type Sample, type StoredSeries } from './rows.ts';
import { respond, type StubPrometheus, startStub, success } from './stub-prometheus.ts';

const now = Math.floor(Date.now() / 1000);
const at = instant(now * 1000);
const never = new AbortController().signal;

const own = 'namespace="$namespace",pod=~"$pods"';
const parsed = parseConfig(
  `
sources: { default: { url: http://prometheus:9090 } }
templates:
  app:
    total: requests_total{${own}}
    badTotal: failures_total{${own}}
    nativeHistogram: duration_seconds{${own}}
    gauge: resident_bytes{${own}}
    podLabel: pod
checks:
  errors: { kind: ratio, template: app }
  latency: { kind: histogram, template: app }
  memory: { kind: gauge-per-pod, template: app }
`,
  'x',
);
if (!parsed.ok) throw new Error(parsed.problems[0]?.message);
const compiled = compileChecks(parsed.config);

const request = (name: string, change: Partial<EvidenceRequest> = {}): EvidenceRequest => ({
  id: `demo/web ${name}`,
  check: checkNamed(name, compiled),
  names: namesOf(),
  window: seconds(60),
  ...change,
});

const pods = { stable: 'web-7d4b9-aaaaa', canary: 'web-ab12cd34ef-bbbbb' };
const stored = (
  metric: string,
  arm: 'stable' | 'canary',
  samples: readonly Sample[],
  pod: string = pods[arm],
): StoredSeries => ({ labels: { __name__: metric, namespace: 'demo', pod }, samples });

let stub: StubPrometheus;
let source: MetricSource;
beforeEach(async () => {
  stub = await startStub();
  const config = parsed.config.sources.get('default');
  if (config === undefined) throw new Error('no source');
  source = await createPrometheusSource({
    config: { ...config, url: stub.url },
    clock: systemClock,
  });
});
afterEach(async () => {
  source.close();
  await stub.close();
});

const readOne = async (one: EvidenceRequest): Promise<Reading> => {
  const reading = (await source.read([one], at, never)).get(one.id);
  if (reading === undefined) throw new Error('no answer');
  return reading;
};

/** A sample every 5 s up to now, `growth` more each time. */
const rising = (growth: number, first = 0): readonly Sample[] =>
  Array.from({ length: 12 }, (_, i) => [now - 55 + 5 * i, first + growth * i]);

const countedBy = (reading: Reading) => {
  const stream = openStream(instant(at - 30_000), [{ name: 'errors' }]);
  const { polls } = advance(stream, new Map([['errors', reading]]), at);
  return polls.map(({ checks }) => firstOf(checks['errors']));
};

describe('a counter of failed requests of its own', () => {
  test('adds no requests, and is asked after all requests', async () => {
    stub.series = [
      stored('requests_total', 'stable', rising(50)),
      stored('requests_total', 'canary', rising(10)),
      stored('failures_total', 'canary', rising(3)),
    ];
    const counted = countedBy(await readOne(request('errors')));
    expect(counted.length).toBeGreaterThan(3);
    for (const one of counted) expect(one).toEqual({ nc: 10, xc: 3, ns: 50, xs: 0 });
    expect(stub.queries.map(({ text }) => text.slice(0, text.indexOf('{')))).toEqual([
      'requests_total',
      'failures_total',
    ]);
  });

  test('that does not exist yet means that nothing failed where requests are', async () => {
    stub.series = [stored('requests_total', 'stable', rising(50))];
    for (const one of countedBy(await readOne(request('errors')))) {
      expect(one).toEqual({ nc: 0, xc: 0, ns: 50, xs: 0 });
    }
  });

  test('of an arm whose requests are not counted is no evidence', async () => {
    stub.series = [
      stored('requests_total', 'stable', rising(50)),
      stored('failures_total', 'canary', rising(3)),
    ];
    expect(await readOne(request('errors'))).toMatchObject({
      code: 'total-absent',
      detail: 'failed requests of canary are counted, its requests are not',
    });
    stub.series = [
      stored('requests_total', 'stable', rising(50)),
      stored('failures_total', 'canary', rising(0)),
    ];
    expect(await readOne(request('errors'))).toMatchObject({ kind: 'series' });
  });

  test('that cannot be had leaves no half of an answer', async () => {
    stub.answer = (_incoming, response, body) =>
      body.includes('failures_total')
        ? respond(response, 503, 'away')
        : respond(response, 200, success([]));
    expect(await readOne(request('errors'))).toMatchObject({ code: 'http-error' });
  });

  test('tells what stable failed before a rollout', async () => {
    stub.series = [
      stored('requests_total', 'stable', rising(50)),
      stored('failures_total', 'stable', rising(5)),
    ];
    const reading = await readOne(request('errors'));
    expect(reading.kind === 'series' && historyOf(reading)).toMatchObject({
      requests: 11 * 50,
      bad: 11 * 5,
    });
  });
});

/** As the query API writes it: `[rule, left, right, requests in the bucket]`. */
type Bucket = readonly [rule: number, left: string, right: string, count: string];
const native = (
  arm: 'stable' | 'canary',
  samples: readonly (readonly [second: number, buckets: readonly Bucket[]])[],
  pod: string = pods[arm],
) => ({
  metric: stored('duration_seconds', arm, [], pod).labels,
  histograms: samples.map(([second, buckets]) => [
    second,
    {
      count: String(buckets.reduce((sum, [, , , count]) => sum + Number(count), 0)),
      sum: '1.5',
      buckets,
    },
  ]),
});

const answering = (result: unknown) => {
  stub.answer = (_incoming, response) => respond(response, 200, success(result));
};

describe('a native histogram', () => {
  const buckets = (scale: number): readonly Bucket[] => [
    [3, '-0.001', '0.001', String(scale)],
    [0, '0.0625', '0.08838834764831845', String(10 * scale)],
    [0, '0.08838834764831845', '0.125', String(5 * scale)],
    [0, '0.25', '0.3535533905932738', String(2 * scale)],
    [0, '0.5', String(Math.SQRT1_2), String(scale)],
  ];

  test('gives counts up to the ends of its buckets, as classic buckets do', async () => {
    answering([
      native('stable', [
        [now - 5, buckets(1)],
        [now - 1, buckets(3)],
      ]),
    ]);
    const reading = await readOne(request('latency'));
    const shown =
      reading.kind === 'series' && reading.series.map(({ bound, values }) => [bound, values]);
    expect(shown).toEqual([
      [0.08838834764831845, [11, 33]],
      [0.125, [16, 48]],
      [0.3535533905932738, [18, 54]],
      [Math.SQRT1_2, [19, 57]],
      [Number.POSITIVE_INFINITY, [19, 57]],
    ]);
    expect(stub.queries[0]?.text).not.toContain('le=');
  });

  test('gives the bounds that were asked for, also between its buckets', async () => {
    answering([native('canary', [[now - 1, buckets(1)]])]);
    const reading = await readOne(request('latency', { bounds: [0.2, 0.5] }));
    expect(
      reading.kind === 'series' && reading.series.map(({ bound, values }) => [bound, values[0]]),
    ).toEqual([
      [0.2, 16],
      [0.5, 18],
      [Number.POSITIVE_INFINITY, 19],
    ]);
  });

  test('never guesses inside of a bucket', async () => {
    answering([native('stable', [[now - 1, buckets(1)]])]);
    expect(await readOne(request('latency', { bounds: [0.3] }))).toMatchObject({
      code: 'bounds-absent',
      detail: 'a native bucket lies across 0.3 s',
    });
  });

  test('keeps bounds that survive a loss of resolution', async () => {
    const fine: readonly Bucket[] = [
      [0, '0.1051', '0.114634', '4'],
      [0, '0.114634', '0.125', '4'],
      [0, '0.125', '0.136313', '4'],
      [0, '0.2293', '0.25', '3'],
      [0, '0.459', '0.5', '2'],
    ];
    answering([native('stable', [[now - 1, fine]])]);
    const reading = await readOne(request('latency'));
    const bounds = reading.kind === 'series' ? historyOf(reading).tails : [];
    expect(bounds.map(({ bound }) => bound)).toEqual([0.125, 0.25, 0.5]);
  });

  test.each<[what: string, histogram: unknown]>([
    ['no object', 7],
    ['no count', { sum: '1', buckets: [] }],
    ['a negative count', { count: '-1', buckets: [] }],
    ['NaN', { count: 'NaN', buckets: [] }],
    ['a bucket of three', { count: '1', buckets: [[0, '0.1', '0.2']] }],
    ['an unknown rule', { count: '1', buckets: [[4, '0.1', '0.2', '1']] }],
    ['numbers for texts', { count: '1', buckets: [[0, 0.1, 0.2, 1]] }],
  ])('%s is malformed', async (_what, histogram) => {
    const metric = stored('duration_seconds', 'stable', []).labels;
    answering([{ metric, histograms: [[now - 1, histogram]] }]);
    expect(await readOne(request('latency', { bounds: [] }))).toMatchObject({ code: 'malformed' });
  });

  test('plain samples in its place are no evidence', async () => {
    stub.series = [stored('duration_seconds', 'stable', rising(1))];
    expect(await readOne(request('latency'))).toMatchObject({ code: 'native-histogram' });
  });

  test('is not asked for minutes of samples when others have told the interval', () => {
    const stream = {
      ...openStream(at, [{ name: 'latency' }]),
      cursor: { interval: millis(1000), boundary: at },
    };
    expect(windowOf(stream, 'latency', at, { native: true })).toBe(4000);
    expect(windowOf(stream, 'latency', at)).toBe(200_000);
  });

  test('of a dozen pods that are scraped every second tells the interval by itself', async () => {
    const bounds = [0.125];
    const opened = openStream(at, [{ name: 'latency', bounds }]);
    const window = windowOf(opened, 'latency', at, { native: true });
    const ends = Array.from({ length: 21 }, (_, i) => String(2 ** ((i - 40) / 8)));
    const fine = ends.slice(1).map((end, i): Bucket => [0, ends[i] ?? '', end, '100']);
    const seen = Array.from({ length: window / 1000 }, (_, i) => [now - i, fine] as const);
    answering(
      ends
        .slice(0, 12)
        .map((_, i) => native('stable', seen.toReversed(), `web-7d4b9-aaa${10 + i}`)),
    );
    const reading = await readOne(request('latency', { window, bounds }));
    expect(reading.kind).toBe('series');
    const { cursor } = advance(opened, new Map([['latency', reading]]), at).stream;
    expect(cursor).toEqual({ interval: 1000, boundary: at });
  });
});

const look: GaugeSpan = { span: seconds(30), worseWhen: 'higher' };

describe('a gauge', () => {
  const errors = () => [
    stored('requests_total', 'stable', rising(50)),
    stored('requests_total', 'canary', rising(10)),
  ];
  const polled = async (series: readonly StoredSeries[], span = look) => {
    stub.series = series;
    const checks = [{ name: 'errors' }, { name: 'memory', gauge: span }];
    const stream = openStream(instant(at - 30_000), checks);
    const readings = new Map([
      ['errors', await readOne(request('errors'))],
      ['memory', await readOne(request('memory', { window: windowOf(stream, 'memory', at) }))],
    ]);
    return advance(stream, readings, at);
  };

  test('of a pod is the least of the canary and the most of stable of one span', async () => {
    const { polls } = await polled([
      ...errors(),
      stored('resident_bytes', 'canary', rising(2, 100)),
      stored('resident_bytes', 'stable', rising(1, 100)),
    ]);
    const last = polls.at(-1);
    // The poll began 5 s before now, at 120 and 110; the span goes back 25 s from there.
    expect(last?.checks['memory']).toEqual({ canary: [110], stable: [110] });
    const lower = await polled(stub.series, { ...look, worseWhen: 'lower' });
    expect(lower.polls.at(-1)?.checks['memory']).toEqual({ canary: [120], stable: [105] });
  });

  test('adds up the series of one pod, and may be negative', async () => {
    const sidecar = stored('resident_bytes', 'canary', rising(0, -30));
    const { polls } = await polled([
      ...errors(),
      stored('resident_bytes', 'canary', rising(0, 100)),
      { ...sidecar, labels: { ...sidecar.labels, container: 'proxy' } },
      stored('resident_bytes', 'stable', rising(0, 90)),
      stored('resident_bytes', 'stable', rising(0, 80), 'web-7d4b9-ccccc'),
    ]);
    expect(polls.at(-1)?.checks['memory']).toEqual({ canary: [70], stable: [90, 80] });
  });

  test('is never waited for: scraped more rarely, or not at all of one arm', async () => {
    const rarely = (arm: 'stable' | 'canary') => stored('resident_bytes', arm, [[now - 40, 7]]);
    const slow = await polled([...errors(), rarely('stable'), rarely('canary')]);
    expect(slow.polls.at(-1)?.at).toBe(at);
    expect(slow.polls.at(-1)?.checks['memory']).toEqual({ canary: [7], stable: [7] });
    expect(slow.unusable.size).toBe(0);
    const half = await polled([...errors(), rarely('stable')]);
    expect(half.polls.at(-1)?.at).toBe(at);
    expect(half.polls.at(-1)?.checks).not.toHaveProperty('memory');
    const none = await polled(errors());
    expect(none.polls.at(-1)?.checks).not.toHaveProperty('memory');
    expect(none.unusable.get('memory')).toMatchObject({ code: 'stale' });
  });

  test('of a pod that is gone for a minute is no longer seen', async () => {
    const { polls } = await polled([
      ...errors(),
      stored('resident_bytes', 'stable', rising(0, 5)),
      stored('resident_bytes', 'stable', [[now - 80, 9]], 'web-7d4b9-ccccc'),
      stored('resident_bytes', 'canary', rising(0, 5)),
    ]);
    expect(polls.at(-1)?.checks['memory']).toEqual({ canary: [5], stable: [5] });
  });

  test('without the label that names pods is no evidence', async () => {
    stub.answer = (_incoming, response) =>
      respond(
        response,
        200,
        success([{ metric: { namespace: 'demo', pod: pods.stable }, values: [[now, '1']] }]),
      );
    const check = { ...checkNamed('memory', compiled), podLabel: 'kubernetes_pod' };
    expect(await readOne(request('memory', { check }))).toMatchObject({
      code: 'pod-label-absent',
      detail: 'a series has no label kubernetes_pod',
    });
  });

  test('shows how stable’s pods differed before a rollout', async () => {
    stub.series = [
      stored('resident_bytes', 'stable', rising(1, 100)),
      stored('resident_bytes', 'stable', rising(0, 80), 'web-7d4b9-ccccc'),
      stored('resident_bytes', 'canary', rising(0, 7)),
    ];
    const reading = await readOne(request('memory'));
    const looks = reading.kind === 'series' ? gaugeHistory(reading, look) : [];
    expect(looks).toEqual([
      [105, 80],
      [111, 80],
    ]);
  });
});
