import { describe, expect, test } from 'vitest';
import { CommandError, explainError } from '../../../src/cli/outcome.ts';
import { calledAs } from '../../../src/cli/program.ts';
import { OperatingError } from '../../../src/lib/errors.ts';
import { runCli } from '../../builders/cli-cluster.ts';

test.each([
  ['/usr/local/bin/haldane', 'haldane'],
  ['/usr/local/bin/kubectl-haldane', 'kubectl haldane'],
  ['/app/haldane.js', 'haldane'],
  [undefined, 'haldane'],
])('called as %s', (script, name) => {
  expect(calledAs(script)).toBe(name);
});

test.each<[args: string[], code: number, out: RegExp, err: RegExp]>([
  [['version'], 0, /^haldane \d+\.\d+\.\d+ \(Node\.js \d+/, /^$/],
  [['--version'], 0, /^haldane \d+/, /^$/],
  [['--help'], 0, /status \[options\] \[name\]/, /^$/],
  [['promote'], 2, /^$/, /missing required argument 'name'/],
  [['stat'], 2, /^$/, /unknown command 'stat'/],
  [['status', '-o', 'yaml'], 2, /^$/, /Allowed choices are json/],
  [['pause', 'x', '--timeout', '-1'], 2, /^$/, /a number from 0 to 3600/],
  [['controller'], 2, /^$/, /required option '--config <file>' not specified/],
  [['controller', '--config', 'no-such-file'], 2, /^$/, /no-such-file: cannot be read/],
])('%s', async (args, code, out, err) => {
  const ran = await runCli(args);
  expect(ran.out).toMatch(out);
  expect(ran.err).toMatch(err);
  expect(ran.code).toBe(code);
});

describe('errors', () => {
  test('a command error is its message alone', () => {
    expect(explainError(new CommandError('no'))).toEqual({ text: 'no', code: 1 });
  });

  test('the outside world gets a hint, and no stack', () => {
    const { text } = explainError(new OperatingError('KUBERNETES_FORBIDDEN', 'may not patch'));
    expect(text).toMatch(/^may not patch\nIt needs the permission/);
  });

  test('a wrong configuration is a wrong command line', () => {
    expect(explainError(new OperatingError('CONFIG_INVALID', 'line 3')).code).toBe(2);
  });

  test('our bug shows where it is', () => {
    const { text, code } = explainError(new TypeError('x is undefined'));
    expect(text).toMatch(/a bug in haldane: TypeError: x is undefined\n +at /);
    expect(code).toBe(1);
  });
});
