import { expect, test } from 'vitest';
import { seconds } from '../../src/lib/units.ts';
import { writerOf } from './oracle-view.ts';
import { World } from './world.ts';

// An oracle took a person's request, made after a cut, for a write of a process that could have
// told people of the rollback.
test('what people write is told from what our processes write', async () => {
  const world = await World.settled({ annotations: { 'haldane.dev/steps': '5,50' } });
  const writer = () => writerOf(world.deployment() as never);
  const life = world.start();
  await world.clock.advance(seconds(5));
  await world.release('v2');
  expect(writer()).toBe('kubectl');
  await world.begin();
  expect(writer()).toBe('haldane');
  await world.patch({ metadata: { annotations: { 'haldane.dev/request': 'pause' } } });
  expect(writer()).toBe('kubectl');
  life.kill();
  world.stop();
});

const optOut = { metadata: { annotations: { 'haldane.dev/enabled': null } } };

// The leader had died before it took its mark off, and the next one did so while a story had been
// at rest for twenty seconds.
test.each([
  ['whose template went back', (world: World) => world.release('v1')],
  ['of a Deployment that was opted out', (world: World) => world.patch(optOut)],
])('a rejected rollout %s is over with its mark', async (_which, end) => {
  const errorRate = (version: string) => (version === 'v2' ? 1 : 0);
  const annotations = { 'haldane.dev/steps': '5,50' };
  const world = await World.settled({ annotations, errorRate, quick: true, rps: 1000 });
  world.traffic.start();
  const first = world.start();
  await world.clock.advance(seconds(5));
  await world.release('v2');
  await world.begin();
  await world.settle();
  expect(world.notices.map(({ kind }) => kind)).toContain('rollback');
  first.kill();
  await end(world);
  await world.clock.advance(seconds(20));
  expect(world.isAtRest()).toBe(false);
  const second = world.start();
  await world.settle();
  expect(world.deployment()?.metadata.annotations).not.toHaveProperty('haldane.dev/rollout');
  second.kill();
  world.stop();
});
