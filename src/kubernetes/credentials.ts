import { createHash } from 'node:crypto';
import type { RequestOptions } from 'node:https';
import type { KubeConfig } from '@kubernetes/client-node';
import type { Clock } from '../lib/clock.ts';
import { describeError, OperatingError } from '../lib/errors.ts';
import { type Millis, seconds } from '../lib/units.ts';

/** What a connection needs; two accesses with the same `fingerprint` may share connections. */
export interface Access {
  /** Scheme, host and port. */
  readonly origin: string;
  /** Path before `/api`, e.g. behind a cluster proxy; no slash at its end. */
  readonly basePath: string;
  readonly tls: TlsMaterial;
  readonly proxyUrl: string | undefined;
  readonly fingerprint: string;
  /** Authorization and impersonation. Never logged. */
  readonly headers: Readonly<Record<string, string>>;
}

export interface TlsMaterial {
  readonly ca?: string | Buffer;
  readonly cert?: string | Buffer;
  readonly key?: string | Buffer;
  readonly passphrase?: string;
  readonly servername?: string;
  readonly rejectUnauthorized?: boolean;
}

export interface Credentials {
  /**
   * Read again when older than ten seconds; rejects with `OperatingError` when there never were
   * any.
   */
  current(): Promise<Access>;
  /**
   * After a 401: load the configuration afresh (a rotated token, an exec plugin's new answer)
   * before the next call.
   */
  distrust(): void;
}

/** Tokens, certificates and exec answers are looked at this often: rotation needs no restart. */
const maxAge: Millis = seconds(10);

/** Reads the access out of client-node's `KubeConfig` without its agent per request. */
export function createCredentials(options: {
  readonly load: () => KubeConfig;
  readonly clock: Clock;
}): Credentials {
  const { load, clock } = options;
  let config: KubeConfig | undefined;
  let known: { readonly access: Access; readonly readAt: Millis } | undefined;
  let reading: Promise<Access> | undefined;
  let reloadedAt: Millis | undefined;

  const read = async (): Promise<Access> => {
    const readAt = clock.monotonic();
    try {
      config ??= load();
      const access = await accessOf(config);
      known = { access, readAt };
      return access;
    } catch (error) {
      // A certificate file caught in the middle of its rotation: the old one may still do.
      if (known !== undefined) return known.access;
      throw new OperatingError(
        'KUBERNETES_UNAVAILABLE',
        `no access to the cluster: ${describeError(error).slice(0, 200)}`,
        { cause: error },
      );
    } finally {
      reading = undefined;
    }
  };

  return {
    current: () => {
      if (known !== undefined && clock.monotonic() - known.readAt < maxAge) {
        return Promise.resolve(known.access);
      }
      reading ??= read();
      return reading;
    },
    distrust: () => {
      const now = clock.monotonic();
      // A token that is simply wrong answers 401 for ever: load at most once per period.
      if (reloadedAt !== undefined && now - reloadedAt < maxAge) return;
      reloadedAt = now;
      config = undefined;
      known = known === undefined ? undefined : { ...known, readAt: (now - maxAge) as Millis };
    },
  };
}

async function accessOf(config: KubeConfig): Promise<Access> {
  const cluster = config.getCurrentCluster();
  if (cluster === null) throw new Error('the kubeconfig has no current cluster');
  const url = new URL(cluster.server);
  const usable = url.protocol === 'http:' ? overPlainHttp(config, url) : config;
  const options: RequestOptions = {};
  await usable.applyToHTTPSOptions(options);
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(options.headers ?? {})) {
    // A token file often ends in a line break, which is no legal header.
    if (value !== undefined) headers[name.toLowerCase()] = String(value).trim();
  }
  if (typeof options.auth === 'string') {
    headers['authorization'] = `Basic ${Buffer.from(options.auth).toString('base64')}`;
  }
  const tls = tlsOf(options);
  const basePath = url.pathname.replace(/\/+$/, '');
  const parts = { origin: url.origin, basePath, tls, proxyUrl: cluster.proxyUrl };
  return { ...parts, headers, fingerprint: fingerprintOf(parts) };
}

/**
 * client-node refuses `http://` unless told; we take it on this machine, or where the kubeconfig
 * says so.
 */
function overPlainHttp(config: KubeConfig, url: URL): KubeConfig {
  const cluster = config.getCurrentCluster();
  const local = /^(localhost|127(\.\d+){3}|\[::1\])$/.test(url.hostname);
  if (cluster === null || cluster.skipTLSVerify) return config;
  if (!local) throw new Error(`${url.origin} is not encrypted`);
  const Config = config.constructor as new () => KubeConfig;
  const copy = new Config();
  copy.loadFromOptions({
    clusters: config.clusters.map((c) => (c === cluster ? { ...c, skipTLSVerify: true } : c)),
    users: config.users,
    contexts: config.contexts,
    currentContext: config.getCurrentContext(),
  });
  return copy;
}

function tlsOf(options: RequestOptions): TlsMaterial {
  const { ca, cert, key, passphrase, servername, rejectUnauthorized } = options;
  const material = { ca, cert, key, passphrase, servername, rejectUnauthorized };
  return Object.fromEntries(
    Object.entries(material).filter(([, value]) => value !== undefined && value !== null),
  );
}

function fingerprintOf(parts: Omit<Access, 'headers' | 'fingerprint'>): string {
  const hash = createHash('sha256');
  const { tls } = parts;
  const fields = [parts.origin, parts.proxyUrl, ...Object.entries(tls).flat()];
  for (const field of fields) {
    const bytes = Buffer.isBuffer(field) ? field : Buffer.from(String(field));
    hash.update(`${bytes.length}:`).update(bytes);
  }
  return hash.digest('hex');
}
