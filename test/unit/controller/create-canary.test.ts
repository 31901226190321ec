import { expect, test } from 'vitest';
import type { Effects } from '../../../src/controller/effects.ts';
import { createCanary, createCanaryService } from '../../../src/controller/write-workload.ts';
import { templateHash } from '../../../src/kubernetes/template.ts';
import { OperatingError } from '../../../src/lib/errors.ts';
import { aDeployment, aSnapshot, aState, canaryHash } from '../../builders/snapshot.ts';

const template = { metadata: { labels: { app: 'web' } }, spec: { containers: [] } };
const hash = templateHash(template);

/** Creates the canary on a Deployment that carries these annotations by now. */
async function created(annotations: Readonly<Record<string, string>>): Promise<readonly string[]> {
  const found: string[] = [];
  const deployment = aDeployment({ templateHash: hash, annotations: {} });
  const metadata = { name: 'web', namespace: 'shop', uid: deployment.uid, annotations };
  const spec = { selector: { matchLabels: { app: 'web' } }, template };
  const client = {
    get: () => Promise.resolve({ metadata, spec }),
    create: (_resource: unknown, _namespace: string, body: { metadata: { name: string } }) => {
      found.push(body.metadata.name);
      return Promise.resolve(body);
    },
  };
  const effects = { client, accept: () => undefined } as unknown as Effects;
  const s = aSnapshot({ deployment, canary: undefined });
  const state = aState({ revision: hash });
  await createCanary({ state }, s, effects, new AbortController().signal);
  return found;
}

test('the canary of a template that nobody has rejected is created', async () => {
  expect(await created({})).toEqual([`web-${hash}`]);
});

// I12: a leader that looked before another one rejected the revision and took its canary away.
test('a rejection that was recorded meanwhile is not overlooked', async () => {
  const rejected = { 'haldane.dev/rejected': JSON.stringify([{ revision: canaryHash }]) };
  await expect(created(rejected)).rejects.toMatchObject({ code: 'KUBERNETES_CONFLICT' });
});

// Its Service was collected and created again, a hundred times a second.
test('for a Deployment that was deleted unseen no Service is created', async () => {
  const created: string[] = [];
  const gone = new OperatingError('KUBERNETES_NOT_FOUND', 'no such Deployment');
  const client = {
    get: ({ resource }: { readonly resource: { readonly kind: string } }) =>
      resource.kind === 'Deployment' ? Promise.reject(gone) : Promise.resolve({ metadata: {} }),
    create: (resource: { readonly kind: string }) => {
      created.push(resource.kind);
      return Promise.resolve({});
    },
  };
  const effects = { client, accept: () => undefined } as unknown as Effects;
  const { signal } = new AbortController();
  await expect(createCanaryService(aSnapshot(), effects, signal)).rejects.toBe(gone);
  expect(created).toEqual([]);
});
