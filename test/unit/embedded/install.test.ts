import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import {
  type AccessAttributes,
  isAllowed,
  serviceAccount,
} from '../../../src/embedded/authorization.ts';
import type { JsonObject } from '../../../src/embedded/json.ts';
import { seconds } from '../../../src/lib/units.ts';
import { aCluster, aShop, image } from './scene.ts';

const manifests = new URL('../../../manifests/install/', import.meta.url);
const documents = (file: string): readonly JsonObject[] =>
  parseAllDocuments(readFileSync(new URL(file, manifests), 'utf8'))
    .map((document) => document.toJSON() as JsonObject | null)
    .filter((object) => object !== null);

function installed() {
  const scene = aCluster();
  for (const file of [
    'namespace.yaml',
    'service-account.yaml',
    'rbac.yaml',
    'pause-on-change.yaml',
  ])
    for (const object of documents(file)) scene.cluster.apply(object);
  return scene;
}

describe('the shipped manifests', () => {
  const user = serviceAccount('haldane', 'haldane');
  const rights: readonly [what: string, wanted: AccessAttributes, allowed: boolean][] = [
    [
      'patch Deployments',
      { verb: 'patch', group: 'apps', resource: 'deployments', namespace: 'shop' },
      true,
    ],
    [
      'patch their status',
      {
        verb: 'patch',
        group: 'apps',
        resource: 'deployments',
        subresource: 'status',
        namespace: 'shop',
      },
      true,
    ],
    [
      'create ReplicaSets',
      { verb: 'create', group: 'apps', resource: 'replicasets', namespace: 'shop' },
      true,
    ],
    [
      'patch routes',
      {
        verb: 'patch',
        group: 'gateway.networking.k8s.io',
        resource: 'httproutes',
        namespace: 'shop',
      },
      true,
    ],
    ['watch pods', { verb: 'watch', group: '', resource: 'pods', namespace: 'shop' }, true],
    [
      'read Secrets',
      { verb: 'get', group: '', resource: 'secrets', namespace: 'shop', name: 'x' },
      false,
    ],
    [
      'delete Deployments',
      { verb: 'delete', group: 'apps', resource: 'deployments', namespace: 'shop' },
      false,
    ],
    ['delete pods', { verb: 'delete', group: '', resource: 'pods', namespace: 'shop' }, false],
    [
      'change policies',
      {
        verb: 'update',
        group: 'admissionregistration.k8s.io',
        resource: 'mutatingadmissionpolicies',
      },
      false,
    ],
    [
      'grant rights',
      { verb: 'create', group: 'rbac.authorization.k8s.io', resource: 'clusterrolebindings' },
      false,
    ],
  ];
  test.each(rights)('the controller and its right to %s', (_what, wanted, allowed) => {
    const { cluster } = installed();
    expect(isAllowed(cluster.server.store, user, wanted)).toBe(allowed);
  });

  test('the policy pauses an opted-in Deployment whose template changes', async () => {
    const { clock, cluster } = installed();
    const [deployment = {}] = aShop();
    const optedIn = { name: 'web', annotations: { 'haldane.dev/enabled': 'true' } };
    cluster.apply({ ...deployment, metadata: optedIn });
    await clock.advance(seconds(2));
    cluster.apply({ ...aShop([image('v2')])[0], metadata: optedIn });
    await clock.advance(seconds(5));
    expect(cluster.find('apps/v1', 'deployments', 'default', 'web')?.spec).toMatchObject({
      paused: true,
    });
    expect(cluster.list('apps/v1', 'replicasets', 'default')).toHaveLength(1);
  });

  test('without the policy the same change rolls out', async () => {
    const { clock, cluster } = aCluster();
    for (const object of aShop()) cluster.apply(object);
    await clock.advance(seconds(2));
    cluster.apply(aShop([image('v2')])[0] ?? {});
    await clock.advance(seconds(5));
    expect(cluster.list('apps/v1', 'replicasets', 'default')).toHaveLength(2);
  });
});
