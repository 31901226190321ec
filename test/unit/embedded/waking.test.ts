import { describe, expect, test } from 'vitest';
import { asObject, isArray, type JsonObject } from '../../../src/embedded/json.ts';
import { millis, seconds } from '../../../src/lib/units.ts';
import { aCluster, aShop, image } from './scene.ts';

/** A shop that is up, long after its last change. */
async function resting() {
  const { clock, cluster } = aCluster();
  for (const object of aShop()) cluster.apply(object);
  await clock.advance(seconds(30));
  const revision = () => cluster.server.store.revision;
  const edit = (
    [groupVersion, plural]: readonly [string, string],
    change: (object: JsonObject) => JsonObject,
    subresource?: 'status',
  ) => {
    const resource = cluster.server.resource(groupVersion, plural);
    const { name, namespace = '' } = (cluster.list(groupVersion, plural)[0] as never as Named)
      .metadata;
    const target = { resource, namespace, name, ...(subresource ? { subresource } : {}) };
    return cluster.server.objects.modify(target, change, { manager: 'somebody' });
  };
  return { clock, cluster, revision, edit };
}

type Named = { readonly metadata: { readonly name: string; readonly namespace?: string } };

const deployments = ['apps/v1', 'deployments'] as const;
const sets = ['apps/v1', 'replicasets'] as const;
const pods = ['v1', 'pods'] as const;
const routes = ['gateway.networking.k8s.io/v1', 'httproutes'] as const;

const annotated = (object: JsonObject): JsonObject => ({
  ...object,
  metadata: { ...asObject(object.metadata), annotations: { 'example.com/note': 'seen' } },
});

describe('the controllers of the embedded cluster', () => {
  test('plan nothing while nothing changes', async () => {
    const { clock } = await resting();
    expect(clock.pendingTimers()).toBe(0);
  });

  test('do not come back for what they have just reported themselves', async () => {
    const { clock, edit, revision } = await resting();
    edit(routes, (route) => ({ ...route, status: { parents: [] } }), 'status');
    const before = revision();
    await clock.advance(millis(20));
    expect(revision()).toBe(before + 1);
    expect(clock.pendingTimers()).toBe(0);
  });

  test.each([
    ['Deployment', deployments, { replicas: 7 }, ['replicas', 3]],
    ['ReplicaSet', sets, { replicas: 7 }, ['replicas', 3]],
    ['HTTPRoute', routes, { parents: [] }, ['parents', 1]],
  ] as const)('set the status of a %s right that somebody else wrote', async (...row) => {
    const [, [groupVersion, plural], wrong, [field, right]] = row;
    const { clock, cluster, edit } = await resting();
    edit([groupVersion, plural], (object) => ({ ...object, status: wrong }), 'status');
    await clock.advance(seconds(1));
    const found = asObject(cluster.list(groupVersion, plural)[0]?.status)[field];
    expect(isArray(found) ? found.length : found).toBe(right);
  });

  test('do not look at notes on what they do not read', async () => {
    const { clock, edit } = await resting();
    edit(routes, annotated);
    expect(clock.pendingTimers()).toBe(0);
    edit(pods, annotated);
    // The kubelet: annotations of a pod say how it behaves.
    expect(clock.pendingTimers()).toBe(1);
    await clock.advance(seconds(1));
    edit(sets, annotated);
    // The Deployment controller: it keeps its revisions in annotations of the ReplicaSets.
    expect(clock.pendingTimers()).toBe(1);
  });

  test('clean up after a rollout that is complete only by its last report', async () => {
    const { clock, cluster, edit } = await resting();
    edit(deployments, (d) => {
      const history = { revisionHistoryLimit: 0, strategy: { type: 'Recreate' } };
      const spec: JsonObject = { ...asObject(d.spec), ...history };
      const template = asObject(spec.template);
      const containers = [image('v2')];
      return {
        ...d,
        spec: {
          ...spec,
          template: { ...template, spec: { ...asObject(template.spec), containers } },
        },
      };
    });
    await clock.advance(seconds(30));
    expect(cluster.list(...sets)).toHaveLength(1);
    expect(clock.pendingTimers()).toBe(0);
  });
});
