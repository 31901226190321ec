import { describe, expect, test } from 'vitest';
import { at } from './client.ts';
import { contractCluster } from './cluster.ts';
import { aConfigMap, aDeployment, aRoute, aService } from './objects.ts';

const cluster = contractCluster();
const maps = () => `/api/v1/namespaces/${cluster.namespace}/configmaps`;
const deployments = () => `/apis/apps/v1/namespaces/${cluster.namespace}/deployments`;
const routes = () =>
  `/apis/gateway.networking.k8s.io/v1/namespaces/${cluster.namespace}/httproutes`;

describe('create', () => {
  test('gives uid, creationTimestamp, resourceVersion and namespace', async () => {
    const made = await cluster.api.post(maps(), aConfigMap('fresh'));
    expect(made.status).toBe(201);
    expect(at(made, 'metadata.uid')).toMatch(
      /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
    );
    expect(at(made, 'metadata.creationTimestamp')).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    expect(Number(at(made, 'metadata.resourceVersion'))).toBeGreaterThan(0);
    expect(at(made, 'metadata.namespace')).toBe(cluster.namespace);
    expect(at(made, 'kind')).toBe('ConfigMap');
  });

  test('the same name again is 409 AlreadyExists', async () => {
    await cluster.api.post(maps(), aConfigMap('twice'));
    const again = await cluster.api.post(maps(), aConfigMap('twice'));
    expect(again.status).toBe(409);
    expect(again.body).toMatchObject({
      kind: 'Status',
      status: 'Failure',
      reason: 'AlreadyExists',
      details: { name: 'twice', kind: 'configmaps' },
      code: 409,
    });
    expect(at(again, 'message')).toBe('configmaps "twice" already exists');
  });

  test('generateName adds five characters', async () => {
    const made = await cluster.api.post(maps(), {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { generateName: 'many-' },
    });
    expect(at(made, 'metadata.name')).toMatch(/^many-[bcdfghjklmnpqrstvwxz2456789]{5}$/);
    expect(at(made, 'metadata.generateName')).toBe('many-');
  });

  test('without any name is 422', async () => {
    const made = await cluster.api.post(maps(), {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: {},
    });
    expect(made.status).toBe(422);
    expect(at(made, 'reason')).toBe('Invalid');
  });

  test('in a namespace that does not exist is 404', async () => {
    const made = await cluster.api.post(
      '/api/v1/namespaces/no-such-namespace/configmaps',
      aConfigMap('lost'),
    );
    expect(made.status).toBe(404);
    expect(at(made, 'message')).toBe('namespaces "no-such-namespace" not found');
  });

  test('with the namespace of somebody else is 400', async () => {
    const made = await cluster.api.post(
      maps(),
      aConfigMap('foreign', { metadata: { namespace: 'default' } }),
    );
    expect(made.status).toBe(400);
  });

  test('with a resourceVersion is refused', async () => {
    const made = await cluster.api.post(
      maps(),
      aConfigMap('versioned', { metadata: { resourceVersion: '7' } }),
    );
    expect([made.status, at(made, 'message')]).toEqual([
      500,
      'resourceVersion should not be set on objects to be created',
    ]);
  });

  test('of another kind than the path names is 400', async () => {
    const made = await cluster.api.post(maps(), aService('odd'));
    expect(made.status).toBe(400);
    expect(at(made, 'reason')).toBe('BadRequest');
  });

  test('drops a status that the client sends', async () => {
    const made = await cluster.api.post(
      deployments(),
      aDeployment('no-status', { spec: { replicas: 0 }, status: { replicas: 5 } }),
    );
    expect(at(made, 'status.replicas')).toBeUndefined();
  });

  test('dryRun=All answers the object and stores nothing', async () => {
    const made = await cluster.api.post(maps(), aConfigMap('dry'), { dryRun: 'All' });
    expect(made.status).toBe(201);
    expect(at(made, 'metadata.uid')).toBeTypeOf('string');
    expect((await cluster.api.get(`${maps()}/dry`)).status).toBe(404);
  });

  test('empty labels and annotations are not kept', async () => {
    const made = await cluster.api.post(
      maps(),
      aConfigMap('bare', { metadata: { labels: {}, annotations: {} } }),
    );
    expect(at(made, 'metadata.labels')).toBeUndefined();
    expect(at(made, 'metadata.annotations')).toBeUndefined();
  });
});

