import { describe, expect, test } from 'vitest';
import { asArray, asObject, type JsonObject } from '../../../src/embedded/json.ts';
import { type Answer, at, eventually, nameOf } from './client.ts';
import { contractCluster } from './cluster.ts';
import { aConfigMap, aDeployment, aRoute } from './objects.ts';

const cluster = contractCluster();
const maps = () => `/api/v1/namespaces/${cluster.namespace}/configmaps`;
const routes = () =>
  `/apis/gateway.networking.k8s.io/v1/namespaces/${cluster.namespace}/httproutes`;
const names = (answer: Answer) =>
  asArray(at(answer, 'items')).map((item) => nameOf(asObject(item)));
const make = (name: string, labels: JsonObject) =>
  cluster.api.post(maps(), aConfigMap(name, { metadata: { labels } }));
const revision = async () =>
  String(at(await cluster.api.get(maps(), { limit: '1' }), 'metadata.resourceVersion'));

describe('list', () => {
  test('is ordered by name, carries a resourceVersion, and its items no kind', async () => {
    for (const name of ['c', 'a', 'b']) await make(`order-${name}`, { set: 'order' });
    const list = await cluster.api.get(maps(), { labelSelector: 'set=order' });
    expect(names(list)).toEqual(['order-a', 'order-b', 'order-c']);
    expect(at(list, 'kind')).toBe('ConfigMapList');
    expect(Number(at(list, 'metadata.resourceVersion'))).toBeGreaterThan(0);
    expect(at(list, 'items.0.kind')).toBeUndefined();
  });

  test('items of custom resources carry their kind', async () => {
    await cluster.api.post(routes(), aRoute('kind', [{ name: 'a', port: 80 }]));
    expect(at(await cluster.api.get(routes()), 'items.0.kind')).toBe('HTTPRoute');
  });

  test('across all namespaces', async () => {
    await make('everywhere', { set: 'everywhere' });
    const list = await cluster.api.get('/api/v1/configmaps', {
      fieldSelector: `metadata.namespace=${cluster.namespace}`,
    });
    expect(names(list)).toContain('everywhere');
  });

  const selectors: readonly [selector: string, found: readonly string[]][] = [
    ['set=sel', ['sel-1', 'sel-2', 'sel-3']],
    ['set=sel,tier=a', ['sel-1']],
    ['set=sel,tier!=a', ['sel-2', 'sel-3']],
    ['set=sel,tier in (a,b)', ['sel-1', 'sel-2']],
    ['set=sel,tier notin (a)', ['sel-2', 'sel-3']],
    ['set=sel,tier', ['sel-1', 'sel-2']],
    ['set=sel,!tier', ['sel-3']],
  ];
  test.each(selectors)('labelSelector %s', async (labelSelector, found) => {
    await make('sel-1', { set: 'sel', tier: 'a' });
    await make('sel-2', { set: 'sel', tier: 'b' });
    await make('sel-3', { set: 'sel' });
    expect(names(await cluster.api.get(maps(), { labelSelector }))).toEqual(found);
  });

  test('a labelSelector that cannot be read is 400', async () => {
    expect((await cluster.api.get(maps(), { labelSelector: 'a b c' })).status).toBe(400);
  });

  test('fieldSelector by name', async () => {
    await make('field', {});
    expect(names(await cluster.api.get(maps(), { fieldSelector: 'metadata.name=field' }))).toEqual([
      'field',
    ]);
  });

  test('a fieldSelector that the resource does not offer is 400', async () => {
    const answer = await cluster.api.get(maps(), { fieldSelector: 'spec.nothing=1' });
    expect(answer.status).toBe(400);
  });

  test('in pages, all of one revision', async () => {
    for (const n of [1, 2, 3, 4, 5]) await make(`page-${n}`, { set: 'page' });
    const first = await cluster.api.get(maps(), { labelSelector: 'set=page', limit: '2' });
    expect(names(first)).toEqual(['page-1', 'page-2']);
    await make('page-35', { set: 'page' });
    const second = await cluster.api.get(maps(), {
      labelSelector: 'set=page',
      limit: '2',
      continue: String(at(first, 'metadata.continue')),
    });
    expect(names(second)).toEqual(['page-3', 'page-4']);
    const third = await cluster.api.get(maps(), {
      labelSelector: 'set=page',
      limit: '2',
      continue: String(at(second, 'metadata.continue')),
    });
    expect(names(third)).toEqual(['page-5']);
    expect(at(third, 'metadata.continue') ?? '').toBe('');
    expect(at(second, 'metadata.resourceVersion')).toBe(at(first, 'metadata.resourceVersion'));
  });

  test('remainingItemCount counts what is left', async () => {
    const all = asArray(at(await cluster.api.get(maps()), 'items')).length;
    const page = await cluster.api.get(maps(), { limit: '1' });
    expect(at(page, 'metadata.remainingItemCount')).toBe(all - 1);
  });

  test('a continue token that is none is 400', async () => {
    expect((await cluster.api.get(maps(), { limit: '1', continue: 'nonsense' })).status).toBe(400);
  });

  test('as a Table with columns', async () => {
    const deployments = `/apis/apps/v1/namespaces/${cluster.namespace}/deployments`;
    await cluster.api.post(deployments, aDeployment('table', { spec: { replicas: 0 } }));
    const table = await cluster.api.get(
      deployments,
      {},
      'application/json;as=Table;v=v1;g=meta.k8s.io,application/json',
    );
    expect(at(table, 'kind')).toBe('Table');
    expect(
      asArray(at(table, 'columnDefinitions'))
        .slice(0, 5)
        .map((column) => asObject(column)['name']),
    ).toEqual(['Name', 'Ready', 'Up-to-date', 'Available', 'Age']);
    expect(asArray(at(table, 'rows.0.cells')).slice(0, 2)).toEqual(['table', '0/0']);
    expect(at(table, 'rows.0.object.kind')).toBe('PartialObjectMetadata');
  });
});

