import { beforeAll, describe, expect, test } from 'vitest';
import type { JsonObject } from '../../../src/embedded/json.ts';
import { at, type ContractClient, eventually } from './client.ts';
import { contractCluster } from './cluster.ts';
import { aConfigMap, aDeployment } from './objects.ts';

const cluster = contractCluster();
const maps = () => `/api/v1/namespaces/${cluster.namespace}/configmaps`;
const deployments = () => `/apis/apps/v1/namespaces/${cluster.namespace}/deployments`;
const rbac = () => `/apis/rbac.authorization.k8s.io/v1/namespaces/${cluster.namespace}`;
const review = (resourceAttributes: JsonObject, user: string): JsonObject => ({
  apiVersion: 'authorization.k8s.io/v1',
  kind: 'SubjectAccessReview',
  spec: { user, groups: ['system:serviceaccounts', 'system:authenticated'], resourceAttributes },
});

let robot: ContractClient;
let token = '';

beforeAll(async () => {
  const accounts = `/api/v1/namespaces/${cluster.namespace}/serviceaccounts`;
  await cluster.api.post(accounts, {
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: { name: 'robot' },
  });
  await cluster.api.post(`${rbac()}/roles`, {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'Role',
    metadata: { name: 'robot' },
    rules: [
      { apiGroups: ['apps'], resources: ['deployments'], verbs: ['get', 'list', 'patch'] },
      { apiGroups: ['apps'], resources: ['deployments/status'], verbs: ['patch'] },
      { apiGroups: [''], resources: ['configmaps'], verbs: ['get'], resourceNames: ['mine'] },
    ],
  });
  await cluster.api.post(`${rbac()}/rolebindings`, {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'RoleBinding',
    metadata: { name: 'robot' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'robot' },
    subjects: [{ kind: 'ServiceAccount', name: 'robot', namespace: cluster.namespace }],
  });
  const issued = await cluster.api.post(`${accounts}/robot/token`, {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenRequest',
    spec: {},
  });
  token = String(at(issued, 'status.token'));
  robot = cluster.api.as(token);
  await cluster.api.post(
    deployments(),
    aDeployment('web', { spec: { replicas: 0, paused: true } }),
  );
  for (const name of ['mine', 'yours']) await cluster.api.post(maps(), aConfigMap(name));
  // A real server reads new roles from a watch.
  await eventually(
    () => robot.get(deployments()),
    ({ status }) => status === 200,
  );
});

describe('roles', () => {
  test('allow what they list', async () => {
    expect((await robot.get(`${deployments()}/web`)).status).toBe(200);
    expect(
      (await robot.patch(`${deployments()}/web`, 'merge', { metadata: { labels: { a: 'b' } } }))
        .status,
    ).toBe(200);
  });

  test('refuse other verbs with 403 and say so', async () => {
    const answer = await robot.delete(`${deployments()}/web`);
    expect(answer.status).toBe(403);
    expect(answer.body).toMatchObject({
      reason: 'Forbidden',
      details: { name: 'web', group: 'apps', kind: 'deployments' },
    });
    expect(at(answer, 'message')).toBe(
      'deployments.apps "web" is forbidden: User ' +
        `"system:serviceaccount:${cluster.namespace}:robot" cannot delete resource ` +
        `"deployments" in API group "apps" in the namespace "${cluster.namespace}"`,
    );
  });

  test('watch is a verb of its own', async () => {
    const watch = await robot.watch(deployments());
    watch.close();
    expect(watch.status).toBe(403);
  });

  test('subresources are resources of their own', async () => {
    expect(
      (
        await robot.patch(`${deployments()}/web/status`, 'merge', {
          status: { observedGeneration: 0 },
        })
      ).status,
    ).toBe(200);
    expect(
      (await robot.patch(`${deployments()}/web/scale`, 'merge', { spec: { replicas: 0 } })).status,
    ).toBe(403);
  });

  test('resourceNames narrow', async () => {
    expect((await robot.get(`${maps()}/mine`)).status).toBe(200);
    expect((await robot.get(`${maps()}/yours`)).status).toBe(403);
    expect((await robot.get(maps())).status).toBe(403);
  });

  test('a role of one namespace says nothing about another', async () => {
    expect((await robot.get('/apis/apps/v1/namespaces/default/deployments')).status).toBe(403);
    expect((await robot.get('/apis/apps/v1/deployments')).status).toBe(403);
  });

  test('a forbidden absent object is 403, not 404', async () => {
    expect((await robot.get(`${maps()}/absent`)).status).toBe(403);
  });
});

describe('reviews', () => {
  test('SubjectAccessReview answers what a role allows', async () => {
    const user = `system:serviceaccount:${cluster.namespace}:robot`;
    const ask = (attributes: JsonObject) =>
      cluster.api.post(
        '/apis/authorization.k8s.io/v1/subjectaccessreviews',
        review(
          { namespace: cluster.namespace, group: 'apps', resource: 'deployments', ...attributes },
          user,
        ),
      );
    expect(at(await ask({ verb: 'patch' }), 'status.allowed')).toBe(true);
    expect(at(await ask({ verb: 'delete' }), 'status.allowed')).toBe(false);
    expect(at(await ask({ verb: 'patch', namespace: 'default' }), 'status.allowed')).toBe(false);
  });

  test('SelfSubjectAccessReview answers for the one who asks', async () => {
    const answer = await robot.post('/apis/authorization.k8s.io/v1/selfsubjectaccessreviews', {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SelfSubjectAccessReview',
      spec: {
        resourceAttributes: {
          namespace: cluster.namespace,
          group: 'apps',
          resource: 'deployments',
          verb: 'list',
        },
      },
    });
    expect([answer.status, at(answer, 'status.allowed')]).toEqual([201, true]);
  });

  test('TokenReview knows a token of ours', async () => {
    const answer = await cluster.api.post('/apis/authentication.k8s.io/v1/tokenreviews', {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenReview',
      spec: { token },
    });
    expect(at(answer, 'status.authenticated')).toBe(true);
    expect(at(answer, 'status.user.username')).toBe(
      `system:serviceaccount:${cluster.namespace}:robot`,
    );
    expect(at(answer, 'status.user.groups')).toEqual(
      expect.arrayContaining([
        'system:serviceaccounts',
        `system:serviceaccounts:${cluster.namespace}`,
        'system:authenticated',
      ]),
    );
  });

  test('TokenReview does not know any other', async () => {
    const answer = await cluster.api.post('/apis/authentication.k8s.io/v1/tokenreviews', {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenReview',
      spec: { token: 'made-up' },
    });
    expect(at(answer, 'status.authenticated') ?? false).toBe(false);
  });

  test('a request with an unknown token is 401', async () => {
    const answer = await cluster.api.as('made-up').get(deployments());
    expect([answer.status, at(answer, 'reason')]).toEqual([401, 'Unauthorized']);
  });
});