describe('read', () => {
  test('an unknown name is 404 with details', async () => {
    const answer = await cluster.api.get(`${deployments()}/nobody`);
    expect(answer.status).toBe(404);
    expect(answer.body).toMatchObject({
      reason: 'NotFound',
      message: 'deployments.apps "nobody" not found',
      details: { name: 'nobody', group: 'apps', kind: 'deployments' },
    });
  });

  test('an unknown resource is 404 too', async () => {
    const answer = await cluster.api.get(`/apis/apps/v1/namespaces/${cluster.namespace}/nonsense`);
    expect(answer.status).toBe(404);
  });

  test('POST on an object is 405', async () => {
    expect((await cluster.api.post(`${maps()}/x`, aConfigMap('x'))).status).toBe(405);
  });
});

describe('replace', () => {
  test('with a stale resourceVersion is 409 Conflict', async () => {
    const made = await cluster.api.post(maps(), aConfigMap('stale'));
    await cluster.api.put(`${maps()}/stale`, { ...made.body, data: { a: '2' } });
    const again = await cluster.api.put(`${maps()}/stale`, { ...made.body, data: { a: '3' } });
    expect(again.status).toBe(409);
    expect(again.body).toMatchObject({
      reason: 'Conflict',
      details: { name: 'stale', kind: 'configmaps' },
      message:
        'Operation cannot be fulfilled on configmaps "stale": the object has been ' +
        'modified; please apply your changes to the latest version and try again',
    });
  });

  test('without a resourceVersion replaces a Deployment', async () => {
    await cluster.api.post(deployments(), aDeployment('forced', { spec: { replicas: 0 } }));
    const put = await cluster.api.put(
      `${deployments()}/forced`,
      aDeployment('forced', { spec: { replicas: 0, minReadySeconds: 3 } }),
    );
    expect(put.status).toBe(200);
    expect(at(put, 'spec.minReadySeconds')).toBe(3);
  });

  test('without a resourceVersion is 422 for an HTTPRoute', async () => {
    await cluster.api.post(routes(), aRoute('strict', [{ name: 'a', port: 80 }]));
    const put = await cluster.api.put(
      `${routes()}/strict`,
      aRoute('strict', [{ name: 'b', port: 80 }]),
    );
    expect(put.status).toBe(422);
    expect(at(put, 'message')).toMatch(
      /metadata\.resourceVersion.*must be specified for an update/,
    );
  });

  test('of an object that does not exist is 404', async () => {
    expect((await cluster.api.put(`${maps()}/absent`, aConfigMap('absent'))).status).toBe(404);
  });

  test('under another name is 400', async () => {
    await cluster.api.post(maps(), aConfigMap('named'));
    expect((await cluster.api.put(`${maps()}/named`, aConfigMap('other'))).status).toBe(400);
  });

  test('with another uid is 409', async () => {
    const made = await cluster.api.post(maps(), aConfigMap('reborn'));
    const metadata = {
      ...(made.body['metadata'] as object),
      uid: '00000000-0000-4000-8000-000000000000',
    };
    expect((await cluster.api.put(`${maps()}/reborn`, { ...made.body, metadata })).status).toBe(
      409,
    );
  });

  test('with the same content changes no resourceVersion', async () => {
    const made = await cluster.api.post(maps(), aConfigMap('same'));
    const put = await cluster.api.put(`${maps()}/same`, made.body);
    expect(at(put, 'metadata.resourceVersion')).toBe(at(made, 'metadata.resourceVersion'));
  });

  test('keeps uid and creationTimestamp whatever is sent', async () => {
    const made = await cluster.api.post(maps(), aConfigMap('kept'));
    const put = await cluster.api.put(
      `${maps()}/kept`,
      aConfigMap('kept', {
        metadata: { creationTimestamp: '2001-01-01T00:00:00Z' },
        data: { a: '9' },
      }),
    );
    expect(at(put, 'metadata.uid')).toBe(at(made, 'metadata.uid'));
    expect(at(put, 'metadata.creationTimestamp')).toBe(at(made, 'metadata.creationTimestamp'));
  });
});

