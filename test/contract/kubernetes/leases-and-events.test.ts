import { describe, expect, test } from 'vitest';
import type { JsonObject } from '../../../src/embedded/json.ts';
import { at } from './client.ts';
import { contractCluster } from './cluster.ts';
import { aLease } from './objects.ts';

const cluster = contractCluster();
const leases = () => `/apis/coordination.k8s.io/v1/namespaces/${cluster.namespace}/leases`;
const events = () => `/api/v1/namespaces/${cluster.namespace}/events`;

const anEvent = (name: string, more: JsonObject = {}): JsonObject => ({
  apiVersion: 'v1',
  kind: 'Event',
  metadata: { name },
  involvedObject: {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    name: 'web',
    namespace: cluster.namespace,
  },
  reason: 'Tested',
  message: 'for the contract',
  type: 'Normal',
  count: 1,
  source: { component: 'contract' },
  firstTimestamp: '2026-01-01T00:00:00Z',
  lastTimestamp: '2026-01-01T00:00:00Z',
  ...more,
});

describe('lease', () => {
  test('keeps six fractional digits', async () => {
    const made = await cluster.api.post(
      leases(),
      aLease('micro', { spec: { renewTime: '2026-01-01T00:00:00.123456Z' } }),
    );
    expect([made.status, at(made, 'spec.renewTime')]).toEqual([201, '2026-01-01T00:00:00.123456Z']);
  });

  test('refuses a time that is none', async () => {
    expect(
      (await cluster.api.post(leases(), aLease('garbage', { spec: { renewTime: 'yesterday' } })))
        .status,
    ).toBe(400);
  });

  const fractions: readonly [time: string, status: number][] = [
    ['2026-01-01T00:00:00.123Z', 400],
    ['2026-01-01T00:00:00Z', 400],
    ['2026-01-01T00:00:00.1234567Z', 400],
    ['2026-01-01T01:00:00.123456+01:00', 201],
  ];
  test.each(fractions)('renewTime %s', async (renewTime, status) => {
    const made = await cluster.api.post(
      leases(),
      aLease('fraction', {
        metadata: { name: null, generateName: 'fraction-' },
        spec: { renewTime },
      }),
    );
    expect(made.status).toBe(status);
  });

  test('is taken over by compare-and-swap only', async () => {
    const made = await cluster.api.post(leases(), aLease('race'));
    const take = (holderIdentity: string) =>
      cluster.api.patch(`${leases()}/race`, 'merge', {
        metadata: { resourceVersion: at(made, 'metadata.resourceVersion') },
        spec: { holderIdentity },
      });
    expect([(await take('b')).status, (await take('c')).status]).toEqual([200, 409]);
    expect(at(await cluster.api.get(`${leases()}/race`), 'spec.holderIdentity')).toBe('b');
  });

  test('cannot be replaced without a resourceVersion', async () => {
    await cluster.api.post(leases(), aLease('blind'));
    expect((await cluster.api.put(`${leases()}/blind`, aLease('blind'))).status).toBe(422);
  });

  test('has a positive duration', async () => {
    expect(
      (await cluster.api.post(leases(), aLease('short', { spec: { leaseDurationSeconds: 0 } })))
        .status,
    ).toBe(422);
  });

  test('is let go with an empty holder or with none', async () => {
    await cluster.api.post(leases(), aLease('let-go'));
    const patch = (holderIdentity: string | null) =>
      cluster.api.patch(`${leases()}/let-go`, 'merge', { spec: { holderIdentity } });
    expect([(await patch('')).status, (await patch(null)).status]).toEqual([200, 200]);
  });

  test('may have no holder', async () => {
    const made = await cluster.api.post(
      leases(),
      aLease('free', { spec: { holderIdentity: null } }),
    );
    expect(made.status).toBe(201);
    expect(at(made, 'spec.holderIdentity')).toBeUndefined();
  });
});

describe('event', () => {
  test('is created and counted up by a patch', async () => {
    expect((await cluster.api.post(events(), anEvent('counted'))).status).toBe(201);
    const patched = await cluster.api.patch(`${events()}/counted`, 'merge', {
      count: 2,
      lastTimestamp: '2026-01-01T00:01:00Z',
    });
    expect([patched.status, at(patched, 'count'), at(patched, 'lastTimestamp')]).toEqual([
      200,
      2,
      '2026-01-01T00:01:00Z',
    ]);
  });

  test('about an object of another namespace is refused', async () => {
    const answer = await cluster.api.post(
      events(),
      anEvent('foreign', {
        involvedObject: { kind: 'Deployment', name: 'web', namespace: 'elsewhere' },
      }),
    );
    expect(answer.status).toBe(422);
  });

  test('is found by what it is about', async () => {
    await cluster.api.post(
      events(),
      anEvent('found', {
        involvedObject: { kind: 'Deployment', name: 'sought', namespace: cluster.namespace },
      }),
    );
    const list = await cluster.api.get(events(), {
      fieldSelector: `involvedObject.name=sought,involvedObject.kind=Deployment`,
    });
    expect((at(list, 'items') as JsonObject[]).map((item) => at(item, 'metadata.name'))).toEqual([
      'found',
    ]);
  });

  test('is the same object under events.k8s.io', async () => {
    await cluster.api.post(events(), anEvent('twofold'));
    const answer = await cluster.api.get(
      `/apis/events.k8s.io/v1/namespaces/${cluster.namespace}/events/twofold`,
    );
    expect(answer.body).toMatchObject({
      apiVersion: 'events.k8s.io/v1',
      note: 'for the contract',
      regarding: { name: 'web' },
      reason: 'Tested',
      deprecatedCount: 1,
    });
  });
});
