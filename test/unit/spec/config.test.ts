import { readFileSync } from 'node:fs';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { compileChecks } from '../../../src/metric-sources/template.ts';
import { configSizeLimit, parseConfig } from '../../../src/spec/config-file.ts';

const shipped = readFileSync(new URL('../../../config/haldane.yaml', import.meta.url), 'utf8');

const messages = (text: string): string[] => {
  const result = parseConfig(text, 'haldane.yaml');
  return result.ok ? [] : result.problems.map(({ message }) => message);
};

/** A small configuration with something changed or added. */
const withChange = ({ source = '', template = '', rest = '' }): string => `sources:
  default:
    url: http://prometheus.monitoring.svc:9090
${source}
templates:
  app:
    total: m{namespace="$namespace",pod=~"$pods"}
    bad: code=~"5.."
${template}
checks:
  errors: { kind: ratio, template: app }
${rest}`;

test('what is shipped is valid, and so is every template in it', () => {
  const result = parseConfig(shipped, 'haldane.yaml');
  if (!result.ok) throw new Error(result.problems[0]?.message);
  const compiled = compileChecks(result.config);
  expect(compiled.ok && [...compiled.checks.keys()]).toEqual([
    'errors',
    'latency',
    'latency-objective',
    'application-errors',
    'application-latency',
    'memory',
  ]);
  expect(result.config.sources.get('default')?.url).toBe('http://prometheus.monitoring.svc:9090');
  expect([...result.config.profiles.keys()]).toEqual(['default', 'strict', 'lenient']);
});