describe('generation', () => {
  test('begins at 1 and rises with the spec', async () => {
    const made = await cluster.api.post(
      deployments(),
      aDeployment('gen', { spec: { paused: true, replicas: 0 } }),
    );
    expect(at(made, 'metadata.generation')).toBe(1);
    const patched = await cluster.api.patch(`${deployments()}/gen`, 'merge', {
      spec: { minReadySeconds: 1 },
    });
    expect(at(patched, 'metadata.generation')).toBe(2);
  });

  test('of a Deployment rises with annotations, not with labels', async () => {
    await cluster.api.post(
      deployments(),
      aDeployment('gen-meta', { spec: { paused: true, replicas: 0 } }),
    );
    const labelled = await cluster.api.patch(`${deployments()}/gen-meta`, 'merge', {
      metadata: { labels: { x: 'y' } },
    });
    const before = Number(at(labelled, 'metadata.generation'));
    const annotated = await cluster.api.patch(`${deployments()}/gen-meta`, 'merge', {
      metadata: { annotations: { x: 'y' } },
    });
    expect(Number(at(annotated, 'metadata.generation'))).toBe(before + 1);
  });

  test('of an HTTPRoute rises with the spec, not with annotations', async () => {
    const made = await cluster.api.post(
      routes(),
      aRoute('gen', [{ name: 'a', port: 80, weight: 1 }]),
    );
    expect(at(made, 'metadata.generation')).toBe(1);
    const annotated = await cluster.api.patch(`${routes()}/gen`, 'merge', {
      metadata: { annotations: { x: 'y' } },
    });
    expect(at(annotated, 'metadata.generation')).toBe(1);
    const shifted = await cluster.api.patch(`${routes()}/gen`, 'merge', {
      spec: { rules: [{ backendRefs: [{ name: 'a', port: 80, weight: 2 }] }] },
    });
    expect(at(shifted, 'metadata.generation')).toBe(2);
  });

  test('of a Service does not exist', async () => {
    const made = await cluster.api.post(
      `/api/v1/namespaces/${cluster.namespace}/services`,
      aService('plain'),
    );
    expect(at(made, 'metadata.generation')).toBeUndefined();
  });
});

describe('defaults', () => {
  test('of a Deployment', async () => {
    const made = await cluster.api.post(deployments(), {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'defaults' },
      spec: {
        paused: true,
        selector: { matchLabels: { a: 'b' } },
        template: {
          metadata: { labels: { a: 'b' } },
          spec: {
            containers: [
              {
                name: 'c',
                image: 'i',
                ports: [{ containerPort: 1 }],
                readinessProbe: { httpGet: { port: 1 } },
              },
            ],
          },
        },
      },
    });
    expect(at(made, 'spec')).toMatchObject({
      replicas: 1,
      progressDeadlineSeconds: 600,
      revisionHistoryLimit: 10,
      strategy: {
        type: 'RollingUpdate',
        rollingUpdate: { maxSurge: '25%', maxUnavailable: '25%' },
      },
    });
    expect(at(made, 'spec.template.spec')).toEqual({
      containers: [
        {
          name: 'c',
          image: 'i',
          imagePullPolicy: 'Always',
          resources: {},
          terminationMessagePath: '/dev/termination-log',
          terminationMessagePolicy: 'File',
          ports: [{ containerPort: 1, protocol: 'TCP' }],
          readinessProbe: {
            httpGet: { path: '/', port: 1, scheme: 'HTTP' },
            timeoutSeconds: 1,
            periodSeconds: 10,
            successThreshold: 1,
            failureThreshold: 3,
          },
        },
      ],
      dnsPolicy: 'ClusterFirst',
      restartPolicy: 'Always',
      schedulerName: 'default-scheduler',
      securityContext: {},
      terminationGracePeriodSeconds: 30,
    });
  });

  test('of a Service', async () => {
    const made = await cluster.api.post(`/api/v1/namespaces/${cluster.namespace}/services`, {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'defaults' },
      spec: { selector: { a: 'b' }, ports: [{ port: 80 }] },
    });
    expect(at(made, 'spec')).toMatchObject({
      type: 'ClusterIP',
      sessionAffinity: 'None',
      internalTrafficPolicy: 'Cluster',
      ipFamilies: ['IPv4'],
      ipFamilyPolicy: 'SingleStack',
      ports: [{ port: 80, protocol: 'TCP', targetPort: 80 }],
    });
    expect(at(made, 'spec.clusterIP')).toMatch(/^10\.96\.\d+\.\d+$/);
    expect(at(made, 'spec.clusterIPs')).toEqual([at(made, 'spec.clusterIP')]);
  });

  test('of an HTTPRoute come from its schema', async () => {
    const made = await cluster.api.post(routes(), aRoute('defaults', [{ name: 'a', port: 80 }]));
    expect(at(made, 'spec.parentRefs.0')).toEqual({
      group: 'gateway.networking.k8s.io',
      kind: 'Gateway',
      name: 'web',
    });
    expect(at(made, 'spec.rules.0')).toEqual({
      backendRefs: [{ group: '', kind: 'Service', name: 'a', port: 80, weight: 1 }],
      matches: [{ path: { type: 'PathPrefix', value: '/' } }],
    });
  });
});
