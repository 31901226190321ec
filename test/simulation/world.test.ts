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
