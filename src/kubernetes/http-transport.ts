import { Agent, type Dispatcher, ProxyAgent, Socks5ProxyAgent } from 'undici';
import type { Clock } from '../lib/clock.ts';
import { isOperatingError, OperatingError } from '../lib/errors.ts';
import { linked } from '../lib/linked.ts';
import { type Millis, seconds } from '../lib/units.ts';
import type { Access, Credentials } from './credentials.ts';
import {
  type KubernetesRequest,
  type KubernetesResponse,
  type KubernetesStream,
  type KubernetesTransport,
  OversizedAnswer,
  type Query,
} from './transport.ts';

export interface HttpTransportOptions {
  readonly credentials: Credentials;
  readonly clock: Clock;
  readonly userAgent?: string;
  /** Deadline of a request that names none. */
  readonly timeout?: Millis;
  readonly maxResponseBytes?: number;
  /** Connections for requests; watches have their own. */
  readonly connections?: number;
}

export interface HttpTransport extends KubernetesTransport {
  /** Ends every connection, watches included. */
  close(): Promise<void>;
}

const connectTimeout = 5000;
const streamTimeout = seconds(30);
/**
 * Below the 90 s after which the API server closes idle connections: a write must not meet a
 * closing socket.
 */
const keepAliveTimeout = 50_000;

/** Both pools of one TLS identity. */
interface Pools {
  readonly fingerprint: string;
  readonly requests: Dispatcher;
  readonly watches: Dispatcher;
}

/**
 * The real transport: one pool of HTTP/1.1 connections for requests and one for watches, kept until
 * the TLS material changes. (client-node 2.0.1 opens a TLS connection per request; HTTP/2 would put
 * all watches on one connection.)
 */
export const createHttpTransport = (options: HttpTransportOptions): HttpTransport =>
  new PooledTransport(options);

class PooledTransport implements HttpTransport {
  readonly #options: HttpTransportOptions;
  readonly #retired = new Set<Pools>();
  #pools: Pools | undefined;

  constructor(options: HttpTransportOptions) {
    this.#options = options;
  }

