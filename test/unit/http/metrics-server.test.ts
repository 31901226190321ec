import { Registry } from 'prom-client';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { startMetricsServer } from '../../../src/http/metrics-server.ts';

let waits: string | null;
let server: Awaited<ReturnType<typeof startMetricsServer>>;

beforeEach(async () => {
  waits = null;
  server = await startMetricsServer({
    registry: new Registry(),
    notReady: () => waits,
    polls: (key) => (key === 'shop/web.one' ? { revision: 'abc', polls: [] } : undefined),
    port: 0,
    host: '127.0.0.1',
  });
});
afterEach(() => {
  server.server.close();
});

const ask = (path: string, method = 'GET') =>
  fetch(`http://127.0.0.1:${server.port}${path}`, { method });

describe('polls of a rollout', () => {
  test('as JSON', async () => {
    const answer = await ask('/rollouts/shop/web.one/polls');
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-type')).toMatch(/^application\/json/);
    expect(await answer.json()).toEqual({ revision: 'abc', polls: [] });
  });

  test('of a rollout that is not known', async () => {
    const answer = await ask('/rollouts/shop/other/polls');
    expect(answer.status).toBe(404);
    expect(await answer.json()).toEqual({ message: 'no polls of shop/other are known here' });
  });

  test.each(['/rollouts/shop/polls', '/rollouts/shop/%22/polls', '/rollouts/shop/web/../polls'])(
    'not under %s',
    async (path) => {
      const answer = await ask(path);
      expect(answer.status).toBe(404);
      expect(await answer.text()).toMatch(/^here are \/metrics/);
    },
  );
});

test('nothing is written, and readiness is told with its reason', async () => {
  expect((await ask('/rollouts/shop/web.one/polls', 'POST')).status).toBe(405);
  waits = 'the caches are being filled';
  const answer = await ask('/readyz');
  expect([answer.status, await answer.text()]).toEqual([503, 'the caches are being filled\n']);
});