test('a value that is shown commented out is the default', () => {
  const result = parseConfig(shipped, 'x');
  const uncommented = parseConfig(
    shipped
      .replaceAll(/^( *)# (timeout|maxInFlight|steps|profile|onReject): /gm, '$1$2: ')
      .replaceAll(/^  default: \{\}\n/gm, '  default:\n')
      .replaceAll(/^    # (alpha|beta|minStep|maxStep|flinch): /gm, '    $1: ')
      .replaceAll(/^# (limits|controller):$/gm, '$1:')
      .replaceAll(
        /^#   (propagation|drain|canaryReady|namespaces|leaderElection|metricsPort): /gm,
        '  $1: ',
      ),
    'x',
  );
  expect(uncommented).toMatchObject({ ok: true });
  expect(uncommented.ok && uncommented.config).toEqual(result.ok && result.config);
});

test.each<[what: string, text: string, message: string]>([
  ['nothing', '', 'haldane.yaml:1:1 sources: is missing'],
  [
    'a mistyped key',
    withChange({ source: '    tiemout: 5s' }),
    'haldane.yaml:4:5 sources.default.tiemout: unknown key; did you mean "timeout"?; known: kind',
  ],
  [
    'a mistyped section',
    withChange({ rest: 'profles: {}' }),
    ':12:1 profles: unknown key; did you mean "profiles"?',
  ],
  [
    'a number for a span',
    withChange({ source: '    timeout: 5' }),
    ':4:5 sources.default.timeout="5": use a whole number with one unit',
  ],
  ['a span without unit', withChange({ source: '    timeout: "5"' }), 'timeout="5": has no unit'],
  ['a span too long', withChange({ source: '    timeout: 1h' }), 'timeout="1h": more than 30s'],
  [
    'a bare share',
    withChange({ rest: 'profiles: { default: { alpha: 0.01 } }' }),
    'alpha="0.01": write it with a percent sign, above 0%, up to 10%',
  ],
  [
    'a share of text',
    withChange({ rest: 'profiles: { default: { alpha: "1 %" } }' }),
    'alpha="1 %": not a share',
  ],
  [
    'a share of zero',
    withChange({ rest: 'profiles: { default: { alpha: 0% } }' }),
    'alpha="0%": not a share',
  ],
  [
    'NaN',
    withChange({ rest: 'profiles: { default: { alpha: NaN% } }' }),
    'alpha="NaN%": not a share',
  ],
  [
    'too high a share',
    withChange({ rest: 'profiles: { default: { alpha: 101% } }' }),
    'not a share',
  ],
  [
    'a promotion stricter than the rollback',
    withChange({ rest: 'profiles: { default: { errors: { promotion: { ratio: 1.1 } } } }' }),
    'promotion must tolerate more than rollback',
  ],
  [
    'a credential in the URL',
    withChange({}).replace('http://', 'http://user:hunter2@'),
    'sources.default.url: carries a name or a password',
  ],
  [
    'plain http to the world',
    withChange({}).replace('prometheus.monitoring.svc', 'example.com'),
    'plain http to a host that is not inside the cluster',
  ],
  [
    'a link-local address',
    withChange({}).replace('prometheus.monitoring.svc', '169.254.169.254'),
    'names a link-local address',
  ],
  [
    'a link-local address in disguise',
    withChange({}).replace('prometheus.monitoring.svc', '0xa9fea9fe'),
    'names a link-local address',
  ],
  [
    'a file URL',
    withChange({}).replace('http://prometheus.monitoring.svc:9090', 'file:///etc/passwd'),
    'neither http nor https',
  ],
  [
    'a secret in place',
    withChange({ source: '    bearerTokenFile: s3cr3t' }),
    'bearerTokenFile: use the absolute path of a mounted file',
  ],
  [
    'half a certificate',
    withChange({ source: '    certFile: /a' }),
    'sources.default: certFile and keyFile belong together',
  ],
  [
    'an unknown source',
    withChange({ template: '    source: other' }),
    'templates.app.source="other": unknown source; configured: default',
  ],
  [
    'an unknown template',
    withChange({}).replace('template: app', 'template: ap'),
    'checks.errors.template="ap": unknown template; did you mean "app"?',
  ],
  [
    'an unknown profile',
    withChange({ rest: 'defaults: { profile: constructor }' }),
    'defaults.profile="constructor": unknown profile',
  ],
  [
    'an unknown default check',
    withChange({ rest: 'defaults: { checks: [constructor] }' }),
    'defaults.checks.0="constructor": unknown check; configured: errors',
  ],
  [
    'default checks that only show',
    withChange({}).replace('template: app }', 'template: app, dryRun: true }'),
    'defaults.checks="errors": none of them counts requests and acts; use a ratio or histogram',
  ],
  [
    'a gauge alone by default',
    withChange({
      template: '    gauge: g{namespace="$namespace",pod=~"$pods"}\n    podLabel: pod',
      rest: '  memory: { kind: gauge-per-pod, template: app }\ndefaults: { checks: [memory] }',
    }),
    'defaults.checks="memory": none of them counts requests and acts',
  ],
  [
    'an unknown notifier',
    withChange({ rest: 'defaults: { notify: [slack] }' }),
    ':12:22 defaults.notify.0="slack": unknown notifier; configured: none',
  ],
  [
    'a name in capitals',
    withChange({ rest: 'profiles: { Default: {} }' }),
    'profiles.Default: the name use 1 to 40 small letters',
  ],
  [
    'falling steps',
    withChange({ rest: 'defaults: { steps: [5, 1] }' }),
    'defaults.steps: must rise from step to step',
  ],
  [
    'a step of 100',
    withChange({ rest: 'defaults: { steps: [5, 100] }' }),
    'steps.1="100": use a whole number from 1 to 99',
  ],
  [
    'total without bad',
    withChange({}).replace('    bad: code=~"5.."\n', ''),
    'templates.app: total and bad, or total and badTotal, belong together',
  ],
  [
    'two ways to tell failures',
    withChange({ template: '    badTotal: f{namespace="$namespace",pod=~"$pods"}' }),
    'templates.app: bad chooses among total, badTotal is a counter of its own: use one of them',
  ],
  [
    'failures without requests',
    withChange({}).replace('    total: m', '    badTotal: m').replace('    bad: code=~"5.."\n', ''),
    'templates.app: total and bad, or total and badTotal, belong together',
  ],
  [
    'a histogram in two forms',
    withChange({ template: '    buckets: b{}\n    nativeHistogram: n{}' }),
    'templates.app: buckets and nativeHistogram are the same metric',
  ],
  [
    'a gauge of nobody',
    withChange({ template: '    gauge: g{namespace="$namespace",pod=~"$pods"}' }),
    'templates.app: gauge needs podLabel',
  ],
  [
    'an unknown kind of check',
    withChange({}).replace('kind: ratio', 'kind: gauge'),
    'checks.errors.kind="gauge": use ratio, histogram, gauge-per-pod or restarts',
  ],
  [
    'a ratio without a template',
    withChange({}).replace(', template: app }', ' }'),
    'checks.errors.template: is required for a ratio',
  ],
  ...[
    ['template: app', '="app"'],
    ['onEmpty: hold', '="hold"'],
    ['tolerance: { ratio: 2 }', ''],
    ['window: 30s', '="30s"'],
    ['direction: up', '="up"'],
    ['objective: 1s', '="1s"'],
  ].map(([given = '', shown]): [string, string, string] => [
    `restarts with ${given}`,
    withChange({}).replace('kind: ratio, template: app', `kind: restarts, ${given}`),
    `checks.errors.${given.split(':')[0]}${shown}: is not for restarts, which the pods ` +
      'themselves tell; use share and dryRun',
  ]),
  [
    'restarts alone as the default',
    withChange({}).replace('kind: ratio, template: app', 'kind: restarts'),
    'none of them counts requests and acts; use a ratio or histogram that is no dry run',
  ],
  [
    'a direction of a ratio',
    withChange({}).replace('template: app }', 'template: app, direction: up }'),
    'checks.errors.direction="up": is for gauge-per-pod, and this check is a ratio',
  ],
  [
    'an objective of a ratio',
    withChange({}).replace('template: app }', 'template: app, objective: 300ms }'),
    'checks.errors.objective="300ms": is for histogram, and this check is a ratio',
  ],
  [
    'an unknown direction',
    withChange({}).replace('template: app }', 'template: app, direction: left }'),
    'checks.errors.direction="left": use up or down',
  ],
  [
    'a tolerance of nothing',
    withChange({}).replace('template: app }', 'template: app, tolerance: { ratio: 1 } }'),
    'checks.errors.tolerance: tolerates nothing; use a ratio above 1 or an absolute above 0',
  ],
  [
    'a tolerance below one',
    withChange({}).replace('template: app }', 'template: app, tolerance: { ratio: 0.5 } }'),
    'checks.errors.tolerance.ratio="0.5": use a number from 1 to 1000',
  ],
  [
    'an unknown answer to nothing',
    withChange({}).replace('template: app }', 'template: app, onEmpty: promote }'),
    'checks.errors.onEmpty="promote": use hold or ignore',
  ],
  ['a key given twice', 'sources: {}\nsources: {}', 'haldane.yaml:2:1 Map keys must be unique'],
  ['broken YAML', 'a: [', 'haldane.yaml:1:5'],
  ['a prototype', withChange({ rest: '__proto__: { polluted: true }' }), '__proto__: unknown key'],
  ['nesting without end', '['.repeat(20_000), 'haldane.yaml'],
  ['a huge file', ' '.repeat(configSizeLimit + 1), 'longer than 262144 characters'],
  [
    'aliases that multiply',
    `a: &a [x,x,x,x,x,x,x,x,x]\n${'bcdefghij'
      .split('')
      .map((n, i) => `${n}: &${n} [${Array(9).fill(`*${'abcdefghi'[i]}`).join(',')}]`)
      .join('\n')}`,
    'Excessive alias count',
  ],
])('%s is refused with its place', (_what, text, message) => {
  const found = messages(text);
  expect(found.join('\n')).toContain(message);
  expect(found.join('\n')).not.toMatch(/hunter2|s3cr3t/);
  expect(Object.hasOwn(Object.prototype, 'polluted')).toBe(false);
});

test.each([
  'https://prometheus.example.com/prometheus',
  'http://localhost:9090',
  'http://10.1.2.3:9090',
  'http://prometheus:9090',
  'http://prometheus.monitoring.svc.cluster.local',
])('%s is accepted', (url) => {
  expect(messages(withChange({}).replace('http://prometheus.monitoring.svc:9090', url))).toEqual(
    [],
  );
});

test('several mistakes are reported together', () => {
  const text = withChange({
    source: '    timeout: x\n    maxInFlight: 0',
    rest: 'limits: { drain: 5 }',
  });
  expect(messages(text)).toHaveLength(3);
});

test.each<[what: string, change: readonly [string, string], message: string]>([
  [
    'an aggregation',
    ['m{namespace="$namespace",pod=~"$pods"}', 'sum(m)'],
    'total: at character 1: AggregateExpr where a plain vector selector',
  ],
  ['a range', ['"}', '"}[5m]'], 'MatrixSelector where a plain'],
  ['broken PromQL', ['"}', '"'], ': not PromQL here'],
  ['no namespace', ['namespace="$namespace",', ''], 'does not use $namespace'],
  ['no arm', [',pod=~"$pods"', ''], 'uses none of $service, $replicaset, $pods'],
  [
    'an unknown placeholder',
    ['$pods', '$podz'],
    'at character 26: pod: unknown placeholder $podz; known: $namespace',
  ],
  ['a pattern as a value', ['pod=~', 'pod='], '$pods is a pattern and needs =~'],
  ['a negated placeholder', ['pod=~', 'pod!~'], 'a placeholder needs = or =~'],
  [
    'a look-ahead',
    ['code=~"5.."', 'code=~"(?!4).."'],
    'bad: at character 1: code: groups other than',
  ],
  ['a flag', ['code=~"5.."', 'code=~"(?i)x"'], 'groups other than'],
  ['a nested repetition', ['code=~"5.."', 'code=~"(5+)+"'], 'a group may not be repeated'],
  ['a placeholder in bad', ['code=~"5.."', 'code="$route"'], 'may not hold placeholders'],
  ['a bad that only excludes', ['code=~"5.."', 'code!~"2.."'], 'needs a matcher with = or =~'],
  [
    'a histogram check without buckets',
    ['kind: ratio', 'kind: histogram'],
    'has no buckets or nativeHistogram, which histogram needs',
  ],
  [
    'a gauge check without gauge',
    ['kind: ratio', 'kind: ratio, template: app }\n  other: { kind: gauge-per-pod'],
    'checks.other.template="app": has no gauge, which gauge-per-pod needs',
  ],
  [
    'a counter of failures of every namespace',
    ['bad: code=~"5.."', 'badTotal: f{pod=~"$pods"}'],
    'badTotal: at character 1: does not use $namespace',
  ],
  [
    'an aggregated gauge',
    ['    bad:', '    podLabel: pod\n    gauge: sum(g)\n    bad:'],
    'gauge: at character 1: AggregateExpr',
  ],
  [
    'a gauge without arms',
    ['    bad:', '    podLabel: pod\n    gauge: g{namespace="$namespace"}\n    bad:'],
    'gauge: at character 1: uses none of $service',
  ],
  [
    'a native histogram by its classic name',
    ['    bad:', '    nativeHistogram: m_bucket{namespace="$namespace",pod=~"$pods"}\n    bad:'],
    'ends as a classic histogram does',
  ],
])('a template with %s is refused', (_what, [from, to], message) => {
  const text = withChange({}).replace(from, () => to);
  const result = parseConfig(text, 'haldane.yaml');
  if (!result.ok) throw new Error(result.problems[0]?.message);
  const compiled = compileChecks(result.config);
  const problems = compiled.ok ? [] : compiled.problems;
  const shown = problems.map((one) => result.place(one.path, one.message).message);
  expect(shown.join('\n')).toContain(message);
  expect(shown[0]).toMatch(/^haldane\.yaml:\d+:\d+ (templates\.app|checks\.(errors|other))\./);
});

test('changed and cut texts never throw', () => {
  const edit = fc.record({
    at: fc.nat(shipped.length),
    cut: fc.nat(30),
    text: fc.string({ maxLength: 12 }),
  });
  fc.assert(
    fc.property(fc.array(edit, { minLength: 1, maxLength: 4 }), (edits) => {
      const text = edits.reduce(
        (all, { at, cut, text }) => all.slice(0, at) + text + all.slice(at + cut),
        shipped,
      );
      const result = parseConfig(text, 'x');
      if (result.ok) compileChecks(result.config);
      else for (const { message } of result.problems) expect(message).toMatch(/^x:/);
    }),
    { numRuns: 500 },
  );
}, 60_000);
