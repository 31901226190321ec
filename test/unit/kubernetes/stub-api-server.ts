import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { KubeConfig } from '@kubernetes/client-node';
import { createCredentials } from '../../../src/kubernetes/credentials.ts';
import { createHttpTransport, type HttpTransport } from '../../../src/kubernetes/http-transport.ts';
import { systemClock } from '../../../src/lib/clock.ts';
import type { Millis } from '../../../src/lib/units.ts';

export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

/**
 * Plays an API server on the loopback interface. `answer` decides about every request, faults
 * included.
 */
export type Answer = (request: SeenRequest, response: ServerResponse) => void | Promise<void>;

export interface StubApiServer {
  readonly url: string;
  readonly requests: readonly SeenRequest[];
  readonly connections: () => number;
  /** Replaces the behaviour from the next request on. */
  readonly answerWith: (answer: Answer) => void;
  /** Cuts every connection, as a crash does. */
  readonly cutConnections: () => void;
  readonly transport: (options?: {
    readonly timeout?: Millis;
    readonly maxResponseBytes?: number;
  }) => HttpTransport;
  readonly close: () => Promise<void>;
}

export async function startStubApiServer(first: Answer): Promise<StubApiServer> {
  let answer = first;
  let opened = 0;
  const requests: SeenRequest[] = [];
  const sockets = new Set<Socket>();
  const transports: HttpTransport[] = [];
  const server: Server = createServer((incoming, response) => {
    void readBody(incoming).then((body) => {
      const url = new URL(incoming.url ?? '/', 'http://stub');
      const seen: SeenRequest = {
        method: incoming.method ?? '',
        path: url.pathname,
        query: url.searchParams,
        headers: incoming.headers,
        body,
      };
      requests.push(seen);
      return answer(seen, response);
    });
  });
  server.on('connection', (socket) => {
    opened += 1;
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    requests,
    connections: () => opened,
    answerWith: (next) => {
      answer = next;
    },
    cutConnections: () => {
      for (const socket of sockets) socket.resetAndDestroy();
    },
    transport: (options = {}) => {
      const credentials = createCredentials({ load: () => kubeConfigFor(url), clock: systemClock });
      const transport = createHttpTransport({ credentials, clock: systemClock, ...options });
      transports.push(transport);
      return transport;
    },
    close: async () => {
      await Promise.all(transports.map((transport) => transport.close()));
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

export function kubeConfigFor(server: string, token = 'secret-token'): KubeConfig {
  const config = new KubeConfig();
  config.loadFromClusterAndUser(
    { name: 'stub', server, skipTLSVerify: false },
    { name: 'me', token },
  );
  return config;
}

export function sendJson(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(JSON.stringify(body));
}

/** A `Status` as the API server sends it. */
export const statusBody = (code: number, reason: string, message: string, details?: object) => ({
  kind: 'Status',
  apiVersion: 'v1',
  status: 'Failure',
  code,
  reason,
  message,
  ...(details === undefined ? {} : { details }),
});

async function readBody(incoming: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}
