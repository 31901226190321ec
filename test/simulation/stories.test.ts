import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { seconds } from '../../src/lib/units.ts';
import { container } from './shop.ts';
import { type Life, World, type WorldOptions } from './world.ts';

// What users, Prometheus and the cluster do in the middle of a rollout, in virtual time. In every
// story the clients
// lose no request, and what is left over at the end is the user's own.

let world: World;
let life: Life;
let endTraffic: () => void;

async function open(options: WorldOptions = {}): Promise<void> {
  const annotations = { 'haldane.dev/steps': '5,50', ...options.annotations };
  world = new World({ quick: true, rps: 500, ...options, annotations });
  await world.clock.advance(seconds(3));
  endTraffic = world.traffic.start();
  life = world.start();
  await world.clock.advance(seconds(5));
}

const untilWeight = (weight: number) =>
  world.clock.runUntil(() => world.weight === weight, seconds(300));
const versions = () => {
  const pods = world.cluster.list('v1', 'pods', world.namespace) as unknown as readonly {
    readonly spec: { readonly containers: readonly { readonly image: string }[] };
  }[];
  return pods.map(({ spec }) => spec.containers[0]?.image ?? '').toSorted();
};
const told = () => world.notices.map(({ kind }) => kind);
const all = (version: string, count = 3) =>
  Array.from({ length: count }, () => `shop/web:${version}`);
const annotationsOf = () => Object.keys(world.deployment()?.metadata.annotations ?? {});

beforeEach(() => open());
afterEach(() => {
  life.kill();
  world.stop();
  expect(world.traffic.lost).toBe(0);
});

test('Prometheus is away for a minute: held, never judged, and it goes on by itself', async () => {
  await world.release('v2');
  await untilWeight(5);
  await world.clock.advance(seconds(1));
  world.traffic.outage = true;
  await world.clock.advance(seconds(60));
  expect(world.weight).toBe(5);
  world.traffic.outage = false;
  await world.settle();
  expect(versions()).toEqual(all('v2'));
  expect(told()).toEqual(['hold', 'promotion']);
});

test('the gateway refuses a route of long ago for a moment: held, not given up', async () => {
  await world.release('v2');
  await untilWeight(5);
  world.traffic.outage = true;
  await world.clock.advance(seconds(90));
  world.refused = 'ResolvedRefs';
  await world.clock.advance(seconds(2));
  expect(world.weight).toBe(5);
  world.refused = undefined;
  world.traffic.outage = false;
  await world.settle();
  expect(versions()).toEqual(all('v2'));
  expect(told()).toEqual(['hold', 'promotion']);
});

test('the gateway refuses the route for more than a minute: rolled back', async () => {
  await world.release('v2');
  await untilWeight(5);
  world.refused = 'Accepted';
  await world.clock.runUntil(() => world.weight === 0, seconds(70));
  world.refused = undefined;
  await world.settle();
  expect(versions()).toEqual(all('v1'));
  expect(told()).toEqual(['hold', 'rollback']);
});

test('a newer revision takes the place of the canary', async () => {
  await world.release('v2');
  await untilWeight(50);
  await world.release('v3');
  await world.clock.runUntil(() => world.weight === 0, seconds(5));
  await world.settle();
  expect(versions()).toEqual(all('v3'));
  expect(told()).toEqual(['promotion']);
});

// The stable template was written over the newer one, which nobody had ever tried.
test('a newer revision comes while the template of a rejected one is to be reverted', async () => {
  life.kill();
  world.stop();
  const annotations = { 'haldane.dev/on-reject': 'revert' };
  await open({ annotations, errorRate: (version) => (version === 'v2' ? 1 : 0) });
  await world.release('v2');
  await untilWeight(5);
  await world.clock.runUntil(() => world.weight === 0, seconds(30));
  await world.release('v3');
  await world.clock.runUntil(() => told().includes('promotion'), seconds(120));
  await world.settle();
  expect(versions()).toEqual(all('v3'));
  expect(told()).toEqual(['rollback', 'promotion']);
});

test('the user goes back to stable: no blame, nothing left over', async () => {
  await world.release('v2');
  await untilWeight(50);
  await world.release('v1');
  await world.settle();
  expect(versions()).toEqual(all('v1'));
  expect(told()).toEqual([]);
  expect(annotationsOf()).not.toContain('haldane.dev/rejected');
  expect(world.deployment()?.spec.paused).toBeUndefined();
});

test('the user scales up and down in the middle', async () => {
  await world.release('v2');
  await untilWeight(50);
  await world.patch({ spec: { replicas: 6 } });
  await world.clock.advance(seconds(2));
  await world.patch({ spec: { replicas: 4 } });
  await world.settle();
  expect(versions()).toEqual(all('v2', 4));
});

