import { afterEach, beforeEach, expect, test } from 'vitest';
import { seconds } from '../../src/lib/units.ts';
import { type AutoscalerSpec, autoscaler } from './autoscaled.ts';
import { viewOf } from './oracle-view.ts';
import { createOracles, type Oracles } from './oracles.ts';
import { type Life, World } from './world.ts';

// A HorizontalPodAutoscaler that counts the canary's pods as the Deployment's own, in the middle of
// a rollout.

let world: World;
let life: Life;
let oracles: Oracles;

beforeEach(async () => {
  const annotations = { 'haldane.dev/steps': '5,50' };
  world = new World({ quick: true, rps: 1000, annotations, autoscaled: true });
  await world.clock.advance(seconds(3));
  world.traffic.start();
  oracles = createOracles(world);
  life = world.start();
  await world.clock.advance(seconds(5));
});
afterEach(() => {
  const found = oracles.end();
  life.kill();
  world.stop();
  expect(found).toEqual([]);
});

const untilWeight = (weight: number) =>
  world.clock.runUntil(() => world.weight === weight, seconds(300));
const scaledBy = (spec: AutoscalerSpec) => {
  world.cluster.apply(autoscaler(world.namespace, spec));
};
const replicas = () =>
  viewOf(world.cluster, world.namespace, 'web').deployment()?.replicas ?? Number.NaN;

test('the load falls and rises: stable follows it, and the canary follows stable', async () => {
  scaledBy({ metric: 'cpu', targetPercent: 60, most: 6 });
  await world.release('v2');
  await untilWeight(5);
  world.traffic.rps = 500;
  await world.clock.runUntil(() => replicas() === 2, seconds(30));
  await untilWeight(50);
  world.traffic.rps = 1500;
  await world.clock.runUntil(() => replicas() === 5, seconds(30));
  await world.settle();
  expect(replicas()).toBe(5);
  expect(world.notices.map(({ kind }) => kind)).toEqual(['promotion']);
});

test('memory is the same for every pod: it asks for more while there is a canary', async () => {
  await world.clock.advance(seconds(10));
  scaledBy({ metric: 'memory', targetPercent: 60, most: 6 });
  await world.clock.advance(seconds(30));
  expect(replicas()).toBe(3);
  await world.release('v2');
  await world.begin();
  await world.settle();
  expect(replicas()).toBeGreaterThan(3);
  expect(world.notices.map(({ kind }) => kind)).toEqual(['promotion']);
});
