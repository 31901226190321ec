import { describe, expect, test } from 'vitest';
import type { JsonObject } from '../../../src/embedded/json.ts';
import { at } from './client.ts';
import { contractCluster } from './cluster.ts';
import { aConfigMap, aDeployment, aRoute, aService } from './objects.ts';

const cluster = contractCluster();
const maps = () => `/api/v1/namespaces/${cluster.namespace}/configmaps`;
const deployments = () => `/apis/apps/v1/namespaces/${cluster.namespace}/deployments`;
const services = () => `/api/v1/namespaces/${cluster.namespace}/services`;
const routes = () =>
  `/apis/gateway.networking.k8s.io/v1/namespaces/${cluster.namespace}/httproutes`;

/** A Deployment that its controller leaves alone. */
const quiet = (name: string, change: JsonObject = {}) =>
  cluster.api.post(
    deployments(),
    aDeployment(name, {
      ...change,
      spec: { replicas: 0, paused: true, ...(change['spec'] as JsonObject | undefined) },
    }),
  );

describe('merge patch', () => {
  test('merges maps, null removes, lists are replaced', async () => {
    await cluster.api.post(
      maps(),
      aConfigMap('merge', { metadata: { labels: { a: '1', b: '2' } }, data: { a: '1', b: '2' } }),
    );
    const patched = await cluster.api.patch(`${maps()}/merge`, 'merge', {
      metadata: { labels: { a: null, c: '3' } },
      data: { b: '9' },
    });
    expect(patched.status).toBe(200);
    expect(at(patched, 'metadata.labels')).toEqual({ b: '2', c: '3' });
    expect(at(patched, 'data')).toEqual({ a: '1', b: '9' });
  });

  test('that changes nothing keeps the resourceVersion', async () => {
    const made = await cluster.api.post(maps(), aConfigMap('idle'));
    const patched = await cluster.api.patch(`${maps()}/idle`, 'merge', { data: { a: '1' } });
    expect(at(patched, 'metadata.resourceVersion')).toBe(at(made, 'metadata.resourceVersion'));
  });

  test('with the current resourceVersion goes through, with a stale one is 409', async () => {
    const made = await cluster.api.post(maps(), aConfigMap('guarded'));
    const resourceVersion = at(made, 'metadata.resourceVersion') as string;
    const first = await cluster.api.patch(`${maps()}/guarded`, 'merge', {
      metadata: { resourceVersion },
      data: { a: '2' },
    });
    const second = await cluster.api.patch(`${maps()}/guarded`, 'merge', {
      metadata: { resourceVersion },
      data: { a: '3' },
    });
    expect([first.status, second.status]).toEqual([200, 409]);
    expect(at(second, 'reason')).toBe('Conflict');
  });

  test('with another uid is 422', async () => {
    await cluster.api.post(maps(), aConfigMap('other-uid'));
    const patched = await cluster.api.patch(`${maps()}/other-uid`, 'merge', {
      metadata: { uid: '00000000-0000-4000-8000-000000000000' },
    });
    expect([patched.status, at(patched, 'reason')]).toEqual([422, 'Invalid']);
  });

  test('of an absent object is 404', async () => {
    expect((await cluster.api.patch(`${maps()}/absent`, 'merge', { data: {} })).status).toBe(404);
  });

  test('removes an annotation with null and leaves the others', async () => {
    await quiet('unmark', { metadata: { annotations: { keep: '1', drop: '2' } } });
    const patched = await cluster.api.patch(`${deployments()}/unmark`, 'merge', {
      metadata: { annotations: { drop: null } },
    });
    expect(at(patched, 'metadata.annotations')).toEqual({ keep: '1' });
  });

  test('paused: null removes the field', async () => {
    await quiet('resume');
    const patched = await cluster.api.patch(`${deployments()}/resume`, 'merge', {
      spec: { paused: null },
    });
    expect(at(patched, 'spec.paused')).toBeUndefined();
  });

  test('adds a key to the selector of a Service and takes it away', async () => {
    await cluster.api.post(services(), aService('pin'));
    const pinned = await cluster.api.patch(`${services()}/pin`, 'merge', {
      spec: { selector: { 'pod-template-hash': 'x' } },
    });
    expect(at(pinned, 'spec.selector')).toEqual({ app: 'pin', 'pod-template-hash': 'x' });
    const unpinned = await cluster.api.patch(`${services()}/pin`, 'merge', {
      spec: { selector: { 'pod-template-hash': null } },
    });
    expect(at(unpinned, 'spec.selector')).toEqual({ app: 'pin' });
    expect(at(unpinned, 'spec.clusterIP')).toBe(at(pinned, 'spec.clusterIP'));
  });

  test('dryRun=All shows the outcome and stores nothing', async () => {
    const made = await quiet('dry');
    const patched = await cluster.api.patch(
      `${deployments()}/dry`,
      'merge',
      { spec: { minReadySeconds: 7 } },
      { dryRun: 'All' },
    );
    expect(at(patched, 'spec.minReadySeconds')).toBe(7);
    const after = await cluster.api.get(`${deployments()}/dry`);
    expect(at(after, 'spec.minReadySeconds')).toBeUndefined();
    expect(at(after, 'metadata.uid')).toBe(at(made, 'metadata.uid'));
  });
});

