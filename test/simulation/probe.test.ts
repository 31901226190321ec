import { expect, test } from 'vitest';
import { seconds } from '../../src/lib/units.ts';
import { World } from './world.ts';

test('a Deployment that asks wrongly does not answer for the others', async () => {
  const world = new World({ annotations: { 'haldane.dev/enabled': 'yes' } });
  await world.clock.advance(seconds(3));
  const life = world.start();
  await world.clock.advance(seconds(5));
  // The policy looks at the value "true": a dry run on "yes" would have said that there is none.
  await world.patch({ metadata: { annotations: { 'haldane.dev/enabled': 'true' } } });
  await world.clock.advance(seconds(5));
  expect(world.deployment()?.spec.paused).toBeUndefined();
  life.kill();
  world.stop();
});
