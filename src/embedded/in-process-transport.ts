import type {
  KubernetesRequest,
  KubernetesResponse,
  KubernetesStream,
  KubernetesTransport,
  Query,
} from '../kubernetes/transport.ts';
import { type Clock, sleep } from '../lib/clock.ts';
import { OperatingError } from '../lib/errors.ts';
import { millis } from '../lib/units.ts';
import type { ApiServer } from './api-server.ts';
import { administrator, type User } from './authorization.ts';
import { ChunkQueue } from './chunk-queue.ts';
import { type ClientFaults, faultBody, type RequestFault } from './faults.ts';
import type { Json } from './json.ts';
import type { ApiRequest, ApiResponse, RequestQuery } from './request.ts';
import { Subscription } from './subscription.ts';

export type InProcessParts = {
  readonly server: ApiServer;
  readonly clock: Clock;
  /** Who asks; the administrator if absent. */
  readonly user?: User;
  readonly userAgent?: string;
  /** Time from a commit to its watch event at this client. */
  readonly watchLagMillis?: number;
  readonly faults?: ClientFaults;
};

const defaultTimeout = millis(10_000);
const unavailable = (message: string) => new OperatingError('KUBERNETES_UNAVAILABLE', message);
/** One for all: to note where it was made costs more than the request that is lost. */
const connectionLost = unavailable('the connection was lost');

/** The controller's transport, straight into the embedded server. Answers are frozen and shared. */
export function createInProcessTransport(parts: InProcessParts): KubernetesTransport {
  return {
    request: (request, signal) => perform(parts, request, signal),
    stream: (path, query, signal) => openStream(parts, path, query, signal),
  };
}

function toApiRequest(parts: InProcessParts, request: KubernetesRequest): ApiRequest {
  return {
    method: request.method,
    path: request.path,
    query: request.query === undefined ? noQuery : readerOf(request.query),
    user: parts.user ?? administrator,
    userAgent: parts.userAgent ?? 'haldane',
    contentType: request.contentType,
    body: request.body as Json | undefined,
  };
}

/** As the server would read it from a URL: each value as a text. */
const readerOf = (query: Query): RequestQuery => ({
  get: (key) => (query[key] === undefined ? null : String(query[key])),
  has: (key) => query[key] !== undefined,
});

const noQuery = readerOf({});

async function perform(
  parts: InProcessParts,
  request: KubernetesRequest,
  signal: AbortSignal,
): Promise<KubernetesResponse> {
  signal.throwIfAborted();
  const asked = toApiRequest(parts, request);
  const fault = parts.faults?.onRequest?.(asked);
  const timeout = request.timeout ?? defaultTimeout;
  const answer = await withFault(parts, asked, fault, timeout, signal);
  signal.throwIfAborted();
  return { status: answer.status, headers: answer.headers, json: answer.body };
}

async function withFault(
  { server, clock }: InProcessParts,
  asked: ApiRequest,
  fault: RequestFault | undefined,
  timeout: number,
  signal: AbortSignal,
): Promise<ApiResponse> {
  switch (fault?.kind) {
    case undefined:
      return server.handle(asked);
    case 'answer':
      return injected(fault.status, fault.retryAfterSeconds);
    case 'stale':
      return server.handle({ ...asked, view: fault.revision });
    case 'lose-request':
      break;
    case 'lose-answer':
      server.handle(asked);
      break;
    case 'slow-answer': {
      const answer = server.handle(asked);
      await sleep(clock, millis(Math.min(fault.millis, timeout)), signal);
      if (fault.millis >= timeout) throw unavailable('the answer came too late');
      return answer;
    }
    case 'slow-request': {
      await sleep(clock, millis(Math.min(fault.millis, timeout)), signal);
      if (fault.millis < timeout) return server.handle(asked);
      // The request is still under way although its client has given up.
      clock.after(millis(fault.millis - timeout), () => server.handle(asked));
      throw unavailable('the answer came too late');
    }
  }
  throw connectionLost;
}

const injected = (status: number, retryAfterSeconds: number | undefined): ApiResponse => ({
  status,
  body: faultBody(status),
  headers: retryAfterSeconds === undefined ? {} : { 'retry-after': String(retryAfterSeconds) },
});

async function openStream(
  parts: InProcessParts,
  path: string,
  query: Query,
  signal: AbortSignal,
): Promise<KubernetesStream> {
  signal.throwIfAborted();
  const asked = toApiRequest(parts, { method: 'GET', path, query });
  const fault = parts.faults?.onRequest?.(asked);
  if (fault?.kind === 'answer') return streamOf(injected(fault.status, fault.retryAfterSeconds));
  if (fault?.kind === 'lose-request' || fault?.kind === 'lose-answer') throw connectionLost;
  let opened: Subscription | undefined;
  const queue = new ChunkQueue(() => opened?.cancel());
  const { faults, watchLagMillis: lagMillis } = parts;
  const started = parts.server.watch(
    asked,
    {
      event: (type, object) => queue.push({ parsed: { type, object } }),
      end: () => queue.end(),
    },
    {
      ...(lagMillis === undefined ? {} : { lagMillis }),
      ...(faults?.onEvent === undefined ? {} : { fault: faults.onEvent }),
    },
  );
  if (!(started instanceof Subscription)) return streamOf(started);
  opened = started;
  signal.addEventListener(
    'abort',
    () => {
      started.cancel();
      queue.fail(signal.reason as Error);
    },
    { once: true },
  );
  return { status: 200, headers: { 'content-type': 'application/json' }, chunks: queue };
}

function streamOf(answer: ApiResponse): KubernetesStream {
  const queue = new ChunkQueue(() => {});
  queue.push({ parsed: answer.body });
  queue.end();
  return { status: answer.status, headers: answer.headers, chunks: queue };
}
