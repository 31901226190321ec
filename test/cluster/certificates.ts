import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { mustRun } from './command.ts';
import { clusterCache, contentHash } from './places.ts';

/** One certificate authority of the test, and what it signed. `X.crt` and `X.key` for each name. */
export interface Certificates {
  readonly folder: string;
  file(name: string): string;
}

interface Subject {
  readonly name: string;
  readonly subject: string;
  readonly extensions: readonly string[];
}

const leaf = ['basicConstraints=critical,CA:FALSE', 'keyUsage=critical,digitalSignature'];

const authority: Subject = {
  name: 'ca',
  subject: 'CN = haldane-test',
  extensions: [
    'basicConstraints=critical,CA:TRUE',
    'keyUsage=critical,keyCertSign,cRLSign,digitalSignature',
  ],
};

const apiServerNames = [
  'DNS:localhost',
  'DNS:kubernetes',
  'DNS:kubernetes.default',
  'DNS:kubernetes.default.svc',
  'IP:127.0.0.1',
  'IP:10.96.0.1',
  'IP:10.244.255.1',
].join(',');

const signed: readonly Subject[] = [
  {
    name: 'apiserver',
    subject: 'CN = kube-apiserver',
    extensions: [...leaf, 'extendedKeyUsage=serverAuth', `subjectAltName=${apiServerNames}`],
  },
  {
    name: 'admin',
    subject: 'O = system:masters\nCN = admin',
    extensions: [...leaf, 'extendedKeyUsage=clientAuth'],
  },
  {
    name: 'front-proxy',
    subject: 'CN = front-proxy-client',
    extensions: [...leaf, 'extendedKeyUsage=clientAuth'],
  },
];

const daysValid = 365;
const renewAfterDays = 180;
const dayMilliseconds = 86_400_000;

/** Makes the certificates, or takes those an earlier run of this checkout made. */
export async function ensureCertificates(): Promise<Certificates> {
  const key = contentHash([JSON.stringify([authority, signed])]);
  const folder = join(clusterCache, `certificates-${key}`);
  if (existsSync(folder)) {
    const age = Date.now() - (await stat(folder)).mtimeMs;
    if (age > renewAfterDays * dayMilliseconds) await rm(folder, { recursive: true });
  }
  if (!existsSync(folder)) {
    const unfinished = `${folder}.${process.pid}`;
    await makeCertificates(unfinished);
    await rename(unfinished, folder).catch(async (cause: unknown) => {
      await rm(unfinished, { recursive: true, force: true });
      if (!existsSync(folder)) throw cause;
    });
  }
  return { folder, file: (name) => join(folder, name) };
}

async function makeCertificates(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await makeCertificate(folder, authority, []);
  const by = ['-CA', join(folder, 'ca.crt'), '-CAkey', join(folder, 'ca.key')];
  await Promise.all(signed.map((subject) => makeCertificate(folder, subject, by)));
  const accountKey = join(folder, 'service-account.key');
  const curve = ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:prime256v1'];
  await mustRun('openssl', ['genpkey', ...curve, '-out', accountKey]);
  const publicKey = join(folder, 'service-account.pub');
  await mustRun('openssl', ['pkey', '-in', accountKey, '-pubout', '-out', publicKey]);
}

async function makeCertificate(
  folder: string,
  subject: Subject,
  signedBy: readonly string[],
): Promise<void> {
  const config = join(folder, `${subject.name}.cnf`);
  const request =
    '[req]\nprompt = no\ndistinguished_name = subject\nx509_extensions = extensions\n';
  const sections = `[subject]\n${subject.subject}\n[extensions]\n${subject.extensions.join('\n')}\n`;
  await writeFile(config, request + sections);
  await mustRun('openssl', [
    ...`req -x509 -nodes -days ${daysValid}`.split(' '),
    ...'-newkey ec -pkeyopt ec_paramgen_curve:prime256v1'.split(' '),
    '-config',
    config,
    '-keyout',
    join(folder, `${subject.name}.key`),
    '-out',
    join(folder, `${subject.name}.crt`),
    ...signedBy,
  ]);
}

/** A kubeconfig for the administrator of the test's API server, with everything embedded. */
export async function administratorKubeconfig(
  certificates: Certificates,
  server: string,
): Promise<string> {
  const read = async (name: string) => (await readFile(certificates.file(name))).toString('base64');
  return kubeconfig(server, await read('ca.crt'), {
    'client-certificate-data': await read('admin.crt'),
    'client-key-data': await read('admin.key'),
  });
}

/** A kubeconfig with one cluster and one user. JSON is YAML. */
export function kubeconfig(
  server: string,
  authorityData: string,
  user: Readonly<Record<string, string>>,
): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'test', cluster: { server, 'certificate-authority-data': authorityData } }],
    users: [{ name: 'user', user }],
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'user' } }],
    'current-context': 'test',
  });
}
