import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { FieldSet } from '../../../src/embedded/field-set.ts';
import {
  equalSets,
  intersect,
  isEmptySet,
  members,
  overlaps,
  subtract,
  unite,
} from '../../../src/embedded/field-set.ts';
import type { Json } from '../../../src/embedded/json.ts';
import { mergePatch } from '../../../src/embedded/merge-patch.ts';
import type { KubernetesObject } from '../../../src/embedded/resource.ts';
import { Store } from '../../../src/embedded/store.ts';

const object = (name: string, value = 0): KubernetesObject => ({
  apiVersion: 'v1',
  kind: 'Thing',
  metadata: { name, namespace: 'ns', uid: name, resourceVersion: '', creationTimestamp: '' },
  spec: { value },
});
const names = (list: readonly KubernetesObject[] | undefined) =>
  list?.map(({ metadata }) => metadata.name);

describe('store', () => {
  test('every commit has a revision of its own, across resources', () => {
    const store = new Store();
    const versions = [
      store.commit('a', 'ADDED', object('x')),
      store.commit('b', 'ADDED', object('x')),
      store.commit('a', 'MODIFIED', object('x', 1)),
    ];
    expect(new Set(versions.map(({ metadata }) => metadata.resourceVersion)).size).toBe(3);
    expect(Number(versions[2]?.metadata.resourceVersion)).toBe(store.revision);
  });

  test('any state of the past can be listed as long as the history reaches', () => {
    const operations = fc.array(
      fc.record({ name: fc.constantFrom('a', 'b', 'c'), gone: fc.boolean() }),
      { maxLength: 30 },
    );
    fc.assert(
      fc.property(operations, (steps) => {
        const store = new Store();
        const past: [number, readonly string[] | undefined][] = [];
        for (const { name, gone } of steps) {
          const there = store.read('k', 'ns', name) !== undefined;
          if (gone && there) store.commit('k', 'DELETED', object(name));
          else if (!gone) store.commit('k', there ? 'MODIFIED' : 'ADDED', object(name));
          past.push([store.revision, names(store.list('k'))]);
        }
        for (const [revision, then] of past)
          expect(names(store.listAt('k', revision))).toEqual(then);
      }),
      { numRuns: 200 },
    );
  });

  test('what is compacted can be neither listed nor watched from', () => {
    const store = new Store();
    for (let i = 0; i < 5; i += 1)
      store.commit('k', i === 0 ? 'ADDED' : 'MODIFIED', object('x', i));
    const { revision } = store;
    store.compact(revision - 1);
    expect(store.listAt('k', revision - 2)).toBeUndefined();
    expect(store.changesSince(revision - 2)).toBeUndefined();
    expect(store.changesSince(revision - 1)).toHaveLength(1);
  });

  test('whatever is committed is frozen all the way down, and shared where it is as before', () => {
    const store = new Store();
    const labels = { app: 'web' };
    const items = [{ deep: [{ value: 1 }] }, { deep: [] }];
    const stored = (list: readonly Json[]) => {
      const { metadata, ...rest } = object('x');
      const now = { ...rest, metadata: { ...metadata, labels }, spec: { list } };
      return store.commit('k', store.revision === 1 ? 'ADDED' : 'MODIFIED', now);
    };
    const first = stored(items);
    const second = stored([items[0] as Json, { deep: [{ value: 2 }] }, { moved: items }]);
    const frozen = (value: unknown): boolean =>
      typeof value !== 'object' ||
      value === null ||
      (Object.isFrozen(value) && Object.values(value).every(frozen));
    expect([first, second].every(frozen)).toBe(true);
    expect(second.metadata.labels).toBe(first.metadata.labels);
  });

  test('a list shows each change, and the one handed out before stays as it was', () => {
    const store = new Store();
    store.commit('k', 'ADDED', object('b'));
    const one = store.list('k', 'ns');
    expect(store.list('k', 'ns')).toBe(one);
    const added = store.commit('k', 'ADDED', object('a'));
    expect(store.list('k', 'ns')).toEqual([added, ...one]);
    store.commit('k', 'DELETED', object('b'));
    expect(store.list('k', 'ns')).toEqual([added]);
    expect(names(one)).toEqual(['b']);
  });

  test('tells those who listen in the order they came, of what they asked for', () => {
    const store = new Store();
    const heard: string[] = [];
    const hear = (who: string) => () => heard.push(who);
    store.onCommit(hear('first of a'), 'a');
    const end = store.onCommit(hear('all'));
    store.onCommit(hear('of b'), 'b');
    store.commit('a', 'ADDED', object('x'));
    store.onCommit(hear('last of a'), 'a');
    store.commit('a', 'MODIFIED', object('x', 1));
    store.commit('c', 'ADDED', object('x'));
    end();
    store.commit('b', 'ADDED', object('x'));
    expect(heard).toEqual(['first of a', 'all', 'first of a', 'all', 'last of a', 'all', 'of b']);
  });

  test('lists all namespaces in their order, with each change', () => {
    const store = new Store();
    const at = (namespace: string, value = 0) => {
      const { metadata, ...rest } = object('x', value);
      return { ...rest, metadata: { ...metadata, namespace } };
    };
    const all = () => store.list('k').map(({ metadata, spec }) => [metadata.namespace, spec]);
    store.commit('k', 'ADDED', at('b'));
    expect(all()).toEqual([['b', { value: 0 }]]);
    store.commit('k', 'ADDED', at('a'));
    store.commit('k', 'MODIFIED', at('b', 1));
    expect(all()).toEqual([
      ['a', { value: 0 }],
      ['b', { value: 1 }],
    ]);
    store.commit('k', 'DELETED', at('a'));
    expect(all()).toEqual([['b', { value: 1 }]]);
  });

  test('the history is bounded', () => {
    const store = new Store({ historyLimit: 100 });
    for (let i = 0; i < 1000; i += 1)
      store.commit('k', i === 0 ? 'ADDED' : 'MODIFIED', object('x', i));
    expect(store.changesSince(1)).toBeUndefined();
    expect(store.changesSince(store.revision - 50)).toHaveLength(50);
  });
});

