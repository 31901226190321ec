import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runCli } from '../../builders/cli-cluster.ts';
import golden from '../analysis/fixtures/golden.json' with { type: 'json' };

describe('plan', () => {
  test('tells steps and faults, for people and for programs', async () => {
    const args = ['plan', '--rps', '500', '--runs', '5'];
    const { code, out } = await runCli(args);
    expect(code).toBe(0);
    expect(out).toContain('At 500 requests/s with 0.10 % errors, a healthy release is');
    expect(out).toMatch(/^1 % +5 % +5\.0 /m);
    expect(out).toMatch(/^100 % +100 % /m);
    const json = JSON.parse((await runCli([...args, '-o', 'json'])).out) as object;
    expect(json).toMatchObject({ rps: 500, baseRate: 0.001, steps: expect.any(Array) });
  });

  test('says why it begins at its first step, and how long 1 % would take', async () => {
    const plan = async (...args: readonly string[]) =>
      (await runCli(['plan', '--rps', '9.26', '--runs', '2', ...args])).out;
    const whole = /9\.3 requests\/s: steps 10, 25, 50, 100; 10 % .*; 1 % would take about \d+ min/;
    expect(await plan()).toMatch(whole);
    expect(await plan('--steps', '1,50')).toMatch(/steps 1, 50, 100; 1 % takes about \d+ min/);
    expect(JSON.parse(await plan('-o', 'json'))).toMatchObject({
      ladder: { by: 'traffic', requestsPerSecond: 9.26 },
    });
  });

  test.each([
    [['--rps', 'x'], /--rps x/],
    [['--rps', '10', '--base-errors', '1'], /write it with a percent sign/],
    [['--rps', '10', '--steps', '5,1'], /rising whole numbers/],
    [['--rps', '10', '--steps', '5,100'], /rising whole numbers/],
    [['--rps', '10', '--interval', '0'], /--interval 0/],
  ])('refuses %s', async (args, why) => {
    const { code, err } = await runCli(['plan', ...args]);
    expect(code).toBe(2);
    expect(err).toMatch(why);
  });
});

describe('replay', () => {
  let folder = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'haldane-replay-'));
  });
  afterAll(() => {
    rmSync(folder, { recursive: true });
  });
  const csv = (bad: number): string => {
    const head = 'time,canary_total,canary_bad,stable_total,stable_bad,weight';
    const rows = Array.from({ length: 20 }, (_row, i) => `${(i + 1) * 5},5,${bad},495,0,1`);
    const file = join(folder, 'polls.csv');
    writeFileSync(file, [head, ...rows].join('\n'));
    return file;
  };

  test('of a disaster says fail', async () => {
    const { code, out } = await runCli(['replay', csv(5)]);
    expect(code).toBe(0);
    expect(out).toMatch(/\nfail: /);
  });

  test('of a healthy release does not, and gives each poll to programs', async () => {
    const json = JSON.parse((await runCli(['replay', csv(0), '-o', 'json'])).out) as {
      polls: { lnE: number }[];
      verdict: string;
    };
    expect(json.polls).toHaveLength(20);
    expect(json.verdict).not.toBe('fail');
    expect(json.polls.at(-1)?.lnE).toBeLessThan(0.5);
  });

  test('of a golden sequence gives its odds and evidence to nine digits', async () => {
    const sequence = golden.rollback[0];
    const file = join(folder, 'golden.json');
    // Without what was recorded: it must be found again.
    const polls = sequence?.polls.map(({ kappa: _kappa, lnE: _lnE, ...poll }) => poll);
    writeFileSync(file, JSON.stringify({ ...sequence, polls }));
    const { out } = await runCli(['replay', file, '-o', 'json']);
    const found = JSON.parse(out) as { polls: { kappa: number; lnE: number }[] };
    expect(found.polls).toHaveLength(sequence?.polls.length ?? -1);
    for (const [i, { kappa, lnE }] of (sequence?.polls ?? []).entries()) {
      expect(found.polls[i]?.kappa).toBeCloseTo(kappa, 9);
      expect(found.polls[i]?.lnE).toBeCloseTo(lnE, 9);
    }
  });

  test('refuses what it cannot read', async () => {
    const file = join(folder, 'wrong.csv');
    writeFileSync(file, 'a,b\n1,2\n');
    const { code, err } = await runCli(['replay', file]);
    expect(code).toBe(2);
    expect(err).toContain('wrong.csv: ');
    expect((await runCli(['replay', 'no-such-file'])).code).toBe(2);
  });
});
