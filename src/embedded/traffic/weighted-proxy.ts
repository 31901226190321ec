import { Agent, createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Clock } from '../../lib/clock.ts';
import type { HttpFrontEnd } from '../http-server.ts';
import type { GatewayMetrics } from './gateway-metrics.ts';
import type { HttpPods } from './http-pods.ts';
import type { Backend, Endpoint, RoutingTable } from './routing-table.ts';
import { WeightedChoice } from './weighted-choice.ts';

export type ProxyParts = {
  readonly clock: Clock;
  readonly table: RoutingTable;
  readonly pods: HttpPods;
  readonly metrics: GatewayMetrics;
};

/** The data plane of the embedded gateway: forwards real HTTP by the weights of the routes. */
export async function serveProxy(parts: ProxyParts, port = 0): Promise<HttpFrontEnd> {
  const proxy = new WeightedProxy(parts);
  const http = createServer((incoming, answer) => proxy.forward(incoming, answer));
  http.keepAliveTimeout = 60_000;
  await new Promise<void>((resolve) => http.listen(port, '127.0.0.1', resolve));
  const { port: bound } = http.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${bound}`,
    close: () =>
      new Promise((resolve) => {
        proxy.close();
        http.close(() => resolve());
        http.closeAllConnections();
      }),
  };
}

class WeightedProxy {
  readonly #parts: ProxyParts;
  readonly #choices = new Map<string, WeightedChoice>();
  readonly #turns = new Map<string, number>();
  readonly #agent = new Agent({ keepAlive: true, maxFreeSockets: 16 });

  constructor(parts: ProxyParts) {
    this.#parts = parts;
  }

  close(): void {
    this.#agent.destroy();
  }

  forward(incoming: IncomingMessage, answer: ServerResponse): void {
    const host = (incoming.headers.host ?? '').split(':')[0] ?? '';
    const rule = this.#parts.table.find(host, (incoming.url ?? '/').split('?')[0] ?? '/');
    if (rule === undefined) return refuse(answer, 404);
    const key = `${rule.namespace}/${rule.route}/${rule.prefixes.join()}`;
    const choice = this.#choices.get(key) ?? new WeightedChoice();
    this.#choices.set(key, choice);
    const backend = choice.choose(rule.backends);
    if (backend === undefined) return refuse(answer, 503);
    const began = this.#parts.clock.monotonic();
    answer.once('finish', () => {
      const seconds = (this.#parts.clock.monotonic() - began) / 1000;
      this.#parts.metrics.record(backend.label, answer.statusCode, seconds);
    });
    if (!backend.exists) return refuse(answer, 500);
    this.#pass(incoming, answer, this.#nextEndpoint(backend));
  }

  #nextEndpoint(backend: Backend): Endpoint | undefined {
    const turn = this.#turns.get(backend.label) ?? 0;
    this.#turns.set(backend.label, turn + 1);
    return backend.endpoints[turn % backend.endpoints.length];
  }

  #pass(incoming: IncomingMessage, answer: ServerResponse, endpoint: Endpoint | undefined): void {
    if (endpoint === undefined) return refuse(answer, 503);
    const port = this.#parts.pods.portOf(endpoint.ip);
    if (port === undefined) return refuse(answer, 502);
    const onward = request(
      {
        host: '127.0.0.1',
        port,
        path: incoming.url,
        method: incoming.method,
        headers: incoming.headers,
        agent: this.#agent,
      },
      (reply) => {
        answer.writeHead(reply.statusCode ?? 502, reply.headers);
        reply.pipe(answer);
      },
    );
    onward.on('error', () => {
      if (answer.headersSent) answer.destroy();
      else refuse(answer, 502);
    });
    incoming.pipe(onward);
  }
}

function refuse(answer: ServerResponse, status: number): void {
  answer.writeHead(status, { 'content-type': 'text/plain' });
  answer.end(`${status}\n`);
}
