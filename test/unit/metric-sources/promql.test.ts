import { parser } from '@prometheus-io/lezer-promql';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { millis } from '../../../src/lib/units.ts';
import { armSelector, fixedTest } from '../../../src/metric-sources/arms.ts';
import { parseSelector } from '../../../src/metric-sources/promql.ts';
import { anchored, regexFault, regexQuoted } from '../../../src/metric-sources/promql-regex.ts';
import { quoted, unquoted } from '../../../src/metric-sources/promql-strings.ts';
import { boundPattern, rangeQuery } from '../../../src/metric-sources/query.ts';
import { checkNamed, namesOf, requestOf, traefikService } from './rows.ts';

test('a literal stands for exactly its text', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      expect(unquoted(quoted(text))).toBe(text.toWellFormed());
    }),
    { numRuns: 5000 },
  );
  expect(unquoted(String.raw`"\x41\u00e9\U0001F600\n\'"`)).toBe("Aé😀\n'");
  expect(unquoted("'a\"b'")).toBe('a"b');
  expect(unquoted('`a\\n`')).toBe('a\\n');
  for (const bad of ['"', '"a', `"a'`, '"\\q"', '"\\x4"', '"\\U00110000"']) {
    expect(unquoted(bad), bad).toBeUndefined();
  }
});

test('a quoted name matches itself and nothing else', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 20 }), fc.string({ maxLength: 20 }), (name, other) => {
      const pattern = anchored(regexQuoted(name));
      expect(pattern.test(name)).toBe(true);
      expect(pattern.test(other)).toBe(other === name);
    }),
  );
});

// FUZZ_RUNS=100000 for the whole of it.
const runs = Number(process.env['FUZZ_RUNS'] ?? 20_000);

test('whatever a name holds, the query means that name', () => {
  const nasty = fc.oneof(
    fc.constantFrom('"', '\\', '"} or vector(1) #', '.*', '|', '\n', '`', '$service', '${x}', ')'),
    fc.string({ unit: 'binary', maxLength: 4 }),
  );
  const name = fc.array(nasty, { minLength: 1, maxLength: 4 }).map((parts) => parts.join(''));
  const requests = fc.record({ namespace: name, stable: name, canary: name, pods: fc.boolean() });
  fc.assert(
    fc.property(requests, ({ namespace, stable, canary, pods }) => {
      const names = namesOf({
        namespace,
        stable: { service: stable, replicaSet: stable },
        canary: { service: canary, replicaSet: canary },
      });
      const check = checkNamed(pods ? 'application-errors' : 'errors');
      const text = rangeQuery([requestOf({ names, check })], millis(1000));
      const read = literalsOf(text);
      if (!pods) {
        expect(read).toHaveLength(1);
        const pattern = anchored(read[0] ?? '');
        expect(pattern.test(traefikService(names, 'stable').toWellFormed())).toBe(true);
        expect(pattern.test(traefikService(names, 'canary').toWellFormed())).toBe(true);
        expect(pattern.test(traefikService(namesOf(), 'stable'))).toBe(false);
        return;
      }
      expect(read).toHaveLength(2);
      expect(read[0]).toBe(namespace.toWellFormed());
    }),
    { numRuns: runs },
  );
}, 120_000);

/** The texts of all label matchers of a range selector, by the grammar. */
function literalsOf(text: string): string[] {
  const found: string[] = [];
  const names: string[] = [];
  parser.parse(text).iterate({
    enter: ({ name, from, to }) => {
      names.push(name);
      if (name === 'StringLiteral') found.push(unquoted(text.slice(from, to)) ?? 'unread');
    },
  });
  expect(names.slice(0, 3)).toEqual(['PromQL', 'MatrixSelector', 'VectorSelector']);
  expect(names).not.toContain('⚠');
  return found;
}

