import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { createStore } from '../../../src/kubernetes/store.ts';

const object = (name: string, version: number, color: string) => ({
  metadata: {
    namespace: 'shop',
    name,
    uid: `uid-${name}-${version % 2}`,
    resourceVersion: String(version),
    labels: { color },
  },
});

const change = fc.record({
  kind: fc.constantFrom('ADDED', 'DELETED', 'accept', 'read', 'list', 'restored'),
  name: fc.constantFrom('a', 'b', 'c'),
  version: fc.integer({ min: 1, max: 12 }),
  color: fc.constantFrom('red', 'blue', 'broken'),
});

test('two looks at the same number of changes see the same', () => {
  fc.assert(
    fc.property(fc.array(change, { maxLength: 30 }), (changes) => {
      const store = createStore<string, 'color'>({
        project: ({ metadata }) => {
          const color = metadata.labels?.['color'] ?? '';
          if (color === 'broken') throw new Error('no such color');
          return `${metadata.name} ${metadata.resourceVersion} ${color}`;
        },
        indexes: { color: (thing) => [thing.split(' ').at(-1) ?? ''] },
      });
      const look = () => JSON.stringify([store.values(), store.by('color', 'red')]);
      for (const { kind, name, version, color } of changes) {
        const before = { number: store.changes, seen: look() };
        const raw = object(name, version, color);
        if (kind === 'accept') store.accept(raw);
        else if (kind === 'read') store.beginRead()(raw);
        else if (kind === 'list' || kind === 'restored') {
          const historyRestarted = kind === 'restored';
          const listing = store.beginListing({ historyRestarted, namespace: undefined });
          listing.add(raw);
          listing.finish(String(version));
        } else store.observe({ type: kind as 'ADDED', object: raw }, undefined);
        expect(store.changes).toBeGreaterThanOrEqual(before.number);
        if (store.changes === before.number) expect(look()).toBe(before.seen);
      }
    }),
  );
});
