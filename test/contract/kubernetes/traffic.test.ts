import { beforeAll, describe, expect, test } from 'vitest';
import { asArray, asObject, type JsonObject } from '../../../src/embedded/json.ts';
import { type Answer, at, eventually } from './client.ts';
import { contractCluster } from './cluster.ts';
import { aDeployment, aPodSpec, aRoute, aService } from './objects.ts';

const cluster = contractCluster();
const group = '/apis/gateway.networking.k8s.io/v1';
const routes = () => `${group}/namespaces/${cluster.namespace}/httproutes`;
const services = () => `/api/v1/namespaces/${cluster.namespace}/services`;
const slices = () => `/apis/discovery.k8s.io/v1/namespaces/${cluster.namespace}/endpointslices`;
const deployments = () => `/apis/apps/v1/namespaces/${cluster.namespace}/deployments`;

const parentsOf = (answer: Answer) => asArray(at(answer, 'status.parents')).map(asObject);
const resolved = (answer: Answer) =>
  asArray(parentsOf(answer)[0]?.['conditions'])
    .map(asObject)
    .find((c) => c['type'] === 'ResolvedRefs');
/** The route once the gateway has answered its newest generation with this status. */
const resolution = (name: string, status: string) =>
  eventually(
    () => cluster.api.get(`${routes()}/${name}`),
    (route) =>
      resolved(route)?.['status'] === status &&
      resolved(route)?.['observedGeneration'] === at(route, 'metadata.generation'),
  );
const endpointsOf = async (service: string) =>
  asArray(
    at(
      await cluster.api.get(slices(), { labelSelector: `kubernetes.io/service-name=${service}` }),
      'items',
    ),
  )
    .flatMap((slice) => asArray(asObject(slice)['endpoints']))
    .map(asObject);
const readyOf = async (service: string) =>
  (await endpointsOf(service)).filter((e) => asObject(e['conditions'])['ready'] === true);

beforeAll(async () => {
  await cluster.api.apply(
    `${group}/gatewayclasses/contract`,
    {
      apiVersion: 'gateway.networking.k8s.io/v1',
      kind: 'GatewayClass',
      metadata: { name: 'contract' },
      spec: { controllerName: cluster.gatewayController },
    },
    'contract',
    { force: 'true' },
  );
  await cluster.api.post(`${group}/namespaces/${cluster.namespace}/gateways`, {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'Gateway',
    metadata: { name: 'web' },
    spec: {
      gatewayClassName: 'contract',
      listeners: [{ name: 'web', port: 8000, protocol: 'HTTP' }],
    },
  });
  for (const name of ['stable', 'canary']) await cluster.api.post(services(), aService(name));
});

describe('route status', () => {
  test('accepted and resolved for its generation', async () => {
    await cluster.api.post(routes(), aRoute('good', [{ name: 'stable', port: 80 }]));
    const route = await resolution('good', 'True');
    expect(parentsOf(route)[0]).toMatchObject({
      controllerName: cluster.gatewayController,
      parentRef: { name: 'web' },
    });
    const accepted = asArray(parentsOf(route)[0]?.['conditions'])
      .map(asObject)
      .find((c) => c['type'] === 'Accepted');
    expect(accepted).toMatchObject({ status: 'True', reason: 'Accepted', observedGeneration: 1 });
  });

  test('follows a change of weights', async () => {
    await cluster.api.post(
      routes(),
      aRoute('moved', [
        { name: 'stable', port: 80, weight: 100 },
        { name: 'canary', port: 80, weight: 0 },
      ]),
    );
    await resolution('moved', 'True');
    await cluster.api.patch(`${routes()}/moved`, 'json', [
      { op: 'replace', path: '/spec/rules/0/backendRefs/0/weight', value: 99 },
      { op: 'replace', path: '/spec/rules/0/backendRefs/1/weight', value: 1 },
    ]);
    expect(at(await resolution('moved', 'True'), 'metadata.generation')).toBe(2);
  });

  test('a missing backend shows even at weight 0', async () => {
    await cluster.api.post(
      routes(),
      aRoute('missing', [
        { name: 'stable', port: 80, weight: 100 },
        { name: 'nobody', port: 80, weight: 0 },
      ]),
    );
    expect(resolved(await resolution('missing', 'False'))?.['reason']).toBe('BackendNotFound');
  });

  test('and is gone once the Service is there', async () => {
    await cluster.api.post(routes(), aRoute('later', [{ name: 'late', port: 80 }]));
    await resolution('later', 'False');
    await cluster.api.post(services(), aService('late'));
    await resolution('later', 'True');
  });

  test('a Service of another namespace is not permitted', async () => {
    await cluster.api.post(
      routes(),
      aRoute('across', [{ name: 'kubernetes', namespace: 'default', port: 443 }]),
    );
    expect(resolved(await resolution('across', 'False'))?.['reason']).toBe('RefNotPermitted');
  });
});

