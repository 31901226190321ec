import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { minutes, percent, seconds } from '../../../src/lib/units.ts';
import type { AnnotationContext } from '../../../src/spec/annotation-keys.ts';
import { userKeys } from '../../../src/spec/annotation-keys.ts';
import { annotationLimit, parseAnnotations, writtenKeys } from '../../../src/spec/annotations.ts';

const context: AnnotationContext = {
  profiles: new Map([
    ['default', { minStep: seconds(15), maxStep: minutes(120), bake: seconds(15), flinch: true }],
    ['strict', { minStep: seconds(30), maxStep: minutes(60), bake: minutes(1), flinch: false }],
  ]),
  checks: ['errors', 'latency', 'memory', 'shown'],
  countingChecks: ['errors', 'latency'],
  notifiers: ['slack', 'pager'],
  routeKinds: ['httproute'],
  defaults: {
    steps: [1, 5, 10, 25, 50].map(percent),
    profile: 'default',
    checks: ['errors'],
    notify: ['slack'],
    onReject: 'keep',
  },
};

const parse = (values: Record<string, string>) =>
  parseAnnotations(
    Object.fromEntries(Object.entries(values).map(([key, value]) => [`haldane.dev/${key}`, value])),
    context,
  );
const messages = (values: Record<string, string>): string[] => {
  const result = parse(values);
  return result.ok ? [] : result.problems.map(({ message }) => message);
};

test('enabled alone gives the defaults', () => {
  expect(parse({ enabled: 'true' })).toEqual({
    ok: true,
    enabled: true,
    stepsGiven: false,
    notes: [],
    spec: {
      steps: [1, 5, 10, 25, 50],
      profile: 'default',
      checks: ['errors'],
      minStep: 15_000,
      maxStep: 7_200_000,
      bake: 15_000,
      onReject: 'keep',
      notify: ['slack'],
      flinch: true,
    },
  });
});

test('every key is read', () => {
  const result = parse({
    enabled: 'true',
    service: 'web',
    route: 'httproute/web.example',
    steps: '1,5,25,100',
    profile: 'strict',
    checks: 'errors,latency',
    'min-step': '30s',
    'max-step': '2h',
    bake: '10m',
    'on-reject': 'revert',
    notify: 'none',
    pause: 'at-rest',
    flinch: 'on',
    stable: 'ab12',
    request: 'whatever',
  });
  expect(result).toMatchObject({
    ok: true,
    stepsGiven: true,
    spec: {
      service: 'web',
      route: { kind: 'httproute', name: 'web.example' },
      steps: [1, 5, 25],
      profile: 'strict',
      checks: ['errors', 'latency'],
      minStep: 30_000,
      maxStep: 7_200_000,
      bake: 600_000,
      onReject: 'revert',
      notify: [],
      pause: 'at-rest',
      flinch: true,
    },
  });
});

test.each(['memory', 'shown', 'memory,shown'])('checks that count nothing: %s', (checks) => {
  expect(messages({ enabled: 'true', checks })).toEqual([
    `haldane.dev/checks="${checks}": none of them counts requests and acts, so that errors would ` +
      'not be seen; use names with commas between; configured: errors, latency, memory, shown; ' +
      'at least one of errors, latency',
  ]);
  expect(messages({ enabled: 'true', checks: `${checks},latency` })).toEqual([]);
});

const digits = '1'.repeat(31);

