import { expect, test } from 'vitest';
import { administrator } from '../../../src/embedded/authorization.ts';
import { applyDefaults } from '../../../src/embedded/defaults.ts';
import { asObject, type JsonObject } from '../../../src/embedded/json.ts';
import { apiVersionOf, storageKey } from '../../../src/embedded/resource.ts';
import { prune, shapeFrom, shapeOf } from '../../../src/embedded/schema.ts';
import { annotationLimit, validate } from '../../../src/embedded/validation.ts';
import { seconds } from '../../../src/lib/units.ts';
import { aCluster, aShop } from './scene.ts';

// What a write shares with the object before it is neither pruned, nor filled, nor checked again.
// That is sound as long as all of it would come out as it is.

async function storedObjects() {
  const { clock, cluster } = aCluster();
  for (const object of aShop()) cluster.apply(object);
  await clock.advance(seconds(5));
  const { server } = cluster;
  return server.resources
    .filter(({ storedAs }) => storedAs === undefined)
    .flatMap((resource) => {
      const shape = shapeOf(apiVersionOf(resource), resource.kind);
      const objects = server.store.list(storageKey(resource));
      return shape === undefined ? [] : objects.map((object) => ({ resource, shape, object }));
    });
}

test('whatever lies in the store is pruned, filled and valid', async () => {
  const stored = await storedObjects();
  const kinds = new Set(stored.map(({ resource }) => resource.kind));
  for (const kind of ['Deployment', 'ReplicaSet', 'Pod', 'Service', 'EndpointSlice', 'HTTPRoute'])
    expect(kinds).toContain(kind);
  for (const { resource, shape, object } of stored) {
    const pruned = prune(shape, object, undefined);
    expect(pruned.value).toBe(object);
    expect(pruned.unknown).toEqual([]);
    expect(applyDefaults(resource, shape, object, undefined)).toBe(object);
    expect(validate(resource, shape, object, undefined)).toEqual([]);
  }
});

test('a subtree that equals the stored one becomes the same, and only that one', async () => {
  for (const { shape, object } of await storedObjects()) {
    const copy = JSON.parse(JSON.stringify(object)) as JsonObject;
    const metadata = { ...object.metadata, annotations: { changed: 'yes' } };
    const changed = prune(shape, { ...copy, metadata }, object).value as JsonObject;
    expect(changed).toEqual({ ...object, metadata });
    expect(changed['spec']).toBe(object.spec);
    expect(changed['status']).toBe(object.status);
  }
});

test('an update that changes nothing is the stored object', () => {
  const { cluster } = aCluster();
  for (const object of aShop()) cluster.apply(object);
  const { server } = cluster;
  const resource = server.resource('apps/v1', 'deployments');
  const target = { resource, namespace: 'default', name: 'web' };
  const before = server.objects.get(target);
  const revision = server.store.revision;
  const body = JSON.parse(JSON.stringify(before)) as JsonObject;
  expect(server.objects.update(target, body, { manager: 'someone' })).toBe(before);
  expect(server.store.revision).toBe(revision);
});

test('a subtree with a field less, or with one more, is not the stored one', () => {
  const shape = shapeFrom({ type: 'object', values: { type: 'string' } });
  const before = { a: '1', b: '2' };
  expect(prune(shape, { a: '1' }, before).value).toEqual({ a: '1' });
  expect(prune(shape, { a: '1', b: '2', c: '3' }, before).value).toEqual({ ...before, c: '3' });
  const list = shapeFrom({ type: 'array', items: { type: 'string' } });
  expect(prune(list, ['1'], ['1', '2']).value).toEqual(['1']);
  expect(prune(list, ['1', '2'], ['1']).value).toEqual(['1', '2']);
});

test('what every JavaScript object has is no field of a schema', () => {
  const shape = shapeFrom({ type: 'object', properties: { a: { type: 'string' } } });
  const { value, unknown } = prune(shape, { a: '1', constructor: '2' }, undefined);
  expect([value, unknown]).toEqual([{ a: '1' }, ['constructor']]);
});

test('annotations are measured in bytes: what just fits is taken, a byte more is not', () => {
  const { cluster } = aCluster();
  const resource = cluster.server.resource('v1', 'configmaps');
  const room = annotationLimit - 'note'.length;
  // Three bytes a unit, and one.
  for (const note of [
    '\u20ac'.repeat(Math.floor(room / 3)) + 'x'.repeat(room % 3),
    'x'.repeat(room),
  ]) {
    const create = (name: string, text: string) =>
      cluster.server.objects.create(
        resource,
        'default',
        { metadata: { name, annotations: { note: text } } },
        { manager: 'someone' },
      );
    expect(create(`fits-${note.length}`, note).metadata.annotations).toEqual({ note });
    expect(() => create('long', `${note}x`)).toThrow('Too long');
  }
});

test('a path that is asked for again names the same object, however many came between', () => {
  const { cluster } = aCluster();
  for (const object of aShop()) cluster.apply(object);
  const nameAt = (path: string) => {
    const query = new URLSearchParams();
    const answer = cluster.server.handle({ method: 'GET', path, query, user: administrator });
    return answer.status === 200 ? asObject(asObject(answer.body).metadata).name : answer.status;
  };
  const deployments = '/apis/apps/v1/namespaces/default/deployments';
  for (let round = 0; round < 2; round += 1) {
    expect(nameAt(`${deployments}/web`)).toBe('web');
    for (let i = 0; i < 600; i += 1) expect(nameAt(`${deployments}/web-${i}`)).toBe(404);
    expect(nameAt('/apis/apps/v1/namespaces/default/nothings/web')).toBe(404);
  }
});
