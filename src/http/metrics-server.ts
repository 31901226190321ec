import { createServer, type Server } from 'node:http';
import type { Registry } from 'prom-client';

export interface MetricsServerParts {
  readonly registry: Registry;
  /** Null when ready; else what is waited for. */
  readonly notReady: () => string | null;
  readonly port: number;
  readonly host?: string;
}

/**
 * `/metrics`, `/healthz` (the process answers) and `/readyz` (the caches are filled). Nothing else,
 * no input.
 */
export async function startMetricsServer(
  parts: MetricsServerParts,
): Promise<{ readonly server: Server; readonly port: number }> {
  const server = createServer((request, response) => {
    const path = (request.url ?? '/').split('?')[0];
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
    if (path !== '/metrics') return answer(404, 'here are /metrics, /healthz and /readyz\n');
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
