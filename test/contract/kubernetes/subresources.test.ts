import { describe, expect, test } from 'vitest';
import type { JsonObject } from '../../../src/embedded/json.ts';
import { at } from './client.ts';
import { contractCluster } from './cluster.ts';
import { aConfigMap, aDeployment, aReplicaSet, aRoute } from './objects.ts';

const cluster = contractCluster();
const deployments = () => `/apis/apps/v1/namespaces/${cluster.namespace}/deployments`;
const sets = () => `/apis/apps/v1/namespaces/${cluster.namespace}/replicasets`;
const routes = () =>
  `/apis/gateway.networking.k8s.io/v1/namespaces/${cluster.namespace}/httproutes`;
const idle = (name: string) =>
  cluster.api.post(deployments(), aDeployment(name, { spec: { replicas: 0, paused: true } }));
const condition = {
  type: 'Custom',
  status: 'True',
  reason: 'R',
  message: 'm',
  lastTransitionTime: '2026-01-01T00:00:00Z',
  lastUpdateTime: '2026-01-01T00:00:00Z',
};

describe('status', () => {
  test('changes status and ignores spec', async () => {
    await idle('state');
    const answer = await cluster.api.patch(`${deployments()}/state/status`, 'merge', {
      spec: { minReadySeconds: 9 },
      status: { conditions: [condition] },
    });
    expect(answer.status).toBe(200);
    expect(at(answer, 'spec.minReadySeconds')).toBeUndefined();
    expect((at(answer, 'status.conditions') as JsonObject[]).map((c) => c['type'])).toEqual([
      'Custom',
    ]);
  });

  test('raises no generation', async () => {
    const made = await idle('no-generation');
    const answer = await cluster.api.patch(`${deployments()}/no-generation/status`, 'merge', {
      status: { conditions: [condition] },
    });
    expect(at(answer, 'metadata.generation')).toBe(at(made, 'metadata.generation'));
  });

  test('is not changed through the main resource', async () => {
    await idle('through');
    const answer = await cluster.api.patch(`${deployments()}/through`, 'merge', {
      status: { conditions: [condition] },
      metadata: { labels: { a: 'b' } },
    });
    expect(
      ((at(answer, 'status.conditions') ?? []) as JsonObject[]).map((c) => c['type']),
    ).not.toContain('Custom');
    expect(at(answer, 'metadata.labels')).toEqual({ a: 'b' });
  });

  test('conditions merge by type in a strategic merge patch', async () => {
    await idle('by-type');
    await cluster.api.patch(`${deployments()}/by-type/status`, 'strategic', {
      status: { conditions: [condition] },
    });
    const answer = await cluster.api.patch(`${deployments()}/by-type/status`, 'strategic', {
      status: { conditions: [{ ...condition, type: 'Other' }] },
    });
    const types = (at(answer, 'status.conditions') as JsonObject[]).map((c) => c['type']);
    expect(types).toEqual(expect.arrayContaining(['Custom', 'Other']));
  });

  test('of an HTTPRoute leaves annotations alone', async () => {
    await cluster.api.post(routes(), aRoute('state', [{ name: 'a', port: 80 }]));
    const parent = {
      parentRef: { name: 'web' },
      controllerName: 'example.com/test',
      conditions: [{ ...condition, observedGeneration: 1, lastUpdateTime: undefined }],
    };
    const answer = await cluster.api.patch(`${routes()}/state/status`, 'merge', {
      metadata: { annotations: { a: 'b' } },
      status: { parents: [parent] },
    });
    expect(answer.status).toBe(200);
    expect(at(answer, 'metadata.annotations')).toBeUndefined();
    expect(at(answer, 'status.parents.0.controllerName')).toBe('example.com/test');
  });

  test('with a stale resourceVersion is 409', async () => {
    const made = await idle('stale');
    await cluster.api.patch(`${deployments()}/stale`, 'merge', {
      metadata: { labels: { a: 'b' } },
    });
    const answer = await cluster.api.patch(`${deployments()}/stale/status`, 'merge', {
      metadata: { resourceVersion: at(made, 'metadata.resourceVersion') },
      status: { conditions: [condition] },
    });
    expect(answer.status).toBe(409);
  });

  test('does not exist for a ConfigMap', async () => {
    const maps = `/api/v1/namespaces/${cluster.namespace}/configmaps`;
    await cluster.api.post(maps, aConfigMap('plain'));
    expect((await cluster.api.get(`${maps}/plain/status`)).status).toBe(404);
  });
});

describe('scale', () => {
  test('shows replicas and selector', async () => {
    await cluster.api.post(sets(), aReplicaSet('scale', 'scale', { spec: { replicas: 0 } }));
    await cluster.api.patch(`${sets()}/scale/scale`, 'merge', { spec: { replicas: 1 } });
    const answer = await cluster.api.get(`${sets()}/scale/scale`);
    expect(answer.body).toMatchObject({
      kind: 'Scale',
      apiVersion: 'autoscaling/v1',
      spec: { replicas: 1 },
    });
    expect(at(answer, 'status.selector')).toBe('app=scale,set=scale');
  });

  test('PUT changes the replicas of the workload and its generation', async () => {
    await idle('put-scale');
    const scale = await cluster.api.get(`${deployments()}/put-scale/scale`);
    const answer = await cluster.api.put(`${deployments()}/put-scale/scale`, {
      ...scale.body,
      metadata: { name: 'put-scale', namespace: cluster.namespace },
      spec: { replicas: 3 },
    });
    expect(at(answer, 'spec.replicas')).toBe(3);
    const workload = await cluster.api.get(`${deployments()}/put-scale`);
    expect(at(workload, 'spec.replicas')).toBe(3);
    expect(Number(at(workload, 'metadata.generation'))).toBeGreaterThanOrEqual(2);
  });

  test('with a stale resourceVersion is 409', async () => {
    await idle('stale-scale');
    const scale = await cluster.api.get(`${deployments()}/stale-scale/scale`);
    await cluster.api.patch(`${deployments()}/stale-scale`, 'merge', {
      metadata: { labels: { a: 'b' } },
    });
    expect(
      (
        await cluster.api.put(`${deployments()}/stale-scale/scale`, {
          ...scale.body,
          spec: { replicas: 3 },
        })
      ).status,
    ).toBe(409);
  });

  test('refuses a negative number', async () => {
    await idle('negative');
    expect(
      (
        await cluster.api.patch(`${deployments()}/negative/scale`, 'merge', {
          spec: { replicas: -1 },
        })
      ).status,
    ).toBe(422);
  });
});
