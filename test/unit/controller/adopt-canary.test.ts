import { expect, test } from 'vitest';
import type { Effects } from '../../../src/controller/effects.ts';
import { adoptCanary } from '../../../src/controller/write-workload.ts';
import { templateHash } from '../../../src/kubernetes/template.ts';
import { percent } from '../../../src/lib/units.ts';
import { aDeployment, aReplicaSet, aRoute, aSnapshot, aState } from '../../builders/snapshot.ts';

const template = { metadata: { labels: { app: 'web' } }, spec: { containers: [] } };
const hash = templateHash(template);
const look = ['look at Deployment', 'look at HTTPRoute'];
const enabled = { 'haldane.dev/enabled': 'true' };

/**
 * Adopts the canary on a Deployment that carries these annotations by now, and another template as
 * soon as the route was looked at; that takes as long as told, ms, and the watch may be quicker.
 * Tells what was sent.
 */
async function adopted(
  annotations: Readonly<Record<string, string>>,
  {
    takes = 0,
    later = template,
    isTold = false,
  }: {
    readonly takes?: number;
    readonly later?: object;
    readonly isTold?: boolean;
  } = {},
): Promise<readonly string[]> {
  const sent: string[] = [];
  let now = 0;
  let asked: object = template;
  const deployment = aDeployment({ templateHash: hash });
  const route = aRoute({ weight: percent(100) });
  const s = aSnapshot({ deployment, canary: aReplicaSet(hash), route });
  const { uid, name, namespace, replicas } = deployment;
  const metadata = { uid, name, namespace, annotations, resourceVersion: '1' };
  const client = {
    get: ({ resource: { kind } }: { readonly resource: { readonly kind: string } }) => {
      sent.push(`look at ${kind}`);
      const spec = { paused: true, replicas, template: asked };
      if (kind === 'Deployment') return Promise.resolve({ metadata, spec });
      now += takes;
      asked = later;
      return Promise.resolve({});
    },
    mergePatch: ({ name: patched }: { readonly name: string }) => {
      sent.push(patched);
      return Promise.resolve({});
    },
  };
  const rawRoute = () => ({ metadata: { name: 'web', namespace, uid: route.uid } });
  const providers = { httproute: { read: () => route } };
  const clock = { monotonic: () => now };
  const deploymentVersion = () => (isTold ? '2' : '1');
  const accept = () => undefined;
  const known = { client, clock, accept, deploymentVersion, rawRoute, providers };
  const effects = known as unknown as Effects;
  await adoptCanary(aState(), s, effects, new AbortController().signal);
  return sent;
}

test('the canary is adopted on a Deployment that asks for nothing else', async () => {
  expect(await adopted(enabled)).toEqual([...look, `web-${hash}`]);
});

// The Deployment would scale it down as soon as it is adopted, with all requests led to it.
test('a template that changes while the route is looked at is not overlooked', async () => {
  const later = { ...template, spec: { containers: [{ image: 'another' }] } };
  const asked = adopted(enabled, { takes: 2866, later });
  await expect(asked).rejects.toMatchObject({ code: 'KUBERNETES_CONFLICT' });
});

test('nor is what the watch tells meanwhile', async () => {
  const asked = adopted(enabled, { takes: 768, isTold: true });
  await expect(asked).rejects.toMatchObject({ code: 'KUBERNETES_CONFLICT' });
});

test('where every look takes long the third is the last', async () => {
  const sent = await adopted(enabled, { takes: 2000 });
  expect(sent).toEqual([...look, ...look, ...look, `web-${hash}`]);
});

// After an outage of the API server its watches told of the canary first, of the opt-out later.
test.each([
  ['an opt-out', {}],
  ['a request', { ...enabled, 'haldane.dev/request': 'rollback revision=aaaaaaaaaa id=a' }],
])('%s that has not been seen is not overlooked', async (_what, annotations) => {
  await expect(adopted(annotations)).rejects.toMatchObject({ code: 'KUBERNETES_CONFLICT' });
});