// The numbers are those of the bad-input catalogue in the reliability study, § 7.
test.each<[row: string, key: string, value: string, why: string]>([
  ['1', 'enabled', 'yes', 'enabled="yes": neither "true" nor "false"; use "true" or "false"'],
  ['1', 'enabled', 'True', 'neither "true" nor "false"'],
  ['1', 'enabled', '1', 'neither'],
  ['1', 'enabled', ' true', 'enabled=" true": neither'],
  ['1', 'enabled', '', 'empty'],
  ['2', 'step', '1,5', 'haldane.dev/step: unknown key; did you mean "steps"?; known: enabled'],
  ['3', 'Steps', '1,5', 'haldane.dev/Steps: unknown key; did you mean "steps"?'],
  ['4', 'steps', '', 'steps="": empty; use rising whole numbers 1–100, e.g. "1,5,25,50,100"'],
  ['5', 'steps', '0,10', 'haldane.dev/steps="0,10": step 1 is 0; use rising whole numbers 1–100'],
  ['6', 'steps', '1,5,5,20', 'step 3 (5) does not rise after 5'],
  ['6', 'steps', '50,10', 'step 2 (10) does not rise after 50'],
  ['7', 'steps', '1,101', 'step 2 is 101, outside 1–100'],
  ['7', 'steps', '-1', 'character 1 ("-") is not a whole ASCII digit'],
  ['8', 'steps', '1.5', 'character 2 (".")'],
  ['8', 'steps', '1e1', 'character 2 ("e")'],
  ['8', 'steps', '0x10', 'step 1 is 0'],
  ['8', 'steps', '٣', 'character 1 ("٣")'],
  ['8', 'steps', '１', 'character 1 ("１")'],
  ['9', 'steps', '5abc', 'character 2 ("a")'],
  ['9', 'steps', '5%', 'character 2 ("%")'],
  ['9', 'steps', '1;10', 'character 2 (";")'],
  ['9', 'steps', '1, 5', 'character 3 (" ")'],
  ['9', 'steps', '1,,5', 'step 2 is empty, at character 3'],
  ['9', 'steps', '1,5,', 'ends with a comma'],
  ['10', 'steps', '100', 'no step below 100'],
  ['11', 'steps', Array.from({ length: 51 }, (_, i) => i + 1).join(','), 'more than 50 steps'],
  ['11', 'steps', '1,'.repeat(1000), 'does not rise'],
  ['12', 'steps', `${digits}x`, 'step 1 is outside 1–100'],
  [
    '13',
    'steps',
    '1'.repeat(200 * 1024),
    'haldane.dev/steps: 204800 characters, over the limit of 4096',
  ],
  ['14', 'bake', '0', 'has no unit'],
  ['14', 'bake', '0s', 'less than 10s'],
  ['14', 'bake', '-5m', 'negative'],
  ['14', 'bake', '9s', 'less than 10s'],
  ['15', 'bake', '30d', '"d" is not a unit'],
  ['15', 'bake', '2147483648ms', '"ms" is not a unit'],
  ['15', 'bake', '25h', 'more than 24h'],
  ['15', 'bake', '999999h', 'more than 24h'],
  ['16', 'bake', '5', 'has no unit; use a whole number with one unit of s, m, h, from 10s to 24h'],
  ['16', 'bake', '5 m', '" m" is not a unit'],
  ['16', 'bake', '5min', '"min" is not a unit'],
  ['16', 'bake', '1h30', '"h30" is not a unit'],
  ['16', 'bake', '1h30m', '"h30m" is not a unit'],
  ['17', 'bake', 'NaNs', 'not a duration'],
  ['17', 'bake', 'Infinityh', 'not a duration'],
  ['17', 'bake', '1e9h', '"e9h" is not a unit'],
  ['17', 'bake', '٣s', 'not a duration'],
  ['23', 'max-step', '10s', 'max-step is 10s and min-step is 15s'],
  ['24', 'prometheus', 'http://evil/', 'unknown key'],
  ['24', 'profile', 'http://evil/', 'a profile is a name of the configuration, not a URL'],
  ['25', 'checks', 'http://prometheus:9090@evil/', 'not a URL'],
  ['25', 'notify', 'file:///etc/passwd', 'not a URL'],
  ['26', 'query', 'vector(0)', 'unknown key'],
  [
    '27',
    'checks',
    'constructor',
    'unknown check "constructor"; use names with commas between; configured: errors, latency',
  ],
  ['27', 'profile', '__proto__', 'unknown profile "__proto__"'],
  ['27', 'checks', 'toString', 'unknown check'],
  ['27', 'checks', 'errors,errors', '"errors" is named twice'],
  ['27', 'checks', 'error', 'unknown check "error"; did you mean "errors"?'],
  ['27', 'checks', 'errors,', 'empty'],
  ['28', 'checks', '{"__proto__":{"admin":true}}', 'unknown check'],
  [
    '30',
    'route',
    'other-ns/web',
    '"other-ns" is no kind of route, and no other namespace can be named',
  ],
  ['30', 'route', 'other/httproute/web', 'names a route in its own namespace only'],
  ['30', 'service', 'other/web', 'names a Service in its own namespace only'],
  ['31', 'route', 'web', 'names no kind of route'],
  ['31', 'route', 'httproute/../web', 'its own namespace only'],
  ['31', 'route', 'httproute/web?x', 'character 4 is not allowed in a DNS name'],
  ['31', 'route', 'httproute/WEB', 'character 1 is not allowed'],
  ['31', 'route', `httproute/${'a'.repeat(254)}`, 'longer than 253 characters'],
  ['31', 'route', '', 'empty'],
  ['31', 'route', 'httproute/', 'the name: empty'],
  ['31', 'route', 'HTTPRoute/web', 'did you mean "httproute"?'],
  ['31', 'service', 'a'.repeat(64), 'longer than 63'],
  ['31', 'service', '-web', 'no hyphen at its ends'],
  ['31', 'service', 'web.other', 'character 4 is not allowed'],
  [
    '44',
    'service',
    '"} or vector(1) #',
    'service="\\"} or vector(1) #": character 1 is not allowed',
  ],
  ['44', 'service', '\ud800', 'service="\\u{d800}"'],
  ['46', 'notify', '#a\n@here', 'notify="#a\\u{a}@here": unknown notifier'],
  ['47', 'profile', '<script>\u202e\u0000\u001b[31m', '"<script>\\u{202e}\\u{0}\\u{1b}[31m"'],
  ['', 'on-reject', 'Keep', 'not one of keep, revert; did you mean "keep"?'],
  ['', 'pause', 'rest', 'not one of on-change, at-rest'],
  ['', 'flinch', 'true', 'not one of on, off'],
])('row %s: %s=%j is refused', (_row, key, value, why) => {
  const found = messages({ enabled: 'true', [key]: value });
  expect(found).toHaveLength(1);
  expect(found[0]).toContain(why);
  expect(found[0]?.length).toBeLessThan(500);
});

