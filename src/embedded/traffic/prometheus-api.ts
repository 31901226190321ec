import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Clock } from '../../lib/clock.ts';
import type { HttpFrontEnd } from '../http-server.ts';
import { parseSelectorQuery, type SelectorQuery } from './selector-query.ts';
import type { Point, Series, TimeSeriesStore } from './time-series.ts';

export type PrometheusParts = { readonly store: TimeSeriesStore; readonly clock: Clock };
export type QueryAnswer = { readonly status: number; readonly body: unknown };

/** How far back an instant looks for the newest sample of a series. */
const lookbackMillis = 300_000;

/**
 * `/api/v1/query` for range selectors, as Prometheus answers them: raw samples in (time − window,
 * time], or with a resolution the newest sample at each step. Anything else is refused as bad_data.
 */
export function answerQuery({ store, clock }: PrometheusParts, form: URLSearchParams): QueryAnswer {
  const query = parseSelectorQuery(form.get('query') ?? '');
  if (query === undefined)
    return refuse('only range selectors such as m{label="x"}[60s] are answered here');
  const at = readTime(form.get('time'), clock.now());
  if (at === undefined) return refuse('cannot parse the parameter "time"');
  const result = evaluate(store, query, at).map(({ labels, points }) => ({
    metric: labels,
    values: points.map(([time, value]) => [time / 1000, String(value)]),
  }));
  return { status: 200, body: { status: 'success', data: { resultType: 'matrix', result } } };
}

const refuse = (error: string): QueryAnswer => ({
  status: 400,
  body: { status: 'error', errorType: 'bad_data', error },
});

function evaluate(store: TimeSeriesStore, query: SelectorQuery, at: number): readonly Series[] {
  const from = at - query.windowMillis;
  const step = query.resolutionMillis;
  if (step === undefined) return store.select(query.fits, from, at);
  return store
    .select(query.fits, from - lookbackMillis, at)
    .map(({ labels, points }) => ({ labels, points: resampled(points, from, at, step) }))
    .filter(({ points }) => points.length > 0);
}

/** The newest sample at every multiple of the step inside (from, to]. */
function resampled(points: readonly Point[], from: number, to: number, step: number): Point[] {
  const result: Point[] = [];
  let next = 0;
  for (let at = Math.floor(from / step) * step + step; at <= to; at += step) {
    while (next < points.length && (points[next]?.[0] ?? 0) <= at) next += 1;
    const newest = points[next - 1];
    if (newest !== undefined && at - newest[0] < lookbackMillis) result.push([at, newest[1]]);
  }
  return result;
}

/** Seconds since the epoch, or RFC 3339. */
function readTime(text: string | null, now: number): number | undefined {
  if (text === null || text === '') return now;
  const seconds = Number(text);
  return Number.isFinite(seconds) ? seconds * 1000 : undefined;
}

const largestForm = 256 * 1024;

/** Serves the query API on loopback. */
export async function servePrometheus(parts: PrometheusParts, port = 0): Promise<HttpFrontEnd> {
  const http = createServer((incoming, answer) => {
    const url = new URL(incoming.url ?? '/', 'http://localhost');
    const send = ({ status, body }: QueryAnswer) => {
      answer.writeHead(status, { 'content-type': 'application/json' });
      answer.end(JSON.stringify(body));
    };
    if (url.pathname !== '/api/v1/query') return send({ status: 404, body: { status: 'error' } });
    if (incoming.method === 'GET') return send(answerQuery(parts, url.searchParams));
    readForm(incoming).then(
      (form) => send(answerQuery(parts, form)),
      () => send(refuse('the form cannot be read')),
    );
  });
  await new Promise<void>((resolve) => http.listen(port, '127.0.0.1', resolve));
  const { port: bound } = http.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${bound}`,
    close: () =>
      new Promise((resolve) => {
        http.close(() => resolve());
        http.closeAllConnections();
      }),
  };
}

async function readForm(incoming: IncomingMessage): Promise<URLSearchParams> {
  let text = '';
  for await (const piece of incoming as AsyncIterable<Buffer>) {
    text += piece.toString('utf8');
    if (text.length > largestForm) throw new Error('the form is too large');
  }
  return new URLSearchParams(text);
}