describe('JSON patch', () => {
  test('add, replace and remove', async () => {
    await cluster.api.post(maps(), aConfigMap('json', { data: { a: '1', b: '2' } }));
    const patched = await cluster.api.patch(`${maps()}/json`, 'json', [
      { op: 'replace', path: '/data/a', value: '9' },
      { op: 'remove', path: '/data/b' },
      { op: 'add', path: '/data/c~1d', value: 'x' },
    ]);
    // A slash is no valid key of a ConfigMap: the escape was read, and validation refused it.
    expect(patched.status).toBe(422);
    const valid = await cluster.api.patch(`${maps()}/json`, 'json', [
      { op: 'replace', path: '/data/a', value: '9' },
      { op: 'remove', path: '/data/b' },
      { op: 'add', path: '/data/c', value: 'x' },
    ]);
    expect(at(valid, 'data')).toEqual({ a: '9', c: 'x' });
  });

  test('a test that holds lets the rest through', async () => {
    await cluster.api.post(
      routes(),
      aRoute('tested', [
        { name: 'a', port: 80, weight: 99 },
        { name: 'b', port: 80, weight: 1 },
      ]),
    );
    const patched = await cluster.api.patch(`${routes()}/tested`, 'json', [
      { op: 'test', path: '/spec/rules/0/backendRefs/1/weight', value: 1 },
      { op: 'replace', path: '/spec/rules/0/backendRefs/1/weight', value: 5 },
    ]);
    expect(at(patched, 'spec.rules.0.backendRefs.1.weight')).toBe(5);
  });

  test('a test that fails is 422 and changes nothing', async () => {
    const made = await cluster.api.post(
      routes(),
      aRoute('refused', [{ name: 'a', port: 80, weight: 1 }]),
    );
    const patched = await cluster.api.patch(`${routes()}/refused`, 'json', [
      { op: 'replace', path: '/spec/rules/0/backendRefs/0/weight', value: 5 },
      { op: 'test', path: '/spec/rules/0/backendRefs/0/weight', value: 7 },
    ]);
    expect(patched.status).toBe(422);
    expect(at(patched, 'reason')).toBe('Invalid');
    expect(at(await cluster.api.get(`${routes()}/refused`), 'metadata.resourceVersion')).toBe(
      at(made, 'metadata.resourceVersion'),
    );
  });

  test('a path that is not there is 422', async () => {
    await cluster.api.post(maps(), aConfigMap('no-path'));
    const patched = await cluster.api.patch(`${maps()}/no-path`, 'json', [
      { op: 'replace', path: '/data/none/deep', value: 'x' },
    ]);
    expect(patched.status).toBe(422);
  });

  test('inserts into and appends to lists', async () => {
    await cluster.api.post(routes(), aRoute('insert', [{ name: 'a', port: 80 }]));
    const patched = await cluster.api.patch(`${routes()}/insert`, 'json', [
      { op: 'add', path: '/spec/rules/0/backendRefs/0', value: { name: 'first', port: 80 } },
      { op: 'add', path: '/spec/rules/0/backendRefs/-', value: { name: 'last', port: 80 } },
    ]);
    const names = (at(patched, 'spec.rules.0.backendRefs') as JsonObject[]).map(
      (ref) => ref['name'],
    );
    expect(names).toEqual(['first', 'a', 'last']);
  });

  test('that is no list is 400', async () => {
    await cluster.api.post(maps(), aConfigMap('no-list'));
    expect((await cluster.api.patch(`${maps()}/no-list`, 'json', { op: 'add' })).status).toBe(400);
  });

  test('a tested resourceVersion guards a write', async () => {
    const made = await cluster.api.post(maps(), aConfigMap('json-guard'));
    const operations = [
      {
        op: 'test',
        path: '/metadata/resourceVersion',
        value: at(made, 'metadata.resourceVersion') as string,
      },
      { op: 'replace', path: '/data/a', value: '2' },
    ];
    const answers = [
      await cluster.api.patch(`${maps()}/json-guard`, 'json', operations),
      await cluster.api.patch(`${maps()}/json-guard`, 'json', operations),
    ];
    expect(answers.map(({ status }) => status)).toEqual([200, 422]);
  });
});