describe('watch', () => {
  test('tells what changes after a resourceVersion', async () => {
    const resourceVersion = await revision();
    const watch = await cluster.api.watch(maps(), { resourceVersion });
    await make('w', {});
    await cluster.api.patch(`${maps()}/w`, 'merge', { data: { a: '2' } });
    await cluster.api.delete(`${maps()}/w`);
    const deleted = await watch.until(({ type }) => type === 'DELETED');
    watch.close();
    expect(watch.events.map(({ type, object }) => `${type} ${nameOf(object)}`)).toEqual([
      'ADDED w',
      'MODIFIED w',
      'DELETED w',
    ]);
    const versions = watch.events.map(({ object }) =>
      Number(at(object, 'metadata.resourceVersion')),
    );
    expect(versions).toEqual([...versions].sort((a, b) => a - b));
    expect(new Set(versions).size).toBe(3);
    expect(at(deleted.object, 'kind')).toBe('ConfigMap');
  });

  test('from resourceVersion 0 begins with what is there', async () => {
    await make('there', { set: 'there' });
    const watch = await cluster.api.watch(maps(), { labelSelector: 'set=there' });
    const first = await watch.until(() => true);
    watch.close();
    expect([first.type, nameOf(first.object)]).toEqual(['ADDED', 'there']);
  });

  test('repeats what was missed', async () => {
    const resourceVersion = await revision();
    await make('missed', {});
    const watch = await cluster.api.watch(maps(), { resourceVersion });
    const event = await watch.until(({ object }) => nameOf(object) === 'missed');
    watch.close();
    expect(event.type).toBe('ADDED');
  });

  test('an object that leaves the selection looks deleted, one that enters looks new', async () => {
    const resourceVersion = await revision();
    const watch = await cluster.api.watch(maps(), { resourceVersion, labelSelector: 'set=moving' });
    await make('mover', { set: 'moving' });
    await cluster.api.patch(`${maps()}/mover`, 'merge', { metadata: { labels: { set: 'gone' } } });
    await cluster.api.patch(`${maps()}/mover`, 'merge', {
      metadata: { labels: { set: 'moving' } },
    });
    await eventually(
      () => watch.events.length,
      (length) => length >= 3,
    );
    watch.close();
    expect(watch.events.map(({ type }) => type)).toEqual(['ADDED', 'DELETED', 'ADDED']);
  });

  test('of one name by fieldSelector', async () => {
    const resourceVersion = await revision();
    const watch = await cluster.api.watch(maps(), {
      resourceVersion,
      fieldSelector: 'metadata.name=only',
    });
    await make('other', {});
    await make('only', {});
    const event = await watch.until(() => true);
    watch.close();
    expect(nameOf(event.object)).toBe('only');
  });

  test('ends after timeoutSeconds', async () => {
    const watch = await cluster.api.watch(maps(), {
      resourceVersion: await revision(),
      timeoutSeconds: '1',
    });
    await eventually(() => watch.ended, Boolean);
    expect(watch.events.filter(({ type }) => type !== 'BOOKMARK')).toEqual([]);
  });

  test('a revision that is not to be had any more is 410 in the stream', async () => {
    const watch = await cluster.api.watch(maps(), { resourceVersion: '1' });
    const event = await watch.until(() => true);
    watch.close();
    expect(watch.status).toBe(200);
    // A server that still remembers everything answers with the first object instead.
    if (event.type === 'ERROR')
      expect(event.object).toMatchObject({ kind: 'Status', code: 410, reason: 'Expired' });
    else expect(event.type).toBe('ADDED');
  });

  test('a resourceVersion that is no number is refused', async () => {
    const watch = await cluster.api.watch(maps(), { resourceVersion: 'abc' });
    watch.close();
    expect([400, 500]).toContain(watch.status);
  });

  test('as Tables', async () => {
    await make('row', { set: 'row' });
    const watch = await cluster.api.watch(
      maps(),
      { labelSelector: 'set=row' },
      'application/json;as=Table;v=v1;g=meta.k8s.io',
    );
    const event = await watch.until(() => true);
    watch.close();
    expect(at(event.object, 'kind')).toBe('Table');
    expect(at(event.object, 'rows.0.cells.0')).toBe('row');
  });
});
