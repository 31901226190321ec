import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { RawObject } from '../../../src/kubernetes/raw-object.ts';
import { compareResourceVersions } from '../../../src/kubernetes/resource-version.ts';
import { createStore } from '../../../src/kubernetes/store.ts';

interface Thing {
  readonly name: string;
  readonly color: string;
  readonly version: string;
}

const raw = (
  name: string,
  version: number,
  fields: { uid?: string; color?: string } = {},
): RawObject => ({
  metadata: {
    namespace: 'shop',
    name,
    uid: fields.uid ?? `uid-${name}`,
    resourceVersion: String(version),
    labels: { color: fields.color ?? 'red' },
  },
});

function aStore() {
  const problems: string[] = [];
  const story: string[] = [];
  const store = createStore<Thing, 'color'>({
    project: (object) => {
      const { name, labels, resourceVersion = '' } = object.metadata;
      const color = labels?.['color'] ?? '';
      if (color === 'broken') throw new Error('no such color');
      return { name, color, version: resourceVersion };
    },
    indexes: { color: (thing) => [thing.color] },
    onProblem: (problem) => problems.push(`${problem.key}: ${problem.message}`),
  });
  store.onChange(({ key, previous, current }) => {
    story.push(`${key} ${previous?.version ?? '-'}>${current?.version ?? '-'}`);
  });
  const remove = (object: RawObject) => store.observe({ type: 'DELETED', object }, undefined);
  const list = (version: number, objects: readonly RawObject[], historyRestarted = false) => {
    const listing = store.beginListing({ historyRestarted, namespace: undefined });
    for (const object of objects) listing.add(object);
    listing.finish(String(version));
  };
  return { store, problems, story, list, remove };
}

test.each<[a: string, b: string, sign: number | undefined]>([
  ['9', '10', -1],
  ['10', '10', 0],
  ['11', '10', 1],
  ['9007199254740993', '9007199254740992', 1],
  ['0', '1', -1],
  ['', '1', undefined],
  ['v1', '1', undefined],
  ['01', '1', undefined],
])('versions %s and %s', (a, b, sign) => {
  const order = compareResourceVersions(a, b);
  expect(order === undefined ? undefined : Math.sign(order)).toBe(sign);
});

test('finds by name, namespace and index, and follows changes of the index key', () => {
  const { store, remove } = aStore();
  store.accept(raw('a', 1));
  store.accept(raw('b', 2, { color: 'blue' }));
  expect(store.by('color', 'red').map((thing) => thing.name)).toEqual(['a']);
  store.accept(raw('a', 3, { color: 'blue' }));
  expect(store.by('color', 'red')).toEqual([]);
  expect(store.by('color', 'blue')).toHaveLength(2);
  expect(store.inNamespace('shop')).toHaveLength(2);
  expect(store.inNamespace('other')).toEqual([]);
  remove(raw('b', 4));
  expect(store.by('color', 'blue').map((thing) => thing.name)).toEqual(['a']);
  expect(store.get('shop', 'b')).toBeUndefined();
});

test('an older or repeated version changes nothing', () => {
  const { store, story } = aStore();
  store.accept(raw('a', 9));
  store.accept(raw('a', 10));
  store.accept(raw('a', 9, { color: 'blue' }));
  store.accept(raw('a', 10, { color: 'blue' }));
  expect(store.get('shop', 'a')).toEqual({ name: 'a', color: 'red', version: '10' });
  expect(story).toEqual(['shop/a ->9', 'shop/a 9>10']);
});

test('a late answer does not bring a deleted object back', () => {
  const { store, list, remove } = aStore();
  store.accept(raw('a', 1));
  remove(raw('a', 3));
  store.accept(raw('a', 2));
  expect(store.get('shop', 'a')).toBeUndefined();
  store.accept(raw('b', 5));
  list(8, []);
  store.accept(raw('b', 6));
  expect(store.size).toBe(0);
});

test('the deletion of an object we never saw counts too', () => {
  const { store, remove } = aStore();
  remove(raw('a', 3));
  store.accept(raw('a', 2));
  expect(store.size).toBe(0);
});

test('what came and went while nobody watched does not come back by a late answer', () => {
  const { store, list } = aStore();
  list(10, []);
  store.accept(raw('a', 9));
  store.observe({ type: 'BOOKMARK', resourceVersion: '20' }, undefined);
  store.accept(raw('b', 15));
  expect(store.size).toBe(0);
  store.accept(raw('c', 21));
  expect(store.size).toBe(1);
});

test('a list tells of an object whose event was lost without a sign', () => {
  const { store, list } = aStore();
  list(10, []);
  store.observe({ type: 'BOOKMARK', resourceVersion: '20' }, undefined);
  list(30, [raw('a', 15)]);
  expect(store.get('shop', 'a')?.version).toBe('15');
});

test('a read tells of an object whose event was lost, unless something went meanwhile', () => {
  const { store, list, remove } = aStore();
  list(20, []);
  store.beginRead()(raw('a', 15));
  expect(store.get('shop', 'a')?.version).toBe('15');
  const overtaken = store.beginRead();
  remove(raw('b', 21));
  overtaken(raw('b', 16));
  const overtakenByList = store.beginRead();
  list(22, []);
  overtakenByList(raw('c', 17));
  expect(store.size).toBe(0);
});

