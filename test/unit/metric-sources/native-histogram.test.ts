import { expect, test } from 'vitest';
import {
  countUpTo,
  type NativeHistogram,
  nativeBounds,
  readNative,
} from '../../../src/metric-sources/native-histogram.ts';

function read(told: unknown): NativeHistogram {
  const histogram = readNative(told);
  if (histogram === undefined) throw new Error('not read');
  return histogram;
}

// Two scrapes of one pod, as Prometheus 2.42 told them; between them the resolution was lowered.
const finer = read({
  count: '1587',
  sum: '144.44460238900018',
  buckets: [
    [0, '0.057312752700291944', '0.0625', '65'],
    [0, '0.0625', '0.0681567332915786', '138'],
    [0, '0.0681567332915786', '0.07432544468767006', '163'],
    [0, '0.07432544468767006', '0.0810524721656881', '142'],
    [0, '0.0810524721656881', '0.08838834764831843', '190'],
    [0, '0.08838834764831843', '0.0963881765879963', '225'],
    [0, '0.0963881765879963', '0.1051120519067143', '238'],
    [0, '0.1051120519067143', '0.11462550540058389', '264'],
    [0, '0.11462550540058389', '0.125', '161'],
    [0, '0.125', '0.1363134665831572', '1'],
  ],
});
const coarser = read({
  count: '1621',
  sum: '147.5092967770002',
  buckets: [
    [0, '0.044194173824159216', '0.0625', '68'],
    [0, '0.0625', '0.08838834764831843', '647'],
    [0, '0.08838834764831843', '0.125', '904'],
    [0, '0.125', '0.17677669529663687', '2'],
  ],
});

test('bounds that a live pod tells are told after it has lost resolution', () => {
  const bounds = nativeBounds([finer]);
  expect(bounds).toEqual([0.0625, 0.08838834764831843, 0.125]);
  expect(nativeBounds([finer, coarser])).toEqual([...bounds, 0.17677669529663687]);
  expect(bounds.map((bound) => countUpTo(finer, bound))).toEqual([65, 698, 1586]);
  expect(bounds.map((bound) => countUpTo(coarser, bound))).toEqual([68, 715, 1619]);
  expect([finer.count, coarser.count]).toEqual([1587, 1621]);
});

test('other ends are not told any more', () => {
  expect(countUpTo(finer, 0.0963881765879963)).toBe(923);
  expect(countUpTo(coarser, 0.0963881765879963)).toBeUndefined();
});

test('a pod that has answered nothing yet has no buckets', () => {
  const none = read({ count: '0', sum: '0' });
  expect(none).toEqual({ count: 0, buckets: [] });
  expect(countUpTo(none, 0.1)).toBe(0);
});
