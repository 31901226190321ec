import { describe, expect, test } from 'vitest';
import type { JsonObject } from '../../../src/embedded/json.ts';
import { type Answer, at, eventually } from './client.ts';
import { contractCluster } from './cluster.ts';
import { aConfigMap, aDeployment } from './objects.ts';

const cluster = contractCluster();
const maps = () => `/api/v1/namespaces/${cluster.namespace}/configmaps`;
const deployments = () => `/apis/apps/v1/namespaces/${cluster.namespace}/deployments`;
const options = (more: JsonObject): JsonObject => ({
  kind: 'DeleteOptions',
  apiVersion: 'v1',
  ...more,
});
const gone = (path: string) =>
  eventually(
    () => cluster.api.get(path),
    ({ status }) => status === 404,
  );

const reference = (owner: Answer, more: JsonObject = {}): JsonObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  name: at(owner, 'metadata.name'),
  uid: at(owner, 'metadata.uid'),
  ...more,
});
const owned = (name: string, ...owners: readonly JsonObject[]) =>
  cluster.api.post(maps(), aConfigMap(name, { metadata: { ownerReferences: owners } }));

describe('delete', () => {
  test('answers a Status that names the uid', async () => {
    const made = await cluster.api.post(maps(), aConfigMap('simple'));
    const answer = await cluster.api.delete(`${maps()}/simple`);
    expect(answer.status).toBe(200);
    expect(answer.body).toMatchObject({
      kind: 'Status',
      status: 'Success',
      details: { name: 'simple', kind: 'configmaps', uid: at(made, 'metadata.uid') },
    });
    expect((await cluster.api.get(`${maps()}/simple`)).status).toBe(404);
  });

  test('of an absent object is 404', async () => {
    expect((await cluster.api.delete(`${maps()}/absent`)).status).toBe(404);
  });

  test('with another uid as precondition is 409', async () => {
    await cluster.api.post(maps(), aConfigMap('uid'));
    const answer = await cluster.api.delete(
      `${maps()}/uid`,
      options({ preconditions: { uid: '00000000-0000-4000-8000-000000000000' } }),
    );
    expect([answer.status, at(answer, 'reason')]).toEqual([409, 'Conflict']);
  });

  test('with a stale resourceVersion as precondition is 409', async () => {
    const made = await cluster.api.post(maps(), aConfigMap('version'));
    await cluster.api.patch(`${maps()}/version`, 'merge', { data: { a: '2' } });
    const answer = await cluster.api.delete(
      `${maps()}/version`,
      options({ preconditions: { resourceVersion: at(made, 'metadata.resourceVersion') } }),
    );
    expect(answer.status).toBe(409);
  });

  test('dryRun deletes nothing', async () => {
    await cluster.api.post(maps(), aConfigMap('dry'));
    await cluster.api.delete(`${maps()}/dry`, undefined, { dryRun: 'All' });
    expect((await cluster.api.get(`${maps()}/dry`)).status).toBe(200);
  });

  test('of a collection by label', async () => {
    for (const name of ['set-1', 'set-2'])
      await cluster.api.post(maps(), aConfigMap(name, { metadata: { labels: { set: 'all' } } }));
    expect((await cluster.api.delete(maps(), undefined, { labelSelector: 'set=all' })).status).toBe(
      200,
    );
    await gone(`${maps()}/set-1`);
    await gone(`${maps()}/set-2`);
  });
});

