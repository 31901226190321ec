import { describe, expect, test } from 'vitest';
import { evaluateCel } from '../../../src/embedded/cel.ts';
import type { Json } from '../../../src/embedded/json.ts';

const scope = {
  object: { metadata: { labels: { a: '1' }, name: 'web' }, spec: { replicas: 2, ports: [80, 81] } },
  nothing: null,
};

describe('CEL', () => {
  const values: readonly [text: string, value: Json][] = [
    ['1 + 2 * 3', 7],
    ['(1 + 2) * 3', 9],
    ['7 / 2', 3],
    ['7 % 4', 3],
    ['-3 + 1', -2],
    ["'a' + 'b'", 'ab'],
    ['[1] + [2]', [1, 2]],
    ['object.spec.replicas > 0', true],
    ["object.metadata.labels['a'] == '1'", true],
    ["'a' in object.metadata.labels", true],
    ['80 in object.spec.ports', true],
    ['has(object.spec.paused)', false],
    ['has(object.spec.replicas) && object.spec.replicas == 2', true],
    ['!has(object.spec.paused) || !object.spec.paused', true],
    ['object.spec.paused || true', true],
    ['true || object.spec.paused', true],
    ['false && object.spec.paused', false],
    ['object.spec.replicas > 1 ? "many" : "one"', 'many'],
    ['size(object.spec.ports)', 2],
    ["object.metadata.name.startsWith('we')", true],
    ["object.metadata.name.matches('^w.b$')", true],
    ['object.spec.ports.all(p, p >= 80)', true],
    ['object.spec.ports.exists(p, p == 81)', true],
    ['object.spec.ports.filter(p, p > 80)', [81]],
    ['object.spec.ports.map(p, p + 1)', [81, 82]],
    ["{'a': 1, 'b': [2]}", { a: 1, b: [2] }],
    ['Object{spec: Object.spec{paused: true}}', { spec: { paused: true } }],
    ['object.metadata != object.spec', true],
    ["'x\\'y'", "x'y"],
    ['nothing == null', true],
  ];
  test.each(values)('%s', (text, value) => {
    expect(evaluateCel(text, scope)).toEqual(value);
  });

  const errors: readonly [text: string, message: RegExp][] = [
    ['object.spec.paused', /no such key: paused/],
    ['object.spec.paused && true', /no such key/],
    ['false || object.spec.paused', /no such key/],
    ['unknown', /undeclared reference/],
    ['1 +', /unexpected end/],
    ["'a' > 1", /no such overload/],
    ['1 ? 2 : 3', /must be a boolean/],
    ['1 / 0', /divide by zero/],
    ['#', /unexpected character/],
    ['(1', /expected \)/],
  ];
  test.each(errors)('%s is an error', (text, message) => {
    expect(() => evaluateCel(text, scope)).toThrow(message);
  });
});
