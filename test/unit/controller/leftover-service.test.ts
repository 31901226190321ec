import { expect, test } from 'vitest';
import type { Effects } from '../../../src/controller/effects.ts';
import { deleteCanaryService } from '../../../src/controller/write-workload.ts';
import { canaryServiceName, isCanaryServiceOf } from '../../../src/kubernetes/canary-workload.ts';
import type { Snapshot } from '../../../src/rollout/snapshot.ts';
import { aDeployment, aRoute, aService, aSnapshot, canaryHash } from '../../builders/snapshot.ts';

const deployment = aDeployment();
const earlier = 'cccccccccc';
const leftover = aService(canaryServiceName(deployment.name, earlier), {
  selector: { app: 'web', 'pod-template-hash': earlier },
  ownerUids: [deployment.uid],
});

/** Deletes a Service while its ReplicaSet has these annotations; undefined: it is gone. */
async function deleted(
  name: string,
  annotations: Readonly<Record<string, string>> | undefined,
  change: Partial<Snapshot> = {},
  listed?: string,
): Promise<readonly string[]> {
  const sent: string[] = [];
  const { name: of, namespace, uid } = aRoute();
  const route = { metadata: { name: of, namespace, uid } };
  const client = {
    get: () => Promise.resolve(route),
    find: ({ name: found }: { readonly name: string }) => {
      sent.push(`look at ${found}`);
      return Promise.resolve(annotations === undefined ? undefined : { metadata: { annotations } });
    },
    deleteObject: ({ name: found }: { readonly name: string }, { uid = '' }) => {
      sent.push(`delete ${found} ${uid}`);
      return Promise.resolve();
    },
  };
  const s = aSnapshot({ deployment, leftoverServices: [leftover], ...change });
  const record = { ...aRoute().record, canaryService: listed };
  const providers = { httproute: { read: () => ({ ...aRoute(), record }) } };
  const seen = { client, providers, accept: () => undefined, rawRoute: () => route };
  const effects = seen as unknown as Effects;
  await deleteCanaryService(name, s, effects, new AbortController().signal);
  return sent;
}

test.each([
  ['is gone', undefined],
  ['was promoted long ago', { 'deployment.kubernetes.io/revision': '2' }],
])('a leftover is deleted when its ReplicaSet %s', async (_what, annotations) => {
  expect(await deleted(leftover.name, annotations)).toEqual([
    `look at web-${earlier}`,
    `delete ${leftover.name} ${leftover.uid}`,
  ]);
});

test('and stays when a canary needs it of which the watch has not told yet', async () => {
  await expect(deleted(leftover.name, { 'haldane.dev/state': '{}' })).rejects.toMatchObject({
    code: 'KUBERNETES_CONFLICT',
  });
});

test('the Service of the canary under way is deleted without a look at it', async () => {
  const { name = '', uid = '' } = aSnapshot().canaryService ?? {};
  expect(await deleted(name, { 'haldane.dev/state': '{}' })).toEqual([`delete ${name} ${uid}`]);
});

test('but not one that the route lists, whatever the watch has told of it', async () => {
  const { name = '' } = aSnapshot().canaryService ?? {};
  await expect(deleted(name, undefined, {}, name)).rejects.toMatchObject({
    code: 'KUBERNETES_CONFLICT',
  });
});

test('nor while the canary is missing from what the watch has told', async () => {
  const { canaryService } = aSnapshot();
  const { name = '' } = canaryService ?? {};
  const lost = { canary: undefined, leftoverServices: [aService(name)] };
  const going = deleted(name, { 'haldane.dev/state': '{}' }, lost);
  await expect(going).rejects.toMatchObject({ code: 'KUBERNETES_CONFLICT' });
});

test.each([
  ['ours', {}, true],
  ['of another owner', { ownerUids: ['another'] }, false],
  ['of another name', { name: 'web-canary' }, false],
  ['tied to another revision', { selector: { 'pod-template-hash': canaryHash } }, false],
  ['tied to none', { selector: { app: 'web' } }, false],
])('a Service that is %s', (_what, change, isOurs) => {
  expect(isCanaryServiceOf({ ...leftover, ...change }, deployment)).toBe(isOurs);
});