test('hyphens do not let one Service be taken for another', () => {
  const { selector } = checkNamed('errors');
  const pairs = [
    [namesOf({ namespace: 'a' }), 'b-c'],
    [namesOf({ namespace: 'a-b' }), 'c'],
    [namesOf({ namespace: 'a', route: 'web-gw-x' }), 'b-c'],
    [namesOf({ namespace: 'a' }), 'x-svc-a-b-c'],
  ] as const;
  const all = pairs.map(([names, service]) => ({
    ...names,
    stable: { service, replicaSet: 'r' },
    canary: { service: `${service}-canary-ab12`, replicaSet: 'r' },
  }));
  for (const [index, names] of all.entries()) {
    const own = armSelector(selector, names, 'stable');
    for (const [other, { ...labels }] of all.entries()) {
      const series = { service: traefikService(labels, 'stable') };
      // A second gateway route of the same Service is the one that no pattern tells apart.
      if (index === 0 && other === 2) continue;
      expect(own.matches(series), `${index} ${other}`).toBe(index === other);
      expect(own.matches({ service: traefikService(labels, 'canary') })).toBe(false);
    }
  }
});

test('the pods of a ReplicaSet are told by its name, cut as Kubernetes cuts it', () => {
  const { selector } = checkNamed('application-errors');
  const pod = (replicaSet: string, name: string) =>
    armSelector(selector, namesOf({ canary: { service: 's', replicaSet } }), 'canary').matches({
      namespace: 'demo',
      pod: name,
    });
  expect(pod('web-ab12', 'web-ab12-x7k2p')).toBe(true);
  expect(pod('web-ab12', 'web-ab12-x7k2p9')).toBe(false);
  expect(pod('web-ab12', 'web-ab12-cd34-x7k2p')).toBe(false);
  expect(pod('web-ab12', 'xweb-ab12-x7k2p')).toBe(false);
  const long = 'w'.repeat(60);
  expect(pod(long, `${'w'.repeat(58)}abcde`)).toBe(true);
});

test('both arms stand in one pattern where only the Service differs', () => {
  const text = rangeQuery([requestOf()], millis(15_000));
  expect(text).toContain(
    '-svc-demo-(?:web|web-canary-ab12cd34ef)-[0-9]+@kubernetesgateway"}[15000ms]',
  );
  expect(text.match(/httproute/g)).toHaveLength(1);
});

test.each([
  [0.3, ['0.3', '0.30', '3e-1', '3e-01']],
  [5, ['5', '5.0', '5e0', '5e+00']],
  [10, ['10', '10.0', '1e1', '1e+01']],
  [1e-5, ['1e-05', '1e-5']],
  [Number.POSITIVE_INFINITY, ['+Inf', 'Inf']],
])('the bound %s is found however it is written', (bound, texts) => {
  const pattern = anchored(boundPattern(bound));
  for (const text of texts) expect(pattern.test(text), text).toBe(true);
  for (const other of ['0.35', '50', '1', '0.03', '15', '100', '1e5'])
    expect(pattern.test(other), other).toBe(false);
});

test.each([
  ['5..', undefined],
  ['(5..|429)', undefined],
  ['[0-9a-f]{20}', undefined],
  ['\\d+', undefined],
  ['(a+)+', 'repeated'],
  ['a**', 'repeated'],
  ['(?=a)', 'groups'],
  ['(?P<x>a)', 'groups'],
  ['\\1', 'not supported'],
  ['\\z', 'not supported'],
  ['[[:alpha:]]', 'class'],
  ['(', 'not a regular expression'],
])('the pattern %s: %s', (pattern, why) => {
  if (why === undefined) expect(regexFault(pattern)).toBeUndefined();
  else expect(regexFault(pattern)).toContain(why);
});

test('an absent label is the empty text', () => {
  const selector = parseSelector('m{a="",b!="",c=~"x?",d!~"y"}');
  if (!selector.ok) throw new Error('unread');
  const matches = fixedTest(selector.value.matchers);
  expect(matches({ b: '1' })).toBe(true);
  expect(matches({})).toBe(false);
  expect(matches({ a: '1', b: '1' })).toBe(false);
  expect(matches({ b: '1', d: 'y' })).toBe(false);
  expect(fixedTest(selector.value.matchers.slice(1, 2))({ constructor: 'x' })).toBe(false);
});
