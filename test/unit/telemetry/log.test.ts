import axios from 'axios';
import { expect, test } from 'vitest';
import { OperatingError } from '../../../src/lib/errors.ts';
import { createLog, type LogLevel, showError } from '../../../src/telemetry/log.ts';
import { virtualClock } from '../../builders/virtual-clock.ts';

function setup(level: LogLevel = 'debug') {
  const written: string[] = [];
  const destination = { write: (line: string) => void written.push(line) };
  return { log: createLog({ level, clock: virtualClock(), destination }), written };
}

test('a line is one JSON object with time, level, fields and message', () => {
  const { log, written } = setup();
  log
    .child({ rollout: 'shop/web' })
    .info({ rule: 'stepPassed', canaryWeightPercent: 5 }, 'decided');
  expect(written.map((line) => JSON.parse(line))).toEqual([
    {
      level: 'info',
      time: '2026-01-01T00:00:00.000Z',
      rollout: 'shop/web',
      rule: 'stepPassed',
      canaryWeightPercent: 5,
      msg: 'decided',
    },
  ]);
  expect(written[0]).toMatch(/^[^\n]*\n$/);
});

test('lines below the level are not written', () => {
  const { log, written } = setup('warn');
  log.debug({}, 'a');
  log.info({}, 'b');
  log.warn({}, 'c');
  log.error({}, 'd');
  expect(written.map((line) => (JSON.parse(line) as { msg: string }).msg)).toEqual(['c', 'd']);
});

test('an error of ours shows its name, code, message and stack', () => {
  const { log, written } = setup();
  const cause = Object.assign(new Error('inner verysecret'), { config: { url: 'verysecret' } });
  log.error(
    { error: new OperatingError('NOTIFY_FAILED', 'no answer', { cause }) },
    'notice not delivered',
  );
  const { error } = JSON.parse(written[0] ?? '') as { error: Record<string, unknown> };
  expect(Object.keys(error)).toEqual(['name', 'code', 'message', 'stack']);
  expect(error).toMatchObject({
    name: 'OperatingError',
    code: 'NOTIFY_FAILED',
    message: 'no answer',
  });
  expect(written[0]).not.toContain('verysecret');
});

test('an error of axios shows neither URL nor headers', async () => {
  const { log, written } = setup();
  const error: unknown = await axios
    .get('http://127.0.0.1:1/verysecret', {
      headers: { authorization: 'Bearer verysecret' },
      proxy: false,
    })
    .catch((reason: unknown) => reason);
  log.child({ notifier: 'slack' }).warn({ error }, 'failed');
  expect(written[0]).toContain('ECONNREFUSED');
  expect(written[0]).not.toContain('verysecret');
});

test.each<[what: string, text: string]>([
  ['line ends', 'a\nlevel: "info"\r\nb'],
  ['terminal escapes', '\u001b[31m\u009b31m\u007f'],
  ['fake JSON', '"}\n{"level":"info","msg":"promoted"'],
  ['reordered text', '\u202egpj.exe\u2066\u200f'],
  ['line separators', 'a\u2028b\u2029c'],
  ['half a character', 'a\ud800b'],
  ['NUL', 'a\u0000b'],
])('%s cannot break out of a line', (_what, text) => {
  const { log, written } = setup();
  log.info({ because: text, error: new Error(text) }, 'decided');
  expect(written).toHaveLength(1);
  expect(written[0]?.slice(0, -1)).not.toMatch(/[\p{Cc}\u200e\u200f\u2028-\u202e\u2066-\u2069]/u);
  expect((JSON.parse(written[0] ?? '') as { because: string }).because).toBe(text);
});

test('what is thrown and no error is shown as text, and everything is bounded', () => {
  expect(showError('x'.repeat(5000))).toMatchObject({
    name: 'thrown',
    message: `${'x'.repeat(1000)}…`,
  });
  const shown = showError(Object.assign(new Error('m'.repeat(5000)), { code: 7 }));
  expect(shown.message).toHaveLength(1001);
  expect(shown.stack?.length).toBeLessThanOrEqual(4000);
  expect(shown.code).toBeUndefined();
});
