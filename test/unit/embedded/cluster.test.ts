import { describe, expect, test } from 'vitest';
import { asArray, asNumber, asObject, canonicalJson } from '../../../src/embedded/json.ts';
import { shortHash } from '../../../src/embedded/naming.ts';
import { seconds } from '../../../src/lib/units.ts';
import { aCluster, aShop, image } from './scene.ts';

async function story(seed: number): Promise<string> {
  const { clock, cluster } = aCluster(seed);
  const trace: string[] = [];
  cluster.server.store.onCommit(({ type, key, object }) =>
    trace.push(`${clock.monotonic()} ${type} ${key} ${canonicalJson(object)}`),
  );
  for (const object of aShop()) cluster.apply(object);
  await clock.advance(seconds(5));
  cluster.apply(aShop([image('v2')])[0] ?? {});
  await clock.advance(seconds(10));
  cluster.stop();
  return shortHash(trace.join('\n'));
}

describe('the embedded cluster', () => {
  test('brings a Deployment up in virtual time', async () => {
    const { clock, cluster } = aCluster();
    for (const object of aShop()) cluster.apply(object);
    await clock.advance(seconds(1));
    expect(
      asNumber(
        asObject(cluster.find('apps/v1', 'deployments', 'default', 'web')?.status)
          .availableReplicas,
      ),
    ).toBe(3);
    expect(cluster.list('v1', 'pods', 'default')).toHaveLength(3);
  });

  test('does the same for the same seed, and something else for another', async () => {
    const [first, again, other] = [await story(7), await story(7), await story(8)];
    expect(again).toBe(first);
    expect(other).not.toBe(first);
  });

  test('stopped, it does nothing more', async () => {
    const { clock, cluster } = aCluster();
    for (const object of aShop()) cluster.apply(object);
    cluster.stop();
    const { revision } = cluster.server.store;
    await clock.advance(seconds(10));
    expect(cluster.server.store.revision).toBe(revision);
  });

  test('a crashed container is restarted and ready again', async () => {
    const { clock, cluster } = aCluster();
    for (const object of aShop([image('v1')], 1)) cluster.apply(object);
    await clock.advance(seconds(1));
    const [pod] = cluster.list('v1', 'pods', 'default');
    cluster.kubelet.crash('default', pod?.metadata.name ?? '');
    const statusOf = () => asObject(cluster.list('v1', 'pods', 'default')[0]?.status);
    expect(JSON.stringify(statusOf())).toContain('CrashLoopBackOff');
    const ended = () => {
      const [status] = asArray(statusOf().containerStatuses).map(asObject);
      return asObject(status?.lastState).terminated;
    };
    const atTheCrash = ended();
    expect(asObject(atTheCrash).finishedAt).toMatch(/Z$/);
    await clock.advance(seconds(5));
    expect(JSON.stringify(statusOf())).toContain('"restartCount":1');
    // When it ended is told once and for all.
    expect(ended()).toEqual(atTheCrash);
    expect(
      asNumber(
        asObject(cluster.find('apps/v1', 'deployments', 'default', 'web')?.status)
          .availableReplicas,
      ),
    ).toBe(1);
  });

  test('an autoscaler counts every pod that the selector matches', async () => {
    let ratio = 1;
    const seen: number[] = [];
    const usage = (_autoscaler: unknown, pods: readonly unknown[]) => {
      seen.push(pods.length);
      return ratio;
    };
    const { clock, cluster } = aCluster(1, { autoscaler: { usage } });
    for (const object of aShop()) cluster.apply(object);
    cluster.apply({
      apiVersion: 'autoscaling/v2',
      kind: 'HorizontalPodAutoscaler',
      metadata: { name: 'web' },
      spec: {
        minReplicas: 2,
        maxReplicas: 5,
        scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' },
      },
    });
    await clock.advance(seconds(16));
    ratio = 3;
    await clock.advance(seconds(16));
    expect(seen.at(-1)).toBe(3);
    expect(
      asNumber(asObject(cluster.find('apps/v1', 'deployments', 'default', 'web')?.spec).replicas),
    ).toBe(5);
  });
});
