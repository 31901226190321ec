import { expect, test } from 'vitest';
import { fencedTransport } from '../../../src/kubernetes/fenced-transport.ts';
import type { KubernetesRequest } from '../../../src/kubernetes/transport.ts';
import { millis, seconds } from '../../../src/lib/units.ts';

const never = new AbortController().signal;

test.each<
  [method: KubernetesRequest['method'], left: number | undefined, timeout: number | 'refused']
>([
  ['PATCH', 8000, 8000],
  ['PATCH', 60_000, 10_000],
  ['POST', 500, 500],
  ['PATCH', 499, 'refused'],
  ['DELETE', 0, 'refused'],
  ['POST', undefined, 'refused'],
])('%s with %s ms of the term left: %s', async (method, left, timeout) => {
  const sent: KubernetesRequest[] = [];
  const transport = fencedTransport({
    transport: {
      request: (request) => {
        sent.push(request);
        return Promise.resolve({ status: 200, headers: {}, json: {} });
      },
      stream: () => Promise.reject(new Error('not asked for')),
    },
    leadership: () => (left === undefined ? undefined : { remaining: () => millis(left) }),
  });
  const outcome = await transport.request({ method, path: '/api/v1/x' }, never).then(
    () => sent[0]?.timeout,
    () => 'refused' as const,
  );
  expect([outcome, sent.length]).toEqual([timeout, timeout === 'refused' ? 0 : 1]);
});

test('a shorter timeout of the caller stays, and reads pass without a term', async () => {
  const sent: KubernetesRequest[] = [];
  const transport = fencedTransport({
    transport: {
      request: (request) => {
        sent.push(request);
        return Promise.resolve({ status: 200, headers: {}, json: {} });
      },
      stream: () => Promise.reject(new Error('not asked for')),
    },
    leadership: () => (sent.length === 0 ? { remaining: () => seconds(8) } : undefined),
  });
  await transport.request({ method: 'PATCH', path: '/a', timeout: seconds(2) }, never);
  await transport.request({ method: 'GET', path: '/b' }, never);
  expect(sent.map(({ path, timeout }) => [path, timeout])).toEqual([
    ['/a', 2000],
    ['/b', undefined],
  ]);
});