describe('strategic merge patch', () => {
  test('merges containers by name', async () => {
    await quiet('by-name', {
      spec: {
        template: {
          spec: {
            containers: [
              { name: 'a', image: 'a:1' },
              { name: 'b', image: 'b:1' },
            ],
          },
        },
      },
    });
    const patched = await cluster.api.patch(`${deployments()}/by-name`, 'strategic', {
      spec: { template: { spec: { containers: [{ name: 'b', image: 'b:2' }] } } },
    });
    expect(
      (at(patched, 'spec.template.spec.containers') as JsonObject[]).map((c) => c['image']),
    ).toEqual(['a:1', 'b:2']);
  });

  test('merges env by name and keeps the order asked for', async () => {
    await quiet('env', {
      spec: {
        template: {
          spec: {
            containers: [
              {
                name: 'a',
                image: 'a:1',
                env: [
                  { name: 'X', value: '1' },
                  { name: 'Y', value: '2' },
                ],
              },
            ],
          },
        },
      },
    });
    const patched = await cluster.api.patch(`${deployments()}/env`, 'strategic', {
      spec: {
        template: {
          spec: {
            '$setElementOrder/containers': [{ name: 'a' }],
            containers: [
              {
                name: 'a',
                '$setElementOrder/env': [{ name: 'Z' }, { name: 'X' }],
                env: [
                  { name: 'Z', value: '3' },
                  { name: 'Y', $patch: 'delete' },
                ],
              },
            ],
          },
        },
      },
    });
    expect(at(patched, 'spec.template.spec.containers.0.env')).toEqual([
      { name: 'Z', value: '3' },
      { name: 'X', value: '1' },
    ]);
  });

  test('$patch: delete removes an item, $patch: replace replaces the list', async () => {
    const containers = [
      { name: 'a', image: 'a:1' },
      { name: 'b', image: 'b:1' },
    ];
    await quiet('directives', { spec: { template: { spec: { containers } } } });
    const removed = await cluster.api.patch(`${deployments()}/directives`, 'strategic', {
      spec: { template: { spec: { containers: [{ name: 'a', $patch: 'delete' }] } } },
    });
    expect(
      (at(removed, 'spec.template.spec.containers') as JsonObject[]).map((c) => c['name']),
    ).toEqual(['b']);
    const replaced = await cluster.api.patch(`${deployments()}/directives`, 'strategic', {
      spec: {
        template: { spec: { containers: [{ $patch: 'replace' }, { name: 'z', image: 'z:1' }] } },
      },
    });
    expect(
      (at(replaced, 'spec.template.spec.containers') as JsonObject[]).map((c) => c['name']),
    ).toEqual(['z']);
  });

  test('null removes a field of a map', async () => {
    await quiet('null', { metadata: { annotations: { a: '1', b: '2' } } });
    const patched = await cluster.api.patch(`${deployments()}/null`, 'strategic', {
      metadata: { annotations: { a: null } },
    });
    expect(at(patched, 'metadata.annotations')).toEqual({ b: '2' });
  });

  test('$retainKeys drops the fields of another strategy', async () => {
    await quiet('retain');
    const patched = await cluster.api.patch(`${deployments()}/retain`, 'strategic', {
      spec: { strategy: { $retainKeys: ['type'], type: 'Recreate' } },
    });
    expect(at(patched, 'spec.strategy')).toEqual({ type: 'Recreate' });
  });

  test('merges ports of a Service by port', async () => {
    await cluster.api.post(
      services(),
      aService('ports', {
        spec: {
          ports: [
            { name: 'a', port: 80 },
            { name: 'b', port: 81 },
          ],
        },
      }),
    );
    const patched = await cluster.api.patch(`${services()}/ports`, 'strategic', {
      spec: { ports: [{ port: 81, targetPort: 9 }] },
    });
    expect(
      (at(patched, 'spec.ports') as JsonObject[]).map((p) => [p['name'], p['targetPort']]),
    ).toEqual([
      ['a', 80],
      ['b', 9],
    ]);
  });

  test('tolerations are replaced as a whole', async () => {
    await quiet('atomic', {
      spec: {
        template: {
          spec: {
            containers: [{ name: 'a', image: 'a:1' }],
            tolerations: [{ key: 'x', operator: 'Exists' }],
          },
        },
      },
    });
    const patched = await cluster.api.patch(`${deployments()}/atomic`, 'strategic', {
      spec: { template: { spec: { tolerations: [{ key: 'y', operator: 'Exists' }] } } },
    });
    expect(at(patched, 'spec.template.spec.tolerations')).toEqual([
      { key: 'y', operator: 'Exists' },
    ]);
  });

  test('ownerReferences merge by uid', async () => {
    const owner = await cluster.api.post(maps(), aConfigMap('owner'));
    const reference = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      name: 'owner',
      uid: at(owner, 'metadata.uid') as string,
    };
    await cluster.api.post(
      maps(),
      aConfigMap('owned', { metadata: { ownerReferences: [reference] } }),
    );
    const patched = await cluster.api.patch(`${maps()}/owned`, 'strategic', {
      metadata: { ownerReferences: [{ ...reference, controller: true }] },
    });
    expect(at(patched, 'metadata.ownerReferences')).toEqual([{ ...reference, controller: true }]);
  });

  test('is 415 for custom resources', async () => {
    await cluster.api.post(routes(), aRoute('no-strategic', [{ name: 'a', port: 80 }]));
    const patched = await cluster.api.patch(`${routes()}/no-strategic`, 'strategic', {
      metadata: { labels: { a: 'b' } },
    });
    expect(patched.status).toBe(415);
  });
});