describe('merge patch', () => {
  const json = fc.jsonValue({ maxDepth: 3 }) as fc.Arbitrary<Json>;

  test('twice is once', () => {
    fc.assert(
      fc.property(json, json, (target, patch) => {
        const merged = mergePatch(target, patch);
        expect(mergePatch(merged, patch)).toEqual(merged);
      }),
      { numRuns: 300 },
    );
  });

  test('that changes nothing shares everything', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.string()), (target) => {
        expect(mergePatch(target, { ...target })).toBe(target);
      }),
      { numRuns: 100 },
    );
  });
});

describe('field sets', () => {
  const { tree } = fc.letrec<{ tree: FieldSet }>((tie) => ({
    tree: fc
      .dictionary(
        fc.constantFrom('f:a', 'f:b', 'f:c', '.'),
        fc.oneof({ maxDepth: 3, withCrossShrink: true }, fc.constant({}), tie('tree')),
        { maxKeys: 3 },
      )
      .map((node) => ('.' in node ? { ...node, '.': {} } : node)),
  }));
  const root = tree.map(({ '.': _dot, ...rest }) => rest);
  const paths = (set: FieldSet) => new Set(members(set).map((path) => path.join(' ')));

  test('are sets', () => {
    fc.assert(
      fc.property(root, root, (a, b) => {
        const [of, inB] = [paths(a), paths(b)];
        expect(paths(unite(a, b))).toEqual(new Set([...of, ...inB]));
        expect(paths(subtract(a, b))).toEqual(new Set([...of].filter((path) => !inB.has(path))));
        expect(paths(intersect(a, b))).toEqual(new Set([...of].filter((path) => inB.has(path))));
        expect(overlaps(a, b)).toBe([...of].some((path) => inB.has(path)));
        expect(isEmptySet(subtract(a, a))).toBe(true);
        expect(equalSets(unite(a, a), a)).toBe(true);
      }),
      { numRuns: 500 },
    );
  });
});
