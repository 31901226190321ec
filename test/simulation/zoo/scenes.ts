import { seconds } from '../../../src/lib/units.ts';
import { createOracles, differences } from '../oracles.ts';
import { editRoute, reweighed } from '../route-edits.ts';
import { type Life, World, type WorldOptions } from '../world.ts';

// Stories in which a bug of the field would show. They know nothing of the bugs.

interface Scene {
  readonly options?: WorldOptions;
  /** After `v2` was released. */
  readonly play?: (world: World) => Promise<void>;
}

const bad = (rate: number) => (version: string) => (version === 'v2' ? rate : 0);

const untilWeight = (world: World, weight: number) =>
  world.clock.runUntil(() => world.weight === weight, seconds(120));

async function ask(world: World, verb: string): Promise<void> {
  const deployment = world.deployment();
  const [revision = ''] =
    deployment?.metadata.annotations?.['haldane.dev/rollout']?.split(' ') ?? [];
  const request = `${verb} revision=${revision} id=${verb}-1 by=ann`;
  await world.patch({ metadata: { annotations: { 'haldane.dev/request': request } } });
}

/** Somebody edits the route with `kubectl edit`. */
const edit = (world: World, canaryPercent: number) => editRoute(world, reweighed(canaryPercent));

export const scenes = {
  good: {},
  bad: { options: { rps: 200, errorRate: bad(1) } },
  'one in ten': { options: { rps: 300, errorRate: bad(0.1) } },
  'Prometheus away': {
    play: async (world) => {
      await untilWeight(world, 5);
      world.traffic.outage = true;
      await world.clock.advance(seconds(60));
      world.traffic.outage = false;
    },
  },
  'newer revision': {
    play: async (world) => {
      await untilWeight(world, 50);
      await world.release('v3');
    },
  },
  'back to stable': {
    play: async (world) => {
      await untilWeight(world, 50);
      await world.release('v1');
    },
  },
  'opt-out': {
    play: async (world) => {
      await untilWeight(world, 50);
      await world.patch({ metadata: { annotations: { 'haldane.dev/enabled': null } } });
    },
  },
  'pause and resume': {
    play: async (world) => {
      await untilWeight(world, 5);
      await ask(world, 'pause');
      await world.clock.advance(seconds(60));
      await ask(world, 'resume');
    },
  },
  'rollback asked for': {
    play: async (world) => {
      await untilWeight(world, 50);
      await ask(world, 'rollback');
      await world.clock.advance(seconds(30));
    },
  },
  'a hand lowers': {
    play: async (world) => {
      await untilWeight(world, 50);
      await world.clock.advance(seconds(2));
      await edit(world, 3);
      await world.clock.advance(seconds(60));
      await ask(world, 'resume');
    },
  },
  'a hand raises': {
    play: async (world) => {
      await untilWeight(world, 5);
      await world.clock.advance(seconds(2));
      await edit(world, 40);
      await world.clock.advance(seconds(30));
    },
  },
  scaled: {
    play: async (world) => {
      await untilWeight(world, 50);
      await world.patch({ spec: { replicas: 6 } });
    },
  },
} satisfies Readonly<Record<string, Scene>>;

export type SceneName = keyof typeof scenes;

export interface Outcome {
  readonly violations: readonly string[];
  readonly end: object;
}

/** Plays a scene to its end; `start` is how a process comes to life. */
export async function play(
  name: SceneName,
  start: (world: World) => Life = (world) => world.start(),
  calm?: object,
): Promise<Outcome> {
  const scene: Scene = scenes[name];
  const annotations = { 'haldane.dev/steps': '5,50' };
  const world = new World({ quick: true, rps: 500, annotations, ...scene.options });
  const oracles = createOracles(world);
  await world.clock.advance(seconds(3));
  world.traffic.start();
  const life = start(world);
  const watch = (): void => {
    oracles.check();
    if (life.alive) world.clock.after(seconds(1), watch);
  };
  watch();
  await world.clock.advance(seconds(8));
  await world.release('v2');
  // What a bug keeps from happening is for the oracles to say.
  const patient = (wait: Promise<void>) => wait.catch(() => undefined);
  await patient(world.clock.advance(seconds(1)));
  await patient(scene.play?.(world) ?? Promise.resolve());
  await patient(world.clock.advance(seconds(1)));
  await patient(world.settle(seconds(150)));
  const violations = oracles.end();
  const end = world.endState();
  life.kill();
  world.stop();
  return { violations: [...violations, ...(calm ? differences(calm, end) : [])], end };
}
