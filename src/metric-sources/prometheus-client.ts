import { readFile } from 'node:fs/promises';
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { type AxiosInstance, create as createHttp, isAxiosError } from 'axios';
import type { Clock } from '../lib/clock.ts';
import type { Instant } from '../lib/units.ts';
import type { SourceConfig } from '../spec/config.ts';
import { type Matrix, parseAnswer } from './answer.ts';
import { type Unusable, unusable } from './metric-source.ts';

/** Longest answer that is read, in bytes. */
export const answerLimit = 1024 * 1024;
/** Difference between the source's clock and ours beyond which samples cannot be dated. */
const longestSkew = 5000;
/** A bearer token is a line of text; anything larger is not one. */
const tokenLimit = 16 * 1024;

export interface PrometheusClientOptions {
  readonly config: SourceConfig;
  readonly clock: Clock;
}

export interface QueryAnswer {
  readonly bytes: number;
  readonly matrix: Matrix;
}

/**
 * One instant query by POST: bounded in time and bytes, no redirect, no proxy of the environment,
 * no compression (which would hide the true size), and nothing of an answer repeated but its
 * errorType.
 */
export interface PrometheusClient {
  query(text: string, at: Instant, signal: AbortSignal): Promise<QueryAnswer | Unusable>;
  close(): void;
}

export async function createPrometheusClient({
  config,
  clock,
}: PrometheusClientOptions): Promise<PrometheusClient> {
  const agents = await createAgents(config);
  const http = createHttp({
    baseURL: config.url.replace(/\/+$/, ''),

    proxy: false,
    maxRedirects: 0,
    maxContentLength: answerLimit,
    maxBodyLength: 64 * 1024,
    decompress: false,
    responseType: 'text',
    transformResponse: [(body: unknown) => body],
    validateStatus: () => true,
    ...agents,
  });
  return {
    query: (text, at, signal) => send({ http, config, clock }, text, at, signal),
    close: () => {
      agents.httpAgent.destroy();
      agents.httpsAgent.destroy();
    },
  };
}

async function createAgents(config: SourceConfig) {
  const pool = { keepAlive: true, maxSockets: config.maxInFlight, timeout: config.timeout };
  const read = (file: string | undefined) => (file === undefined ? undefined : readFile(file));
  const [ca, cert, key] = await Promise.all([
    read(config.caFile),
    read(config.certFile),
    read(config.keyFile),
  ]);
  const tls = {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(config.serverName === undefined ? {} : { servername: config.serverName }),
  };
  return { httpAgent: new HttpAgent(pool), httpsAgent: new HttpsAgent({ ...pool, ...tls }) };
}

interface Sender {
  readonly http: AxiosInstance;
  readonly config: SourceConfig;
  readonly clock: Clock;
}

async function send(
  { http, config, clock }: Sender,
  text: string,
  at: Instant,
  signal: AbortSignal,
): Promise<QueryAnswer | Unusable> {
  if (signal.aborted) return unusable('cancelled', 'stopped before the query was sent');
  const token = await readToken(config.bearerTokenFile);
  if (typeof token === 'object') return token;
  const body = new URLSearchParams({ query: text, time: String(at / 1000) });
  const deadline = AbortSignal.timeout(config.timeout);
  try {
    const { status, data, headers } = await http.post<unknown>('/api/v1/query', body.toString(), {
      signal: AbortSignal.any([signal, deadline]),
      headers: headersFor(config, token),
    });
    const skew = skewOf(headers['date'], clock.now());
    if (headers['content-encoding'] !== undefined && headers['content-encoding'] !== 'identity') {
      return unusable('malformed', 'a compressed answer, which was not asked for');
    }
    const answer = typeof data === 'string' ? data : '';
    const matrix = parseAnswer(status, answer);
    if (matrix.kind === 'unusable') return matrix;
    return skew ?? { bytes: answer.length, matrix };
  } catch (error) {
    return refusalOf(error, signal, deadline);
  }
}

function headersFor(config: SourceConfig, token: string | undefined): Record<string, string> {
  return {
    accept: 'application/json',
    'accept-encoding': 'identity',
    'content-type': 'application/x-www-form-urlencoded',
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    ...(config.tenant === undefined ? {} : { 'x-scope-orgid': config.tenant }),
  };
}

async function readToken(file: string | undefined): Promise<string | undefined | Unusable> {
  if (file === undefined) return undefined;
  try {
    const token = (await readFile(file, 'utf8')).trim();
    if (/^[\x21-\x7e]+$/.test(token) && token.length <= tokenLimit) return token;
    return unusable('secret-unreadable', 'the bearer token file holds no token');
  } catch {
    return unusable('secret-unreadable', 'the bearer token file cannot be read');
  }
}

/** The `Date` header has whole seconds: half of one is added to the middle. */
function skewOf(header: unknown, now: Instant): Unusable | undefined {
  if (typeof header !== 'string') return undefined;
  const theirs = Date.parse(header);
  if (!Number.isFinite(theirs)) return undefined;
  const skew = theirs + 500 - now;
  if (Math.abs(skew) <= longestSkew + 500) return undefined;
  const seconds = Math.round(Math.abs(skew) / 1000);
  return unusable(
    'clock-skew',
    `the source's clock is ${seconds} s ${skew > 0 ? 'ahead' : 'behind'}`,
  );
}

function refusalOf(error: unknown, signal: AbortSignal, deadline: AbortSignal): Unusable {
  if (signal.aborted) return unusable('cancelled', 'stopped while waiting for the answer');
  if (deadline.aborted) return unusable('timeout', 'no whole answer in time');
  if (isAxiosError(error)) {
    if (/maxContentLength/.test(error.message)) {
      return unusable('too-large', `an answer over ${answerLimit} bytes`);
    }
    return unusable('unreachable', `no connection: ${(error.code ?? 'unknown').slice(0, 60)}`);
  }
  return unusable('unreachable', 'no connection');
}