test('a read never brings an older version of what is known', () => {
  const { store } = aStore();
  const read = store.beginRead();
  store.accept(raw('a', 9));
  read(raw('a', 8));
  expect(store.get('shop', 'a')?.version).toBe('9');
});

test('the same name with another uid is a going and a coming', () => {
  const { store, story, remove } = aStore();
  store.accept(raw('a', 1, { uid: 'first' }));
  store.accept(raw('a', 5, { uid: 'second' }));
  store.accept(raw('a', 4, { uid: 'first' }));
  remove(raw('a', 4, { uid: 'first' }));
  expect(store.get('shop', 'a')?.version).toBe('5');
  expect(story).toEqual(['shop/a ->1', 'shop/a 1>-', 'shop/a ->5']);
});

test('a list removes what it lacks, but not what we wrote after it was made', () => {
  const { store, list } = aStore();
  store.accept(raw('gone', 1));
  store.accept(raw('kept', 2));
  store.accept(raw('ours', 12));
  list(10, [raw('kept', 2), raw('new', 9)]);
  expect(store.values().map((thing) => thing.name)).toEqual(['kept', 'ours', 'new']);
});

test('a list of one namespace says nothing about the others', () => {
  const { store } = aStore();
  store.accept(raw('a', 1));
  const listing = store.beginListing({ historyRestarted: false, namespace: 'other' });
  listing.add({ metadata: { ...raw('b', 2).metadata, namespace: 'other' } });
  listing.finish('10');
  expect(store.values().map((thing) => thing.name)).toEqual(['a', 'b']);
  store.beginListing({ historyRestarted: false, namespace: 'shop' }).finish('11');
  expect(store.values().map((thing) => thing.name)).toEqual(['b']);
});

test('after a restore of the storage the list is believed although its versions are lower', () => {
  const { store, list, remove } = aStore();
  store.accept(raw('a', 100, { color: 'blue' }));
  store.accept(raw('b', 101));
  remove(raw('c', 102));
  list(50, [raw('a', 40), raw('c', 41)], true);
  expect(store.values().map((thing) => `${thing.name} ${thing.version}`)).toEqual(['a 40', 'c 41']);
});

test('what cannot be projected is set aside: its last good value stays, the others go on', () => {
  const { store, problems, story } = aStore();
  store.accept(raw('a', 1));
  store.accept(raw('a', 2, { color: 'broken' }));
  store.accept(raw('b', 3, { color: 'broken' }));
  store.accept(raw('c', 4));
  expect(problems).toEqual(['shop/a: no such color', 'shop/b: no such color']);
  expect(store.quarantined()).toEqual(['shop/a', 'shop/b']);
  expect(store.get('shop', 'a')?.version).toBe('1');
  store.accept(raw('a', 5));
  store.accept(raw('b', 6));
  expect(store.quarantined()).toEqual([]);
  expect(story).toEqual(['shop/a ->1', 'shop/c ->4', 'shop/a 1>5', 'shop/b ->6']);
});

test('a listener that throws is reported and does not keep the others from hearing', () => {
  const { store, problems } = aStore();
  const heard: string[] = [];
  store.onChange(() => {
    throw new Error('deaf');
  });
  const stop = store.onChange(({ key }) => void heard.push(key));
  store.accept(raw('a', 1));
  stop();
  store.accept(raw('a', 2));
  expect([heard, problems]).toEqual([['shop/a'], ['shop/a: deaf', 'shop/a: deaf']]);
});

/**
 * What really happened to one object: versions rise, and every deletion is followed by another uid.
 */
const histories = fc.array(
  fc.record({ name: fc.constantFrom('a', 'b'), what: fc.constantFrom('set', 'set', 'delete') }),
  { minLength: 1, maxLength: 12 },
);

test('in whatever order late answers arrive among the events, the end is the truth', () => {
  fc.assert(
    fc.property(histories, fc.infiniteStream(fc.nat(1000)), (history, chance) => {
      const { store, story, remove } = aStore();
      const alive = new Map<string, string>();
      const past: RawObject[] = [];
      const draw = () => Number(chance.next().value);
      history.forEach(({ name, what }, index) => {
        const version = index + 1;
        const uid = alive.get(name);
        if (what === 'delete') {
          if (uid === undefined) return;
          alive.delete(name);
          remove(raw(name, version, { uid }));
        } else {
          const object = raw(name, version, { uid: uid ?? `${name}-${version}` });
          alive.set(name, object.metadata.uid ?? '');
          past.push(object);
          store.observe({ type: 'MODIFIED', object }, undefined);
        }
        // Answers to our own writes of any earlier moment.
        for (let late = draw() % 3; late > 0; late -= 1) {
          const answer = past[draw() % Math.max(1, past.length)];
          if (answer !== undefined) store.accept(answer);
        }
      });
      const newest = new Map(past.map((object) => [object.metadata.name, object]));
      const truth = [...alive.keys()].map((name) => newest.get(name)?.metadata.resourceVersion);
      expect(new Set(store.values().map((thing) => thing.version))).toEqual(new Set(truth));
      // No listener ever saw a version go back.
      for (const line of story) {
        const [, from = '', to = ''] = /(\S+)>(\S+)$/.exec(line) ?? [];
        if (from !== '-' && to !== '-') expect(Number(to)).toBeGreaterThan(Number(from));
      }
    }),
    { numRuns: 500 },
  );
});
