import { expect, test } from 'vitest';
import type { Effects } from '../../../src/controller/effects.ts';
import { unlessOutdated, written } from '../../../src/controller/write-object.ts';
import type { RawObject } from '../../../src/kubernetes/raw-object.ts';
import { resources } from '../../../src/kubernetes/resources.ts';
import { type ErrorCode, OperatingError } from '../../../src/lib/errors.ts';

const ref = { resource: resources.httpRoutes, namespace: 'shop', name: 'web' };
const { signal } = new AbortController();

/** What the cache learns of, in words. The object is at version 2. */
function recorder() {
  const learnt: string[] = [];
  const versionOf = ({ metadata }: RawObject) => metadata.resourceVersion;
  const effects = {
    client: { get: () => Promise.resolve({ metadata: { name: 'web', resourceVersion: '2' } }) },
    accept: (raw: RawObject) => void learnt.push(`written ${versionOf(raw)}`),
    beginRead: (kind: string) => (raw: RawObject) =>
      void learnt.push(`read ${kind} ${versionOf(raw)}`),
  } as unknown as Effects;
  return { learnt, effects };
}

const refused = (code: ErrorCode) =>
  Promise.reject(new OperatingError(code, 'the route was refused'));

test('the cache learns of what was written', async () => {
  const { learnt, effects } = recorder();
  const answer = { metadata: { name: 'web', resourceVersion: '3' } };
  await written(ref, Promise.resolve(answer), effects, signal);
  expect(learnt).toEqual(['written 3']);
});

// The event of the gateway's status was lost: each pass named the version before it, until the next
// list.
test('and of what has changed since it was read', async () => {
  const { learnt, effects } = recorder();
  const request = written(ref, refused('KUBERNETES_CONFLICT'), effects, signal);
  await expect(request).rejects.toMatchObject({ code: 'KUBERNETES_CONFLICT' });
  expect(learnt).toEqual(['read HTTPRoute 2']);
});

test.each<ErrorCode>(['KUBERNETES_NOT_FOUND', 'KUBERNETES_UNAVAILABLE'])(
  'but not of anything after %s',
  async (code) => {
    const { learnt, effects } = recorder();
    const request = unlessOutdated(ref, refused(code), effects, signal);
    await expect(request).rejects.toMatchObject({ code });
    expect(learnt).toEqual([]);
  },
);
