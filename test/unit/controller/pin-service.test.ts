import { expect, test } from 'vitest';
import type { Effects } from '../../../src/controller/effects.ts';
import { pinService } from '../../../src/controller/write-workload.ts';
import { pinAnnotation } from '../../../src/rollout/snapshot.ts';
import {
  aDeployment,
  aService,
  aSnapshot,
  canaryHash,
  stableHash,
} from '../../builders/snapshot.ts';

const deployment = aDeployment();
const conflict = { code: 'KUBERNETES_CONFLICT' };

/** Leads the Service, which is tied to a canary that is not seen, elsewhere. Tells what is sent. */
async function pinned(
  podHash: string | null,
  { marks = {}, isThere = false }: { readonly marks?: object; readonly isThere?: boolean } = {},
): Promise<readonly string[]> {
  const sent: string[] = [];
  const selector = { app: 'web', 'pod-template-hash': canaryHash };
  const service = aService('web', { selector, annotations: { [pinAnnotation]: deployment.uid } });
  const { uid, annotations } = deployment;
  const client = {
    get: ({ resource: { kind } }: { readonly resource: { readonly kind: string } }) => {
      sent.push(`look at the ${kind}`);
      return Promise.resolve({ metadata: { uid, annotations: { ...annotations, ...marks } } });
    },
    find: ({ name }: { readonly name: string }) => {
      sent.push(`look for ${name}`);
      return Promise.resolve(isThere ? { metadata: { name } } : undefined);
    },
    mergePatch: () => {
      sent.push('patch the Service');
      return Promise.resolve({ metadata: {} });
    },
  };
  const noop = () => undefined;
  const effects = { client, accept: noop, beginRead: () => noop } as unknown as Effects;
  const s = aSnapshot({ deployment, service, canary: undefined });
  await pinService(podHash, s, effects, new AbortController().signal);
  return sent;
}

test('what is left of a pin goes after a look at the Deployment', async () => {
  expect(await pinned(null)).toEqual(['look at the Deployment', 'patch the Service']);
});

// It had become the pin of a new canary, whose pods the Service would have led to.
test('but not when a retry was asked for meanwhile', async () => {
  const marks = { 'haldane.dev/request': `retry revision=${canaryHash} id=a` };
  await expect(pinned(null, { marks })).rejects.toMatchObject(conflict);
});

test('the Service is led back to stable when the canary is surely gone', async () => {
  expect(await pinned(stableHash)).toEqual([`look for web-${canaryHash}`, 'patch the Service']);
  await expect(pinned(stableHash, { isThere: true })).rejects.toMatchObject(conflict);
});
