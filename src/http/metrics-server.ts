import { createServer, type Server } from 'node:http';
import type { Registry } from 'prom-client';

export interface MetricsServerParts {
  readonly registry: Registry;
  /** Null when ready; else what is waited for. */
  readonly notReady: () => string | null;
  /** The last polls of a rollout, as JSON; undefined when none are known. */
  readonly polls: (key: string) => object | undefined;
  readonly port: number;
  readonly host?: string;
}

const json = 'application/json; charset=utf-8';
/** Names as the API server allows them: nothing in an answer needs escaping. */
const pollsPath = /^\/rollouts\/([a-z0-9-]{1,63}\/[a-z0-9.-]{1,253})\/polls$/;
const places = '/metrics, /healthz, /readyz and /rollouts/NAMESPACE/NAME/polls';

/**
 * `/metrics`, `/healthz` (the process answers), `/readyz` (the caches are filled) and the last
 * polls of one rollout. Nothing can be changed here, and there is no other input.
 */
export async function startMetricsServer(
  parts: MetricsServerParts,
): Promise<{ readonly server: Server; readonly port: number }> {
  const server = createServer((request, response) => {
    const path = (request.url ?? '/').split('?')[0] ?? '/';
    const answer = (status: number, body: string, type = 'text/plain; charset=utf-8') => {
      response.writeHead(status, { 'content-type': type });
      response.end(request.method === 'HEAD' ? undefined : body);
    };
    if (request.method !== 'GET' && request.method !== 'HEAD') return answer(405, 'only GET\n');
    if (path === '/healthz') return answer(200, 'ok\n');
    if (path === '/readyz') {
      const waits = parts.notReady();
      return waits === null ? answer(200, 'ok\n') : answer(503, `${waits}\n`);
    }
    const key = pollsPath.exec(path)?.[1];
    if (key !== undefined) {
      const polls = parts.polls(key);
      return polls === undefined
        ? answer(404, `{"message":"no polls of ${key} are known here"}\n`, json)
        : answer(200, `${JSON.stringify(polls)}\n`, json);
    }
    if (path !== '/metrics') return answer(404, `here are ${places}\n`);
    parts.registry.metrics().then(
      (text) => answer(200, text, parts.registry.contentType),
      () => answer(500, 'the metrics could not be collected\n'),
    );
  });
  server.requestTimeout = 10_000;
  server.headersTimeout = 5000;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(parts.port, parts.host, resolve);
  });
  const address = server.address();
  return {
    server,
    port: typeof address === 'object' && address !== null ? address.port : parts.port,
  };
}
