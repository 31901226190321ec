import type { KubernetesObject } from '../../../src/embedded/resource.ts';
import { seconds } from '../../../src/lib/units.ts';
import { viewOf } from '../oracle-view.ts';
import { createOracles, differences } from '../oracles.ts';
import { editRoute, reweighed } from '../route-edits.ts';
import { type ProcessOptions, World, type WorldOptions } from '../world.ts';
import type { Start } from './seams.ts';

// Stories in which a bug of the field would show. They know nothing of the bugs.

interface Scene {
  readonly options?: WorldOptions;
  /** One that leads without a Lease, unless told. */
  readonly processes?: readonly ProcessOptions[];
  /** `v2` if absent. */
  readonly version?: string;
  /** After it was released. */
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

/** Longer than a step lasts. */
const late = { kind: 'delay', millis: 15_000 } as const;
const isByHand = ({ kind, metadata }: KubernetesObject): boolean =>
  kind === 'HTTPRoute' &&
  metadata.managedFields?.some(({ manager }) => manager === 'kubectl') === true;

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
  'a hand lowers, and is seen late': {
    processes: [{ faults: { onEvent: ({ object }) => (isByHand(object) ? late : undefined) } }],
    play: async (world) => {
      await untilWeight(world, 5);
      // The step has passed, and pods for the next one start.
      const view = viewOf(world.cluster, world.namespace, 'web');
      const starts = () => view.sets().some(({ bare, replicas }) => bare && replicas > 1);
      await world.clock.runUntil(starts, seconds(60));
      await edit(world, 0);
      await world.clock.advance(seconds(40));
      await ask(world, 'resume');
    },
  },
  'two processes': { processes: [{ identity: 'haldane-1' }, { identity: 'haldane-2' }] },
  'few requests': { options: { rps: 80 } },
  'no such image': { version: 'missing-v2' },
  'the Service is applied anew': {
    play: async (world) => {
      await untilWeight(world, 5);
      await world.clock.advance(seconds(3));
      const service = world.cluster.find('v1', 'services', world.namespace, 'web');
      if (service === undefined) throw new Error('there is no Service');
      const spec = { ...(service.spec as object), selector: { app: 'web' } };
      world.cluster.apply({ ...service, spec });
    },
  },
  'the gateway refuses': {
    play: async (world) => {
      await untilWeight(world, 5);
      world.refused = 'ResolvedRefs';
      await world.clock.advance(seconds(90));
      world.refused = undefined;
    },
  },
  'tried again': {
    play: async (world) => {
      await untilWeight(world, 5);
      await ask(world, 'rollback');
      await world.clock.advance(seconds(20));
      await ask(world, 'retry');
      await world.clock.advance(seconds(5));
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
  start: Start = (world, process) => world.start(undefined, process),
  calm?: object,
): Promise<Outcome> {
  const scene: Scene = scenes[name];
  const annotations = { 'haldane.dev/steps': '5,50' };
  const world = new World({ quick: true, rps: 500, annotations, ...scene.options });
  const oracles = createOracles(world);
  await world.clock.advance(seconds(3));
  world.traffic.start();
  const lives = (scene.processes ?? [{}]).map((process) => start(world, process));
  const watch = (): void => {
    oracles.check();
    if (lives.some((life) => life.isAlive())) world.clock.after(seconds(1), watch);
  };
  watch();
  await world.clock.advance(seconds(8));
  await world.release(scene.version ?? 'v2');
  // What a bug keeps from happening is for the oracles to say.
  const patient = (wait: Promise<void>) => wait.catch(() => undefined);
  await patient(world.clock.advance(seconds(1)));
  await patient(scene.play?.(world) ?? Promise.resolve());
  await patient(world.clock.advance(seconds(1)));
  await patient(world.settle(seconds(150)));
  const violations = oracles.end();
  const end = world.endState();
  for (const life of lives) life.kill();
  world.stop();
  return { violations: [...violations, ...(calm ? differences(calm, end) : [])], end };
}
