import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fixedTest } from '../../../src/metric-sources/arms.ts';
import { parseSelector } from '../../../src/metric-sources/promql.ts';
import type { StoredSeries } from './rows.ts';

export type Answer = (request: IncomingMessage, response: ServerResponse, body: string) => void;

export interface StubPrometheus {
  readonly url: string;
  /** Queries received, oldest first. */
  readonly queries: { readonly text: string; readonly time: number; readonly bytes: number }[];
  readonly requests: IncomingMessage[];
  series: readonly StoredSeries[];
  /** Answers instead of the store while it is set. */
  answer: Answer | undefined;
  mostInFlight: number;
  close(): Promise<void>;
}

/** A server on loopback that answers range selectors from stored series as Prometheus does. */
export async function startStub(series: readonly StoredSeries[] = []): Promise<StubPrometheus> {
  let inFlight = 0;
  const server = createServer((request, response) => {
    inFlight += 1;
    stub.mostInFlight = Math.max(stub.mostInFlight, inFlight);
    response.once('close', () => {
      inFlight -= 1;
    });
    stub.requests.push(request);
    let body = '';
    request.setEncoding('utf8');
    request.on('data', (part: string) => {
      body += part;
    });
    request.on('end', () => {
      const form = new URLSearchParams(body);
      const text = form.get('query') ?? '';
      const time = Number(form.get('time'));
      stub.queries.push({ text, time, bytes: text.length });
      if (stub.answer === undefined) respond(response, 200, evaluate(stub.series, text, time));
      else stub.answer(request, response, body);
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const stub: StubPrometheus = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    queries: [],
    requests: [],
    series,
    answer: undefined,
    mostInFlight: 0,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
  return stub;
}

export function respond(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(typeof body === 'string' ? body : JSON.stringify(body));
}

export const success = (result: unknown, extra: Readonly<Record<string, unknown>> = {}) => ({
  status: 'success',
  data: { resultType: 'matrix', result },
  ...extra,
});

/**
 * `metric{…}[15000ms]` at a time, over stored series; a sample exactly at the left end is left out.
 */
export function evaluate(series: readonly StoredSeries[], text: string, time: number): unknown {
  const match = /^(.*)\[(\d+)ms(?::(\d+)ms)?\]$/s.exec(text);
  const selector = parseSelector(match?.[1] ?? '');
  if (match === null || !selector.ok)
    return { status: 'error', errorType: 'bad_data', error: text };
  const from = time - Number(match[2]) / 1000;
  const matches = fixedTest(selector.value.matchers);
  const result = series
    .filter(({ labels }) => labels['__name__'] === selector.value.metric && matches(labels))
    .map(({ labels, samples }) => ({
      metric: labels,
      values: samples
        .filter(([at]) => at > from && at <= time)
        .map(([at, value]) => [at, String(value)]),
    }))
    .filter(({ values }) => values.length > 0);
  return success(result);
}
