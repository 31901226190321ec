import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createCredentials } from '../../../src/kubernetes/credentials.ts';
import { loadKubeConfig } from '../../../src/kubernetes/kubeconfig.ts';
import { seconds } from '../../../src/lib/units.ts';
import { virtualClock } from '../../builders/virtual-clock.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'haldane-'));
});
afterAll(() => rm(folder, { recursive: true }));

const write = async (name: string, text: string) => {
  await writeFile(join(folder, name), text);
  return join(folder, name);
};
const kubeconfig = (user: object, cluster: object = {}) =>
  write(
    'config',
    JSON.stringify({
      clusters: [{ name: 'c', cluster: { server: 'https://127.0.0.1:6443', ...cluster } }],
      users: [{ name: 'u', user }],
      contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
      'current-context': 'x',
    }),
  );
async function aReader(user: object, cluster: object = {}) {
  const file = await kubeconfig(user, cluster);
  const clock = virtualClock();
  const credentials = createCredentials({ load: () => loadKubeConfig({ file }), clock });
  const authorization = async () => (await credentials.current()).headers['authorization'];
  return { credentials, clock, authorization, file };
}
const base64 = (text: string) => Buffer.from(text).toString('base64');

test.each<[what: string, user: object, header: string | undefined]>([
  ['a token', { token: 'abc' }, 'Bearer abc'],
  ['name and password', { username: 'me', password: 'pw' }, `Basic ${base64('me:pw')}`],
  ['nothing', {}, undefined],
])('%s', async (_what, user, header) => {
  const { authorization } = await aReader(user);
  expect(await authorization()).toBe(header);
});

test('a token file is read again after a refusal, without its line break', async () => {
  await write('token', 'first\n');
  const { credentials, clock, authorization } = await aReader({ tokenFile: 'token' });
  expect(await authorization()).toBe('Bearer first');
  await write('token', 'second\n');
  await clock.advance(seconds(11));
  credentials.distrust();
  expect(await authorization()).toBe('Bearer second');
});

test('a token that is simply wrong does not make it load again and again', async () => {
  let loads = 0;
  const file = await kubeconfig({ token: 'wrong' });
  const clock = virtualClock();
  const load = () => {
    loads += 1;
    return loadKubeConfig({ file });
  };
  const credentials = createCredentials({ load, clock });
  for (let i = 0; i < 50; i += 1) {
    await credentials.current();
    credentials.distrust();
  }
  expect(loads).toBeLessThanOrEqual(2);
});

test('an exec plugin is asked once, and again after a refusal', async () => {
  const counter = join(folder, 'asked');
  await write('asked', '');
  const plugin = await write(
    'plugin.sh',
    `#!/bin/sh
echo x >> ${counter}
n=$(wc -l < ${counter} | tr -d ' ')
echo '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"t'$n'"}}'
`,
  );
  await chmod(plugin, 0o755);
  const exec = { apiVersion: 'client.authentication.k8s.io/v1', command: plugin };
  const { credentials, clock, authorization } = await aReader({ exec });
  const both = await Promise.all([authorization(), authorization()]);
  expect(both).toEqual(['Bearer t1', 'Bearer t1']);
  await clock.advance(seconds(60));
  expect(await authorization()).toBe('Bearer t1');
  credentials.distrust();
  expect(await authorization()).toBe('Bearer t2');
});

test('a new certificate changes the fingerprint, a new token does not', async () => {
  const ca = await write('ca.crt', 'one');
  const { credentials, clock, file } = await aReader(
    { token: 'a' },
    { 'certificate-authority': ca },
  );
  const first = (await credentials.current()).fingerprint;
  await clock.advance(seconds(11));
  expect((await credentials.current()).fingerprint).toBe(first);
  await write('ca.crt', 'two');
  await clock.advance(seconds(11));
  const second = (await credentials.current()).fingerprint;
  expect(second).not.toBe(first);
  await kubeconfig({ token: 'b' }, { 'certificate-authority': ca });
  credentials.distrust();
  const third = await credentials.current();
  expect([third.fingerprint, third.headers['authorization']]).toEqual([second, 'Bearer b']);
  await rm(ca);
  await clock.advance(seconds(11));
  expect((await credentials.current()).fingerprint).toBe(second);
  await rm(file);
});

test('certificates, server name, verification, path and proxy arrive', async () => {
  const { credentials } = await aReader(
    { 'client-certificate-data': base64('cert'), 'client-key-data': base64('key') },
    {
      server: 'https://proxy.example/k8s/clusters/c-1/',
      'certificate-authority-data': base64('ca'),
      'tls-server-name': 'kubernetes',
      'insecure-skip-tls-verify': true,
      'proxy-url': 'http://127.0.0.1:3128',
    },
  );
  const access = await credentials.current();
  expect(access).toMatchObject({
    origin: 'https://proxy.example',
    basePath: '/k8s/clusters/c-1',
    proxyUrl: 'http://127.0.0.1:3128',
    tls: { servername: 'kubernetes', rejectUnauthorized: false },
  });
  expect([access.tls.ca, access.tls.cert, access.tls.key].map(String)).toEqual([
    'ca',
    'cert',
    'key',
  ]);
});

test.each<[server: string, cluster: object, allowed: boolean]>([
  ['http://127.0.0.1:8080', {}, true],
  ['http://localhost:8080', {}, true],
  ['http://[::1]:8080', {}, true],
  ['http://10.0.0.1:8080', {}, false],
  ['http://127.0.0.1.example:8080', {}, false],
  ['http://10.0.0.1:8080', { 'insecure-skip-tls-verify': true }, true],
])('%s without encryption, %j: %s', async (server, cluster, allowed) => {
  const { credentials } = await aReader({ token: 'secret' }, { server, ...cluster });
  const outcome = await credentials.current().then(
    () => true,
    (error: unknown) => {
      expect(error).toMatchObject({ code: 'KUBERNETES_UNAVAILABLE' });
      return false;
    },
  );
  expect(outcome).toBe(allowed);
});
