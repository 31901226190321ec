import { expect, test } from 'vitest';
import { seconds } from '../../src/lib/units.ts';
import { viewOf } from './oracle-view.ts';
import { World } from './world.ts';

// Found by the model check and the swarm: nobody answered the clients until a person came.
test.each([
  ['led it there', false],
  ['was started since', true],
])(
  'a canary that is deleted when the Service leads to it alone is given up by the process that %s',
  async (_who, isNew) => {
    const annotations = { 'haldane.dev/steps': '50' };
    const world = new World({ quick: true, rps: 500, annotations });
    await world.clock.advance(seconds(3));
    world.traffic.start();
    let life = world.start();
    await world.clock.advance(seconds(5));
    const view = viewOf(world.cluster, world.namespace, 'web');
    await world.release('v2');
    const flipped = () => view.sets().find(({ hash }) => hash === view.service('web')?.pin);
    await world.clock.runUntil(
      () => flipped()?.bare === true && world.weight === 100,
      seconds(300),
    );
    if (isNew) life.kill();
    await world.deleteReplicaSet(flipped()?.name ?? '');
    // Its pods have ended by then.
    await world.clock.advance(seconds(5));
    if (isNew) life = world.start();
    await world.clock.runUntil(() => world.weight === 0, seconds(10));
    // The gateway follows.
    await world.clock.advance(seconds(2));
    const { lost } = world.traffic;
    await world.settle();
    expect(world.traffic.lost).toBe(lost);
    // Nobody has rejected it: it is tried again.
    expect(world.serves('v2')).toBe(true);
    life.kill();
    world.stop();
  },
);