describe('finalizers', () => {
  test('keep an object, marked, until they are removed', async () => {
    await cluster.api.post(
      maps(),
      aConfigMap('held', { metadata: { finalizers: ['example.com/hold'] } }),
    );
    const marked = await cluster.api.delete(`${maps()}/held`);
    expect(at(marked, 'metadata.deletionTimestamp')).toMatch(/Z$/);
    expect(at(marked, 'metadata.deletionGracePeriodSeconds')).toBe(0);
    expect((await cluster.api.get(`${maps()}/held`)).status).toBe(200);
    await cluster.api.patch(`${maps()}/held`, 'merge', { metadata: { finalizers: null } });
    expect((await cluster.api.get(`${maps()}/held`)).status).toBe(404);
  });

  test('a marked object can be changed, and deleting it again keeps it', async () => {
    await cluster.api.post(
      maps(),
      aConfigMap('twice', { metadata: { finalizers: ['example.com/hold'] } }),
    );
    await cluster.api.delete(`${maps()}/twice`);
    expect((await cluster.api.delete(`${maps()}/twice`)).status).toBe(200);
    expect((await cluster.api.patch(`${maps()}/twice`, 'merge', { data: { a: '2' } })).status).toBe(
      200,
    );
    await cluster.api.patch(`${maps()}/twice`, 'json', [
      { op: 'remove', path: '/metadata/finalizers' },
    ]);
    await gone(`${maps()}/twice`);
  });

  test('a finalizer without a domain is refused', async () => {
    expect(
      (await cluster.api.post(maps(), aConfigMap('bad', { metadata: { finalizers: ['hold'] } })))
        .status,
    ).toBe(422);
  });

  test('deleting raises the generation of a Deployment', async () => {
    await cluster.api.post(
      deployments(),
      aDeployment('marked', {
        metadata: { finalizers: ['example.com/hold'] },
        spec: { replicas: 0, paused: true },
      }),
    );
    const before = Number(
      at(await cluster.api.get(`${deployments()}/marked`), 'metadata.generation'),
    );
    const marked = await cluster.api.delete(`${deployments()}/marked`);
    expect(Number(at(marked, 'metadata.generation'))).toBe(before + 1);
    await cluster.api.patch(`${deployments()}/marked`, 'merge', { metadata: { finalizers: null } });
  });
});

describe('owners', () => {
  test('an object goes when its owner goes', async () => {
    const owner = await cluster.api.post(maps(), aConfigMap('owner'));
    await owned('dependent', reference(owner));
    await cluster.api.delete(`${maps()}/owner`);
    await gone(`${maps()}/dependent`);
  });

  test('a non-controller owner counts as well, and one that is left keeps the object', async () => {
    const first = await cluster.api.post(maps(), aConfigMap('first'));
    const second = await cluster.api.post(maps(), aConfigMap('second'));
    await owned('shared', reference(first), reference(second));
    await cluster.api.delete(`${maps()}/first`);
    const kept = await eventually(
      () => cluster.api.get(`${maps()}/shared`),
      (answer) => (at(answer, 'metadata.ownerReferences') as JsonObject[]).length === 1,
    );
    expect(at(kept, 'metadata.ownerReferences.0.name')).toBe('second');
  });

  test('orphan deletion strips the reference', async () => {
    const owner = await cluster.api.post(maps(), aConfigMap('leaving'));
    await owned('orphan', reference(owner));
    await cluster.api.delete(`${maps()}/leaving`, options({ propagationPolicy: 'Orphan' }));
    await gone(`${maps()}/leaving`);
    expect(
      at(await cluster.api.get(`${maps()}/orphan`), 'metadata.ownerReferences'),
    ).toBeUndefined();
  });

  test('foreground deletion waits for blocking dependents', async () => {
    const owner = await cluster.api.post(maps(), aConfigMap('parent'));
    await cluster.api.post(
      maps(),
      aConfigMap('child', {
        metadata: {
          finalizers: ['example.com/hold'],
          ownerReferences: [reference(owner, { blockOwnerDeletion: true })],
        },
      }),
    );
    const marked = await cluster.api.delete(
      `${maps()}/parent`,
      options({ propagationPolicy: 'Foreground' }),
    );
    expect(at(marked, 'metadata.finalizers')).toEqual(['foregroundDeletion']);
    await eventually(
      () => cluster.api.get(`${maps()}/child`),
      (answer) => at(answer, 'metadata.deletionTimestamp') !== undefined,
    );
    expect((await cluster.api.get(`${maps()}/parent`)).status).toBe(200);
    await cluster.api.patch(`${maps()}/child`, 'merge', { metadata: { finalizers: null } });
    await gone(`${maps()}/parent`);
  });

  test('an object whose owner never existed is collected', async () => {
    await owned('stray', {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      name: 'nobody',
      uid: '00000000-0000-4000-8000-000000000001',
    });
    await gone(`${maps()}/stray`);
  });

  test('an owner of the same name but another uid does not count', async () => {
    await cluster.api.post(maps(), aConfigMap('namesake'));
    await owned('misled', {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      name: 'namesake',
      uid: '00000000-0000-4000-8000-000000000002',
    });
    await gone(`${maps()}/misled`);
  });

  test('two controllers are refused', async () => {
    const owner = await cluster.api.post(maps(), aConfigMap('controller'));
    const two = [
      reference(owner, { controller: true }),
      reference(owner, { controller: true, uid: '00000000-0000-4000-8000-000000000003' }),
    ];
    expect((await owned('contested', ...two)).status).toBe(422);
  });
});
