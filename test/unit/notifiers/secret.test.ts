import { inspect } from 'node:util';
import { expect, test } from 'vitest';
import { readSecret, readSecretUrl, Secret } from '../../../src/notifiers/secret.ts';

const url = 'https://hooks.example/services/T0/B0/verysecret';
const reading = (text: string) => async () => text;

test('however a secret is printed, it does not show', () => {
  const secret = new Secret(url);
  const shown = [
    String(secret),
    ''.concat(secret as unknown as string),
    JSON.stringify({ secret }),
    inspect({ secret }, { depth: 9, showHidden: true }),
    JSON.stringify(Object.entries(secret)),
    new Error('x', { cause: secret }).cause?.toString(),
  ].join('\n');
  expect(shown).not.toContain('verysecret');
  expect(shown).toContain('[redacted]');
  expect(secret.reveal()).toBe(url);
});

test('the end of the line in a mounted file is no part of it', async () => {
  expect((await readSecret('/s/url', reading(`${url}\n`))).reveal()).toBe(url);
});

test.each<[what: string, text: string, said: string]>([
  ['an empty file', ' \n', 'secret file /s/url: empty'],
  ['no URL', 'hooks.example/verysecret', 'secret file /s/url: not an http or https URL'],
  ['another scheme', 'file:///verysecret', 'secret file /s/url: not an http or https URL'],
])('%s is refused without being shown', async (_what, text, said) => {
  await expect(readSecretUrl('/s/url', reading(text))).rejects.toMatchObject({
    code: 'NOTIFY_FAILED',
    retry: 'backoff',
    message: said,
  });
});

test('a file that is not there yet is tried again', async () => {
  const absent = () => Promise.reject(Object.assign(new Error(url), { code: 'ENOENT' }));
  await expect(readSecret('/s/url', absent)).rejects.toMatchObject({
    retry: 'backoff',
    message: 'secret file /s/url: ENOENT',
  });
});