  request(request: KubernetesRequest, signal: AbortSignal): Promise<KubernetesResponse> {
    const { clock, timeout, maxResponseBytes = 32 * 1024 * 1024 } = this.#options;
    const { method, path, query = {}, body, contentType = 'application/json' } = request;
    const span = request.timeout ?? timeout ?? seconds(10);
    return withDeadline(clock, span, signal, async (limit) => {
      const { access, pools } = await settled(this.#reach(), limit);
      const answer = await pools.requests.request({
        origin: access.origin,
        path: pathWithQuery(access, path, query),
        method,
        headers: {
          ...this.#headers(access),
          ...(body === undefined ? {} : { 'content-type': contentType }),
        },
        body: body === undefined ? null : JSON.stringify(body),
        signal: limit,
      });
      const json = await readJson(answer.body, maxResponseBytes);
      this.#noticeRefusal(answer.statusCode);
      return { status: answer.statusCode, headers: flatHeaders(answer.headers), json };
    });
  }

  async stream(path: string, query: Query, signal: AbortSignal): Promise<KubernetesStream> {
    // The deadline holds until the headers; afterwards the reader watches for silence.
    const life = linked(signal);
    try {
      const answer = await withDeadline(
        this.#options.clock,
        streamTimeout,
        signal,
        async (limit) => {
          limit.addEventListener('abort', () => life.abort(limit.reason), { once: true });
          const { access, pools } = await settled(this.#reach(), limit);
          return pools.watches.request({
            origin: access.origin,
            path: pathWithQuery(access, path, query),
            method: 'GET',
            headers: this.#headers(access),
            signal: life.signal,
          });
        },
      );
      this.#noticeRefusal(answer.statusCode);
      const chunks = readChunks(answer.body, signal, () => life.unlink());
      return { status: answer.statusCode, headers: flatHeaders(answer.headers), chunks };
    } catch (error) {
      life.unlink();
      throw error;
    }
  }

  async close(): Promise<void> {
    const all = [...this.#retired, ...(this.#pools === undefined ? [] : [this.#pools])];
    await Promise.all(all.flatMap((p) => [p.requests.destroy(), p.watches.destroy()]));
  }

  async #reach(): Promise<{ readonly access: Access; readonly pools: Pools }> {
    const access = await this.#options.credentials.current();
    if (this.#pools?.fingerprint !== access.fingerprint) {
      if (this.#pools !== undefined) retire(this.#pools, this.#retired);
      this.#pools = openPools(access, this.#options.connections ?? 32);
    }
    return { access, pools: this.#pools };
  }

  #headers(access: Access): Readonly<Record<string, string>> {
    const userAgent = this.#options.userAgent ?? 'haldane';
    return { accept: 'application/json', 'user-agent': userAgent, ...access.headers };
  }

  #noticeRefusal(status: number): void {
    if (status === 401) this.#options.credentials.distrust();
  }
}

function openPools(access: Access, connections: number): Pools {
  return {
    fingerprint: access.fingerprint,
    requests: openPool(access, { connections, bodyTimeout: 60_000, headersTimeout: 60_000 }),
    watches: openPool(access, { connections: 64, bodyTimeout: 0, headersTimeout: 60_000 }),
  };
}

interface PoolLimits {
  readonly connections: number;
  readonly bodyTimeout: number;
  readonly headersTimeout: number;
}

function openPool(access: Access, limits: PoolLimits): Dispatcher {
  const shared = { ...limits, allowH2: false, pipelining: 1, keepAliveTimeout };
  const connect = { ...access.tls, timeout: connectTimeout, keepAlive: true, allowH2: false };
  const { proxyUrl } = access;
  if (proxyUrl === undefined) return new Agent({ ...shared, connect });
  if (proxyUrl.startsWith('socks')) {
    return new Socks5ProxyAgent(proxyUrl, { ...shared, requestTls: connect });
  }
  return new ProxyAgent({ ...shared, uri: proxyUrl, requestTls: connect });
}

/**
 * Running requests and watches of an old identity may end by themselves; watches do within ten
 * minutes.
 */
function retire(pools: Pools, retired: Set<Pools>): void {
  retired.add(pools);
  const closing = Promise.allSettled([pools.requests.close(), pools.watches.close()]);
  void closing.then(() => retired.delete(pools));
}

/**
 * Runs `call` under the caller's signal and a deadline, and turns what the network throws into
 * `OperatingError`.
 */
async function withDeadline<A>(
  clock: Clock,
  timeout: Millis,
  signal: AbortSignal,
  call: (limit: AbortSignal) => Promise<A>,
): Promise<A> {
  signal.throwIfAborted();
  const limit = linked(signal);
  const cancel = clock.after(timeout, () =>
    limit.abort(new OperatingError('KUBERNETES_UNAVAILABLE', `no answer within ${timeout} ms`)),
  );
  try {
    return await call(limit.signal);
  } catch (error) {
    if (limit.signal.aborted) throw limit.signal.reason;
    throw isOperatingError(error) ? error : networkError(error);
  } finally {
    cancel();
    limit.unlink();
  }
}

/**
 * Only the code of a network error is repeated: messages of other layers may quote what was sent.
 */
function networkError(error: unknown): OperatingError {
  const code = codeOf(error) ?? codeOf((error as { cause?: unknown } | undefined)?.cause);
  const text = `the API server cannot be reached (${code ?? 'network error'})`;
  return new OperatingError('KUBERNETES_UNAVAILABLE', text, { cause: error });
}

const codeOf = (error: unknown): string | undefined => {
  const code = (error as { code?: unknown } | undefined)?.code;
  return typeof code === 'string' ? code : undefined;
};

/** `work`, unless `limit` comes first: an exec plugin that hangs must not outlive the deadline. */
async function settled<A>(work: Promise<A>, limit: AbortSignal): Promise<A> {
  const late = Promise.withResolvers<never>();
  const onAbort = () => late.reject(limit.reason as Error);
  limit.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    limit.removeEventListener('abort', onAbort);
  }
}

async function readJson(body: AsyncIterable<Buffer>, maxBytes: number): Promise<unknown> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    // Leaving the loop destroys the body and with it the connection.
    if (size > maxBytes) throw new OversizedAnswer(maxBytes);
    chunks.push(chunk);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8')) as unknown;
  } catch {
    return undefined;
  }
}

async function* readChunks(
  body: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
  onEnd: () => void,
): AsyncGenerator<Uint8Array> {
  try {
    yield* body;
  } catch (error) {
    throw signal.aborted ? signal.reason : networkError(error);
  } finally {
    onEnd();
  }
}

function pathWithQuery(access: Access, path: string, query: Query): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined) parameters.set(name, String(value));
  }
  const text = parameters.toString();
  return `${access.basePath}${path}${text === '' ? '' : `?${text}`}`;
}

function flatHeaders(
  headers: Readonly<Record<string, string | string[] | undefined>>,
): Record<string, string> {
  const flat: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) flat[name] = Array.isArray(value) ? value.join(', ') : value;
  }
  return flat;
}
