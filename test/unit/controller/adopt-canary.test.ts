import { expect, test } from 'vitest';
import type { Effects } from '../../../src/controller/effects.ts';
import { adoptCanary } from '../../../src/controller/write-workload.ts';
import { templateHash } from '../../../src/kubernetes/template.ts';
import { percent } from '../../../src/lib/units.ts';
import { aDeployment, aReplicaSet, aRoute, aSnapshot, aState } from '../../builders/snapshot.ts';

const template = { metadata: { labels: { app: 'web' } }, spec: { containers: [] } };
const hash = templateHash(template);
const enabled = { 'haldane.dev/enabled': 'true' };

/** Adopts the canary on a Deployment that carries these annotations by now; tells what was sent. */
async function adopted(annotations: Readonly<Record<string, string>>): Promise<readonly string[]> {
  const sent: string[] = [];
  const deployment = aDeployment({ templateHash: hash });
  const route = aRoute({ weight: percent(100) });
  const s = aSnapshot({ deployment, canary: aReplicaSet(hash), route });
  const { uid, name, namespace, replicas } = deployment;
  const metadata = { uid, name, namespace, annotations };
  const client = {
    get: ({ resource: { kind } }: { readonly resource: { readonly kind: string } }) =>
      Promise.resolve(
        kind === 'Deployment' ? { metadata, spec: { paused: true, replicas, template } } : {},
      ),
    mergePatch: ({ name: patched }: { readonly name: string }) => {
      sent.push(patched);
      return Promise.resolve({});
    },
  };
  const rawRoute = () => ({ metadata: { name: 'web', namespace, uid: route.uid } });
  const providers = { httproute: { read: () => route } };
  const effects = { client, accept: () => undefined, rawRoute, providers } as unknown as Effects;
  await adoptCanary(aState(), s, effects, new AbortController().signal);
  return sent;
}

test('the canary is adopted on a Deployment that asks for nothing else', async () => {
  expect(await adopted(enabled)).toEqual([`web-${hash}`]);
});

// After an outage of the API server its watches told of the canary first, of the opt-out later.
test.each([
  ['an opt-out', {}],
  ['a request', { ...enabled, 'haldane.dev/request': 'rollback revision=aaaaaaaaaa id=a' }],
])('%s that has not been seen is not overlooked', async (_what, annotations) => {
  await expect(adopted(annotations)).rejects.toMatchObject({ code: 'KUBERNETES_CONFLICT' });
});