test('the user opts out in the middle: the version that never passed does not roll', async () => {
  await world.release('v2');
  await untilWeight(50);
  await world.patch({ metadata: { annotations: { 'haldane.dev/enabled': null } } });
  await world.settle();
  expect(versions()).toEqual(all('v1'));
  expect(annotationsOf().filter((key) => key !== 'haldane.dev/steps')).toEqual([
    'deployment.kubernetes.io/revision',
  ]);
});

// The stable template was written over it.
test('the user opts out in the middle, and releases another version: it rolls', async () => {
  await world.release('v2');
  await untilWeight(50);
  await world.patch({ metadata: { annotations: { 'haldane.dev/enabled': null } } });
  await world.clock.advance(seconds(2));
  await world.release('v3');
  await world.settle();
  expect(versions()).toEqual(all('v3'));
});

test('the Deployment is deleted in the middle: the route is the user’s own again', async () => {
  await world.release('v2');
  await untilWeight(50);
  const { lost } = world.traffic;
  await world.deleteDeployment();
  await world.clock.advance(seconds(60));
  expect(world.isAtRest()).toBe(true);
  expect(lost).toBe(0);
  life.kill();
  world.stop();
  await open();
});

test('the Deployment is deleted while nobody watches: the next process cleans up', async () => {
  await world.release('v2');
  await untilWeight(50);
  life.kill();
  await world.deleteDeployment();
  await world.clock.advance(seconds(5));
  life = world.start();
  await world.clock.advance(seconds(30));
  expect(world.isAtRest()).toBe(true);
  life.kill();
  world.stop();
  await open();
});

test('after a rejection the next release is a canary like any other', async () => {
  life.kill();
  world.stop();
  await open({ errorRate: (version) => (version === 'v2' ? 1 : 0) });
  await world.release('v2');
  await world.clock.runUntil(() => told().includes('rollback'), seconds(60));
  await world.clock.advance(seconds(30));
  expect(versions()).toEqual(all('v1'));
  await world.release('v3');
  await world.clock.advance(seconds(1));
  await world.settle();
  expect(versions()).toEqual(all('v3'));
  expect(told()).toEqual(['rollback', 'promotion']);
  // I12: what was rejected once is not tried again by accident.
  await world.release('v2');
  await world.clock.advance(seconds(60));
  expect(versions()).toEqual(all('v3'));
  expect(told()).toEqual(['rollback', 'promotion']);
});

test('the same errors in both versions do not blame the release', async () => {
  life.kill();
  world.stop();
  await open({ errorRate: () => 0.01, rps: 2000 });
  await world.release('v2');
  await world.begin();
  await world.settle();
  expect(told()).toEqual(['promotion']);
});

describe('without the admission policy, paused at rest', () => {
  beforeEach(async () => {
    life.kill();
    world.stop();
    await open({ policy: false, errorRate: (version) => (version === 'v3' ? 1 : 0) });
  });

  test('a good release is promoted, a bad one rolled back, and both leave it paused', async () => {
    expect(world.deployment()?.spec.paused).toBe(true);
    await world.release('v2');
    await world.begin();
    await world.settle();
    expect(versions()).toEqual(all('v2'));
    expect(world.deployment()?.spec.paused).toBe(true);
    await world.release('v3');
    await world.clock.runUntil(() => told().includes('rollback'), seconds(60));
    await world.clock.advance(seconds(30));
    expect(versions()).toEqual(all('v2'));
    expect(told()).toEqual(['promotion', 'rollback']);
  });

  test('an opt-out that brings another version leaves it', async () => {
    await world.patch({
      metadata: { annotations: { 'haldane.dev/enabled': null } },
      spec: { template: { spec: { containers: [container('v2')] } } },
    });
    await world.settle();
    expect(versions()).toEqual(all('v2'));
  });

  // A ReplicaSet whose pods are still ending serves its template as much as an empty one: a second
  // one of the same template was made when the Deployment was looked at in between.
  test('scaled to nothing and released again, every template has one ReplicaSet', async () => {
    endTraffic();
    await world.patch({ spec: { replicas: 0 } });
    await world.clock.advance(seconds(1));
    await world.release('v2');
    await world.clock.advance(seconds(1));
    const sets = world.cluster.list('apps/v1', 'replicasets', world.namespace);
    expect(sets).toHaveLength(2);
    await world.patch({ spec: { replicas: 2 } });
    await world.clock.advance(seconds(30));
    expect(versions()).toEqual(all('v2', 2));
    expect(told()).toEqual([]);
  });
});
