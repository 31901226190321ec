import { expect, test } from 'vitest';
import { checkShares, restartsCheck } from '../../../src/analysis/policy.ts';
import { analysisPolicy } from '../../../src/controller/analysis-policy.ts';
import { boundsOf, streamOf } from '../../../src/controller/evidence.ts';
import { instant, millis, seconds } from '../../../src/lib/units.ts';
import type { Series, SeriesSet } from '../../../src/metric-sources/metric-source.ts';
import { compileChecks } from '../../../src/metric-sources/template.ts';
import { parseConfig } from '../../../src/spec/config-file.ts';
import { aState } from '../../builders/snapshot.ts';

const parsed = parseConfig(
  `
sources: { default: { url: http://prometheus:9090 } }
templates:
  app:
    total: m{namespace="$namespace",pod=~"$pods"}
    bad: code="500"
    buckets: b{namespace="$namespace",pod=~"$pods"}
    gauge: g{namespace="$namespace",pod=~"$pods"}
    podLabel: pod
checks:
  errors: { kind: ratio, template: app }
  shown: { kind: ratio, template: app, dryRun: true, onEmpty: ignore }
  memory: { kind: gauge-per-pod, template: app, share: 0.5 }
  hits:
    kind: gauge-per-pod
    template: app
    direction: down
    tolerance: { ratio: 2, absolute: 3 }
    window: 5s
  latency: { kind: histogram, template: app }
  promised: { kind: histogram, template: app, objective: 300ms }
  restarts: { kind: restarts }
  crashes: { kind: restarts, share: 0.5, dryRun: true }
`,
  'x',
);
if (!parsed.ok) throw new Error(parsed.problems[0]?.message);

const state = aState();
const bounds = { latency: [0.1, 0.5], promised: [0.5] };
const policyOf = (...checks: readonly string[]) =>
  analysisPolicy(parsed.config, { ...state.spec, profile: 'default', checks }, bounds);

test('a check is what its configuration says', () => {
  const [shown, memory, hits] = policyOf('shown', 'memory', 'hits').checks;
  expect(shown).toMatchObject({ kind: 'ratio', dryRun: true, onEmpty: 'ignore' });
  expect(memory).toMatchObject({
    kind: 'gauge',
    dryRun: false,
    onEmpty: 'hold',
    gauge: { worseWhen: 'higher', ratio: 1.25, slack: 0, spacing: seconds(30) },
  });
  expect(hits?.gauge).toEqual({ worseWhen: 'lower', ratio: 2, slack: 3, spacing: seconds(5) });
});

test('a check of restarts needs no source', () => {
  const policy = policyOf('restarts', 'errors', 'crashes');
  expect(policy.checks[0]).toEqual({ ...restartsCheck, dryRun: false, onEmpty: 'hold' });
  expect(policy.checks[2]).toMatchObject({ name: 'crashes', share: 0.5, dryRun: true });
  expect(streamOf({ ...state, stream: null }, policy).checks).toEqual([{ name: 'errors' }]);
  const compiled = compileChecks(parsed.config);
  expect(compiled.ok && [...compiled.checks.keys()]).toEqual([
    'errors',
    'shown',
    'memory',
    'hits',
    'latency',
    'promised',
  ]);
});

test('the objective is a check of one bound beside the whole distribution', () => {
  const { checks } = policyOf('errors', 'latency', 'promised');
  expect(checks[1]).toMatchObject({ kind: 'histogram', bounds: [0.1, 0.5] });
  expect(checks[2]).toMatchObject({ name: 'promised', kind: 'histogram', bounds: [0.5] });
  expect(checks.map(({ share }) => share)).toEqual([1 / 2, 1 / 4, 1 / 8]);
});

test('the bound of an objective is the next at or above it, exceeded or not', () => {
  const bucket = (bound: number, values: readonly number[]): Series => ({
    key: `${bound}`,
    arm: 'stable',
    bad: false,
    bound,
    pod: '',
    times: values.map((_, i) => instant(i * 15_000)),
    values,
  });
  const set: SeriesSet = {
    kind: 'series',
    from: instant(0),
    at: instant(30_000),
    series: [
      bucket(0.1, [0, 50, 100]),
      bucket(0.5, [0, 100, 200]),
      bucket(Number.POSITIVE_INFINITY, [0, 100, 200]),
    ],
  };
  expect(boundsOf(set)).toEqual([0.1]);
  expect(boundsOf(set, millis(300))).toEqual([0.5]);
  expect(boundsOf(set, millis(500))).toEqual([0.5]);
  expect(boundsOf(set, millis(501))).toEqual([]);
});

test('a share that is given replaces that of the kind', () => {
  expect(checkShares(policyOf('errors', 'memory').checks)).toEqual([0.5, 0.5]);
  expect(checkShares(policyOf('errors', 'hits').checks)).toEqual([0.8, 0.2]);
});

test('the check that polls wait for is one that counts and acts, wherever it stands', () => {
  const policy = policyOf('memory', 'shown', 'errors');
  expect(streamOf({ ...state, stream: null }, policy).checks).toEqual([
    { name: 'errors' },
    { name: 'shown' },
    { name: 'memory', gauge: { span: seconds(30), worseWhen: 'higher' } },
  ]);
});
