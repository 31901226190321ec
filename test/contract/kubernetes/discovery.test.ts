import { describe, expect, test } from 'vitest';
import { asArray, asObject, type JsonObject } from '../../../src/embedded/json.ts';
import { at } from './client.ts';
import { contractCluster } from './cluster.ts';

const cluster = contractCluster();

describe('discovery', () => {
  test('version', async () => {
    const answer = await cluster.api.get('/version');
    expect([at(answer, 'major'), at(answer, 'minor')]).toEqual(['1', '36']);
  });

  test.each(['/healthz', '/livez', '/readyz'])('%s is ok', async (path) => {
    expect((await cluster.api.get(path)).body).toEqual({ text: 'ok' });
  });

  const resources: readonly [
    groupVersion: string,
    resource: string,
    kind: string,
    namespaced: boolean,
  ][] = [
    ['api/v1', 'services', 'Service', true],
    ['api/v1', 'namespaces', 'Namespace', false],
    ['apis/apps/v1', 'deployments', 'Deployment', true],
    ['apis/apps/v1', 'replicasets/status', 'ReplicaSet', true],
    ['apis/apps/v1', 'deployments/scale', 'Scale', true],
    ['apis/discovery.k8s.io/v1', 'endpointslices', 'EndpointSlice', true],
    ['apis/coordination.k8s.io/v1', 'leases', 'Lease', true],
    ['apis/gateway.networking.k8s.io/v1', 'httproutes', 'HTTPRoute', true],
    ['apis/autoscaling/v2', 'horizontalpodautoscalers', 'HorizontalPodAutoscaler', true],
    [
      'apis/admissionregistration.k8s.io/v1',
      'mutatingadmissionpolicies',
      'MutatingAdmissionPolicy',
      false,
    ],
  ];
  test.each(resources)('%s has %s', async (groupVersion, name, kind, namespaced) => {
    const answer = await cluster.api.get(`/${groupVersion}`);
    expect(at(answer, 'kind')).toBe('APIResourceList');
    const found = asArray(at(answer, 'resources'))
      .map(asObject)
      .find((resource) => resource['name'] === name);
    expect(found).toMatchObject({ kind, namespaced });
  });

  test('groups name their preferred version', async () => {
    const answer = await cluster.api.get('/apis');
    const apps = (at(answer, 'groups') as JsonObject[]).find((group) => group['name'] === 'apps');
    expect(apps).toMatchObject({ preferredVersion: { groupVersion: 'apps/v1', version: 'v1' } });
  });

  test('OpenAPI says that PATCH understands fieldValidation', async () => {
    const index = await cluster.api.get('/openapi/v3');
    const { serverRelativeURL } = asObject(asObject(asObject(index.body['paths'])['apis/apps/v1']));
    const [path = '', query = ''] = String(serverRelativeURL).split('?');
    const document = await cluster.api.get(path, Object.fromEntries(new URLSearchParams(query)));
    const operation = asObject(
      asObject(
        asObject(document.body['paths'])['/apis/apps/v1/namespaces/{namespace}/deployments/{name}'],
      )['patch'],
    );
    expect(
      asArray(operation['parameters']).map((parameter) => asObject(parameter)['name']),
    ).toEqual(expect.arrayContaining(['fieldValidation', 'dryRun', 'fieldManager']));
    expect(operation['x-kubernetes-group-version-kind']).toMatchObject({
      group: 'apps',
      kind: 'Deployment',
      version: 'v1',
    });
  });
});