test('all problems are reported at once', () => {
  expect(
    messages({ enabled: 'true', steps: '0', bake: 'x', stepz: '', 'on-reject': 'no' }),
  ).toHaveLength(4);
});

test('a problem quotes at most 64 characters of the value', () => {
  const [message = ''] = messages({ enabled: 'true', service: `X${'y'.repeat(500)}` });
  expect(message).toContain(`"X${'y'.repeat(63)}…"`);
  expect(message).not.toContain('y'.repeat(64));
});

test('the time of a step set by nobody but the profile is judged too', () => {
  expect(messages({ enabled: 'true', 'min-step': '3h' })).toEqual([
    expect.stringContaining('max-step is 2h and min-step is 3h'),
  ]);
  expect(messages({ enabled: 'true', 'min-step': '3h', 'max-step': '4h' })).toEqual([]);
});

test('opting out works whatever else is wrong', () => {
  for (const enabled of [{}, { enabled: 'false' }]) {
    expect(parse({ ...enabled, steps: 'x', bake: '' })).toMatchObject({ ok: true, enabled: false });
  }
});

test('a key of ours on a Deployment that is not opted in is worth a note', () => {
  const result = parse({ enable: 'true', stable: 'ab12' });
  expect(result.ok && result.notes.map(({ message }) => message)).toEqual([
    expect.stringContaining('haldane.dev/enable: unknown key; did you mean "enabled"?'),
  ]);
});

test('other prefixes and the keys we write are no business of the parser', () => {
  const others = { 'example.dev/steps': 'x', 'haldane.dev.evil/steps': 'x', steps: 'x' };
  const written = Object.fromEntries(writtenKeys.map((key) => [`haldane.dev/${key}`, '\u0000{']));
  const result = parseAnnotations(
    { 'haldane.dev/enabled': 'true', ...others, ...written },
    context,
  );
  expect(result).toMatchObject({ ok: true, enabled: true });
});

test('every documented example is accepted', () => {
  for (const [key, { example }] of userKeys) {
    expect(messages({ enabled: 'true', [key]: example }), key).toEqual([]);
  }
});

/** Milliseconds; the least of several tries, since a busy machine makes any single one long. */
function timeOf(work: () => void): number {
  let least = Number.POSITIVE_INFINITY;
  for (let attempt = 0; attempt < 5 && least > 5; attempt += 1) {
    const start = performance.now();
    work();
    least = Math.min(least, performance.now() - start);
  }
  return least;
}

test('100,000 strange inputs neither throw nor pass for valid steps', () => {
  const piece = fc.constantFrom(
    '1',
    '5',
    '100',
    ',',
    '0',
    '-',
    '.',
    's',
    'm',
    'h',
    '/',
    'httproute',
    'true',
    'errors',
    '\u0000',
    '😀',
    '\ud800',
    '"',
    '\\',
    'x'.repeat(5000),
  );
  const text = fc.oneof(
    fc.string(),
    fc.string({ unit: 'binary' }),
    fc.array(piece, { maxLength: 12 }).map((parts) => parts.join('')),
  );
  const keys = fc.constantFrom(...userKeys.keys(), 'enable', '__proto__', 'constructor', '');
  const annotations = fc.array(fc.tuple(keys, text), { maxLength: 4 });
  let longest = 0;
  fc.assert(
    fc.property(annotations, (pairs) => {
      const values = Object.fromEntries([
        ['haldane.dev/enabled', 'true'],
        ...pairs.map(([key, value]) => [`haldane.dev/${key}`, value]),
      ]) as Record<string, string>;
      const result = parseAnnotations(values, context);
      longest = Math.max(
        longest,
        timeOf(() => parseAnnotations(values, context)),
      );
      if (!result.ok) {
        for (const { message } of result.problems)
          expect(message).toMatch(/^haldane\.dev\/[^\n]*$/u);
        return;
      }
      if (!result.enabled) return;
      let last = 0;
      for (const step of result.spec.steps) {
        expect(step > last && step < 100 && Number.isInteger(step)).toBe(true);
        last = step;
      }
      expect(result.spec.maxStep).toBeGreaterThan(result.spec.minStep);
    }),
    { numRuns: 100_000 },
  );
  expect(longest).toBeLessThan(50);
}, 120_000);

test('values at the limit of length are read in no time', () => {
  for (const key of userKeys.keys()) {
    for (const text of ['1', ',', '1,', 'a', 'a.', 'a/', '-', '٣']) {
      const value = text.repeat(Math.floor(annotationLimit / text.length));
      const took = timeOf(() => messages({ enabled: 'true', [key]: value }));
      expect(took, `${key} ${text}`).toBeLessThan(20);
    }
  }
});