describe('endpoints', () => {
  const serve = async (name: string, replicas: number, change: JsonObject = {}) => {
    await cluster.api.post(services(), aService(name));
    await cluster.api.post(deployments(), aDeployment(name, { spec: { replicas, ...change } }));
  };

  test('list the ready pods', async () => {
    await serve('ready', 2);
    const ready = await eventually(
      () => readyOf('ready'),
      (all) => all.length === 2,
    );
    expect(ready[0]).toMatchObject({
      addresses: [expect.stringMatching(/^10\.244\./)],
      conditions: { ready: true, serving: true, terminating: false },
      targetRef: { kind: 'Pod' },
    });
  });

  test('name their Service, their manager and their owner', async () => {
    await serve('named', 0);
    const slice = await eventually(
      async () =>
        asObject(
          asArray(
            at(
              await cluster.api.get(slices(), {
                labelSelector: 'kubernetes.io/service-name=named',
              }),
              'items',
            ),
          )[0],
        ),
      (s) => s['addressType'] !== undefined,
    );
    expect(asObject(at(slice, 'metadata.labels'))['endpointslice.kubernetes.io/managed-by']).toBe(
      'endpointslice-controller.k8s.io',
    );
    expect(at(slice, 'metadata.ownerReferences.0')).toMatchObject({
      kind: 'Service',
      name: 'named',
      controller: true,
    });
  });

  test('show a pod that is not ready as such', async () => {
    await serve('unready', 1, {
      template: {
        spec: {
          containers: [
            { name: 'web', image: 'shop/web:v1', env: [{ name: 'UNREADY', value: '1' }] },
          ],
        },
      },
    });
    const all = await eventually(
      () => endpointsOf('unready'),
      (endpoints) => endpoints.length === 1,
    );
    expect(asObject(all[0]?.['conditions'])['ready']).toBe(false);
  });

  test('follow the selector of the Service', async () => {
    await serve('pinned', 2);
    await eventually(
      () => readyOf('pinned'),
      (all) => all.length === 2,
    );
    await cluster.api.patch(`${services()}/pinned`, 'merge', {
      spec: { selector: { 'pod-template-hash': 'nothing' } },
    });
    await eventually(
      () => readyOf('pinned'),
      (all) => all.length === 0,
    );
    await cluster.api.patch(`${services()}/pinned`, 'merge', {
      spec: { selector: { 'pod-template-hash': null } },
    });
    await eventually(
      () => readyOf('pinned'),
      (all) => all.length === 2,
    );
  });

  test('mark pods that go as terminating', async () => {
    await serve('draining', 1);
    await eventually(
      () => readyOf('draining'),
      (all) => all.length === 1,
    );
    const watch = await cluster.api.watch(slices(), {
      labelSelector: 'kubernetes.io/service-name=draining',
    });
    await cluster.api.patch(`${deployments()}/draining`, 'merge', { spec: { replicas: 0 } });
    await watch.until(({ object }) =>
      asArray(object['endpoints'])
        .map(asObject)
        .some(
          (e) =>
            asObject(e['conditions'])['terminating'] === true &&
            asObject(e['conditions'])['ready'] === false,
        ),
    );
    await eventually(
      () => endpointsOf('draining'),
      (all) => all.length === 0,
    );
    watch.close();
  });

  test('resolve a named target port', async () => {
    await cluster.api.post(
      services(),
      aService('by-name', { spec: { ports: [{ port: 80, targetPort: 'http' }] } }),
    );
    await cluster.api.post(
      deployments(),
      aDeployment('by-name', {
        spec: {
          replicas: 1,
          template: {
            spec: {
              containers: [
                {
                  ...asObject(asArray(aPodSpec()['containers'])[0]),
                  ports: [{ name: 'http', containerPort: 8080 }],
                },
              ],
            },
          },
        },
      }),
    );
    await eventually(
      () => readyOf('by-name'),
      (all) => all.length === 1,
    );
    const list = await cluster.api.get(slices(), {
      labelSelector: 'kubernetes.io/service-name=by-name',
    });
    expect(at(list, 'items.0.ports')).toEqual([{ name: '', port: 8080, protocol: 'TCP' }]);
  });
});

describe('pods', () => {
  const reasonOf = async (app: string) => {
    const list = await cluster.api.get(`/api/v1/namespaces/${cluster.namespace}/pods`, {
      labelSelector: `app=${app}`,
    });
    return at(list, 'items.0.status.containerStatuses.0.state.waiting.reason');
  };

  test('whose image is missing wait with ImagePullBackOff', async () => {
    await cluster.api.post(
      deployments(),
      aDeployment('no-image', {
        spec: { replicas: 1, template: { spec: aPodSpec('shop/web:missing') } },
      }),
    );
    await eventually(
      () => reasonOf('no-image'),
      (reason) => reason === 'ImagePullBackOff',
    );
  });

  test('that end again and again wait with CrashLoopBackOff and count restarts', async () => {
    const spec = {
      containers: [{ name: 'web', image: 'shop/web:v1', env: [{ name: 'CRASH', value: '1' }] }],
    };
    await cluster.api.post(
      deployments(),
      aDeployment('crashing', { spec: { replicas: 1, template: { spec } } }),
    );
    await eventually(
      () => reasonOf('crashing'),
      (reason) => reason === 'CrashLoopBackOff',
    );
    const list = await cluster.api.get(`/api/v1/namespaces/${cluster.namespace}/pods`, {
      labelSelector: 'app=crashing',
    });
    expect(
      Number(at(list, 'items.0.status.containerStatuses.0.restartCount')),
    ).toBeGreaterThanOrEqual(1);
  });

  test('can be made not ready by an annotation, live', async () => {
    await cluster.api.post(services(), aService('moody'));
    await cluster.api.post(deployments(), aDeployment('moody', { spec: { replicas: 1 } }));
    await eventually(
      () => readyOf('moody'),
      (all) => all.length === 1,
    );
    const list = await cluster.api.get(`/api/v1/namespaces/${cluster.namespace}/pods`, {
      labelSelector: 'app=moody',
    });
    const name = String(at(list, 'items.0.metadata.name'));
    const pod = `/api/v1/namespaces/${cluster.namespace}/pods/${name}`;
    await cluster.api.patch(pod, 'merge', {
      metadata: { annotations: { 'sim.test/unready': '1' } },
    });
    await eventually(
      () => readyOf('moody'),
      (all) => all.length === 0,
    );
  });
});
