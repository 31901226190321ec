import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { parse } from 'yaml';
import type { ApiServer } from './api-server.ts';
import { anonymous, type User } from './authorization.ts';
import type { Json } from './json.ts';
import { type ApiRequest, type ApiResponse, isWatch, type Method } from './request.ts';
import { ApiFailure, statusBody } from './status.ts';
import { Subscription } from './subscription.ts';

export type HttpFrontEnd = {
  /** `http://127.0.0.1:port` */
  readonly url: string;
  close(): Promise<void>;
};

const largestBody = 3 * 1024 * 1024;

export type HttpOptions = {
  /** A free one if absent. */
  readonly port?: number;
  /**
   * Who asks without a token: kubectl sends none over plain HTTP. Nobody in particular if absent.
   */
  readonly withoutToken?: User;
};

/** Serves the embedded API server to kubectl and other programs, on loopback only. */
export async function serveHttp(
  server: ApiServer,
  options: HttpOptions = {},
): Promise<HttpFrontEnd> {
  const http = createServer((incoming, answer) => {
    respond(server, incoming, answer, options.withoutToken ?? anonymous).catch((error: unknown) => {
      if (!answer.headersSent) answer.writeHead(500);
      answer.end(String(error));
    });
  });
  http.keepAliveTimeout = 60_000;
  await new Promise<void>((resolve, reject) => {
    http.once('error', reject);
    http.listen(options.port ?? 0, '127.0.0.1', resolve);
  });
  const { port: bound } = http.address() as AddressInfo;
  return { url: `http://127.0.0.1:${bound}`, close: () => closeServer(http) };
}

function closeServer(http: Server): Promise<void> {
  return new Promise((resolve) => {
    http.close(() => resolve());
    http.closeAllConnections();
  });
}

async function respond(
  server: ApiServer,
  incoming: IncomingMessage,
  answer: ServerResponse,
  withoutToken: User,
): Promise<void> {
  const url = new URL(incoming.url ?? '/', 'http://localhost');
  const user = userOf(server, incoming, withoutToken);
  if (user === undefined)
    return send(answer, {
      status: 401,
      headers: {},
      body: statusBody(new ApiFailure(401, 'Unauthorized', 'Unauthorized')),
    });
  const base = {
    method: (incoming.method ?? 'GET') as Method,
    path: url.pathname,
    query: url.searchParams,
    user,
    userAgent: incoming.headers['user-agent'] ?? '',
    contentType: incoming.headers['content-type'],
    accept: incoming.headers.accept,
  };
  if (base.method === 'GET' && isWatch(url.searchParams)) return watch(server, base, answer);
  const read = await readBody(incoming, base.contentType);
  if ('refused' in read)
    return send(answer, { status: read.refused.code, headers: {}, body: statusBody(read.refused) });
  send(answer, server.handle({ ...base, body: read.body }));
}

/** The user of a bearer token; nobody for a token that is not known. */
function userOf(
  server: ApiServer,
  incoming: IncomingMessage,
  withoutToken: User,
): User | undefined {
  const header = incoming.headers.authorization;
  if (header === undefined) return withoutToken;
  return server.tokens.userOf(header.replace(/^Bearer\s+/i, ''));
}

type Read = { readonly body: Json | undefined } | { readonly refused: ApiFailure };

async function readBody(incoming: IncomingMessage, contentType = ''): Promise<Read> {
  const pieces: Buffer[] = [];
  let size = 0;
  for await (const piece of incoming as AsyncIterable<Buffer>) {
    size += piece.length;
    if (size > largestBody)
      return {
        refused: new ApiFailure(
          413,
          'RequestEntityTooLarge',
          `Request entity too large: limit is ${largestBody}`,
        ),
      };
    pieces.push(piece);
  }
  if (size === 0) return { body: undefined };
  if (/protobuf|cbor/.test(contentType))
    return {
      refused: new ApiFailure(
        415,
        'UnsupportedMediaType',
        'the embedded server takes JSON and YAML only',
      ),
    };
  const text = Buffer.concat(pieces).toString('utf8');
  try {
    return { body: (contentType.includes('yaml') ? parse(text) : JSON.parse(text)) as Json };
  } catch (error) {
    return {
      refused: new ApiFailure(
        400,
        'BadRequest',
        `the body of the request cannot be read: ${String(error)}`,
      ),
    };
  }
}

function send(answer: ServerResponse, { status, headers, body }: ApiResponse): void {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  answer.writeHead(status, {
    'content-type': typeof body === 'string' ? 'text/plain' : 'application/json',
    'content-length': Buffer.byteLength(text),
    ...headers,
  });
  answer.end(text);
}

function watch(server: ApiServer, request: ApiRequest, answer: ServerResponse): void {
  const begin = () => {
    if (answer.headersSent) return;
    answer.writeHead(200, { 'content-type': 'application/json', 'transfer-encoding': 'chunked' });
    answer.flushHeaders();
  };
  const started = server.watch(request, {
    event: (type, object) => {
      begin();
      answer.write(`${JSON.stringify({ type, object })}\n`);
    },
    end: () => answer.end(),
  });
  if (!(started instanceof Subscription)) return send(answer, started);
  begin();
  answer.on('close', () => started.cancel());
}

/** A kubeconfig for this server. */
export function kubeconfigFor(url: string, token: string): string {
  return JSON.stringify(
    {
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': 'embedded',
      clusters: [{ name: 'embedded', cluster: { server: url, 'insecure-skip-tls-verify': true } }],
      users: [{ name: 'embedded', user: { token } }],
      contexts: [
        {
          name: 'embedded',
          context: { cluster: 'embedded', user: 'embedded', namespace: 'default' },
        },
      ],
    },
    undefined,
    2,
  );
}
