import { expect, test } from 'vitest';
import { checkShares, restartsCheck } from '../../../src/analysis/policy.ts';
import { analysisPolicy } from '../../../src/controller/analysis-policy.ts';
import { streamOf } from '../../../src/controller/evidence.ts';
import { seconds } from '../../../src/lib/units.ts';
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
  restarts: { kind: restarts }
  crashes: { kind: restarts, share: 0.5, dryRun: true }
`,
  'x',
);
if (!parsed.ok) throw new Error(parsed.problems[0]?.message);

const state = aState();
const policyOf = (...checks: readonly string[]) =>
  analysisPolicy(parsed.config, { ...state.spec, profile: 'default', checks }, {});

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
  expect(compiled.ok && [...compiled.checks.keys()]).toEqual(['errors', 'shown', 'memory', 'hits']);
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
