import { describe, expect, test } from 'vitest';
import { compareText } from '../../../src/embedded/controllers/objects.ts';
import type { JsonObject } from '../../../src/embedded/json.ts';
import { type Answer, at } from './client.ts';
import { contractCluster } from './cluster.ts';
import { aConfigMap, aDeployment, aService } from './objects.ts';

const cluster = contractCluster();
const maps = () => `/api/v1/namespaces/${cluster.namespace}/configmaps`;
const deployments = () => `/apis/apps/v1/namespaces/${cluster.namespace}/deployments`;
const services = () => `/api/v1/namespaces/${cluster.namespace}/services`;

const config = (name: string, data: JsonObject): JsonObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name },
  data,
});
const owned = (answer: Answer, manager: string) =>
  (at(answer, 'metadata.managedFields') as JsonObject[]).find(
    (entry) => entry['manager'] === manager,
  );

describe('server-side apply', () => {
  test('creates with 201, then changes with 200', async () => {
    const first = await cluster.api.apply(`${maps()}/new`, config('new', { a: '1' }), 'one');
    const second = await cluster.api.apply(`${maps()}/new`, config('new', { a: '2' }), 'one');
    expect([first.status, second.status]).toEqual([201, 200]);
    expect(at(second, 'data')).toEqual({ a: '2' });
  });

  test('without a fieldManager is refused', async () => {
    const answer = await cluster.api.patch(`${maps()}/nameless`, 'apply', config('nameless', {}));
    expect([400, 422]).toContain(answer.status);
  });

  test('records who owns what', async () => {
    const answer = await cluster.api.apply(`${maps()}/owners`, config('owners', { a: '1' }), 'one');
    expect(owned(answer, 'one')).toMatchObject({
      operation: 'Apply',
      apiVersion: 'v1',
      fieldsType: 'FieldsV1',
      fieldsV1: { 'f:data': { 'f:a': {} } },
    });
  });

  test('fields left out are removed, those of others stay', async () => {
    await cluster.api.apply(`${maps()}/shrink`, config('shrink', { a: '1', b: '2' }), 'one');
    await cluster.api.apply(`${maps()}/shrink`, config('shrink', { c: '3' }), 'two');
    const answer = await cluster.api.apply(`${maps()}/shrink`, config('shrink', { a: '1' }), 'one');
    expect(at(answer, 'data')).toEqual({ a: '1', c: '3' });
  });

  test('a field that two own goes only when both let go', async () => {
    await cluster.api.apply(`${maps()}/shared`, config('shared', { a: '1', x: '0' }), 'one');
    await cluster.api.apply(`${maps()}/shared`, config('shared', { a: '1', y: '0' }), 'two');
    const first = await cluster.api.apply(`${maps()}/shared`, config('shared', { x: '0' }), 'one');
    expect(at(first, 'data.a')).toBe('1');
    const second = await cluster.api.apply(`${maps()}/shared`, config('shared', { y: '0' }), 'two');
    expect(at(second, 'data.a')).toBeUndefined();
  });

  test('another value of a field of somebody else is a conflict', async () => {
    await cluster.api.apply(`${maps()}/fight`, config('fight', { a: '1' }), 'one');
    const answer = await cluster.api.apply(`${maps()}/fight`, config('fight', { a: '2' }), 'two');
    expect(answer.status).toBe(409);
    expect(answer.body).toMatchObject({
      reason: 'Conflict',
      details: {
        causes: [
          { reason: 'FieldManagerConflict', message: 'conflict with "one"', field: '.data.a' },
        ],
      },
    });
  });

  test('force takes the field over', async () => {
    await cluster.api.apply(`${maps()}/force`, config('force', { a: '1' }), 'one');
    const answer = await cluster.api.apply(`${maps()}/force`, config('force', { a: '2' }), 'two', {
      force: 'true',
    });
    expect(at(answer, 'data.a')).toBe('2');
    expect(owned(answer, 'one')).toBeUndefined();
  });

  test('the same value as somebody else is no conflict', async () => {
    await cluster.api.apply(`${maps()}/agree`, config('agree', { a: '1' }), 'one');
    expect(
      (await cluster.api.apply(`${maps()}/agree`, config('agree', { a: '1' }), 'two')).status,
    ).toBe(200);
  });

  test('an ordinary write takes ownership without asking', async () => {
    await cluster.api.apply(`${maps()}/taken`, config('taken', { a: '1' }), 'one');
    await cluster.api.patch(
      `${maps()}/taken`,
      'merge',
      { data: { a: '2' } },
      { fieldManager: 'patcher' },
    );
    const answer = await cluster.api.apply(`${maps()}/taken`, config('taken', { a: '1' }), 'one');
    expect(answer.status).toBe(409);
    expect(at(answer, 'details.causes.0.message')).toMatch(/conflict with "patcher" using v1/);
  });

  test('the same configuration again changes no resourceVersion', async () => {
    const first = await cluster.api.apply(`${maps()}/still`, config('still', { a: '1' }), 'one');
    const second = await cluster.api.apply(`${maps()}/still`, config('still', { a: '1' }), 'one');
    expect(at(second, 'metadata.resourceVersion')).toBe(at(first, 'metadata.resourceVersion'));
  });

  test('containers merge by name', async () => {
    const base = aDeployment('merge', { spec: { replicas: 0, paused: true } });
    await cluster.api.apply(`${deployments()}/merge`, base, 'one');
    const sidecar = {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'merge' },
      spec: { template: { spec: { containers: [{ name: 'side', image: 's:1' }] } } },
    };
    const answer = await cluster.api.apply(`${deployments()}/merge`, sidecar, 'two');
    expect(
      (at(answer, 'spec.template.spec.containers') as JsonObject[])
        .map((c) => String(c['name']))
        .sort(compareText),
    ).toEqual(['side', 'web']);
  });

  test('a field that nobody owns is left alone by those who do not name it', async () => {
    await cluster.api.apply(
      `${deployments()}/free`,
      aDeployment('free', { spec: { replicas: 0, minReadySeconds: 1 } }),
      'one',
    );
    await cluster.api.patch(
      `${deployments()}/free`,
      'merge',
      { spec: { paused: true } },
      { fieldManager: 'canary' },
    );
    const answer = await cluster.api.apply(
      `${deployments()}/free`,
      aDeployment('free', { spec: { replicas: 0, minReadySeconds: 2 } }),
      'one',
    );
    expect(at(answer, 'spec.paused')).toBe(true);
  });

  test('the selector of a Service is owned as a whole: forced apply drops our pin', async () => {
    const service = aService('pinned', {
      spec: { ports: [{ port: 80, targetPort: 8080, protocol: 'TCP' }] },
    });
    await cluster.api.apply(`${services()}/pinned`, service, 'flux');
    await cluster.api.patch(
      `${services()}/pinned`,
      'merge',
      { spec: { selector: { 'pod-template-hash': 'x' } } },
      { fieldManager: 'canary' },
    );
    const refused = await cluster.api.apply(`${services()}/pinned`, service, 'flux');
    expect(refused.status).toBe(409);
    expect(at(refused, 'details.causes.0.field')).toBe('.spec.selector');
    const forced = await cluster.api.apply(`${services()}/pinned`, service, 'flux', {
      force: 'true',
    });
    expect(at(forced, 'spec.selector')).toEqual({ app: 'pinned' });
  });

  test('applying the status subresource owns status only', async () => {
    const route = { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'state' } };
    await cluster.api.post(
      deployments(),
      aDeployment('state', { spec: { replicas: 0, paused: true } }),
    );
    const condition = {
      type: 'Custom',
      status: 'True',
      reason: 'R',
      message: 'm',
      lastTransitionTime: '2026-01-01T00:00:00Z',
      lastUpdateTime: '2026-01-01T00:00:00Z',
    };
    const answer = await cluster.api.apply(
      `${deployments()}/state/status`,
      { ...route, spec: { replicas: 9 }, status: { conditions: [condition] } },
      'reporter',
    );
    expect(answer.status).toBe(200);
    expect(at(answer, 'spec.replicas')).toBe(0);
    expect((at(answer, 'status.conditions') as JsonObject[]).map((c) => c['type'])).toContain(
      'Custom',
    );
    expect(owned(answer, 'reporter')).toMatchObject({ subresource: 'status' });
  });

  test('ConfigMap written by an ordinary create is owned by its creator', async () => {
    const answer = await cluster.api.post(maps(), aConfigMap('created'), {
      fieldManager: 'creator',
    });
    expect(owned(answer, 'creator')).toMatchObject({
      operation: 'Update',
      fieldsV1: { 'f:data': { '.': {}, 'f:a': {} } },
    });
  });
});
