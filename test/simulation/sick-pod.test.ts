import { afterEach, expect, test } from 'vitest';
import { seconds } from '../../src/lib/units.ts';
import { type Life, World, type WorldOptions } from './world.ts';

// One canary pod of several that fails, through the whole controller in virtual time.

let world: World;
let life: Life;

afterEach(() => {
  life.kill();
  world.stop();
});

interface Fault {
  readonly rps?: number;
  /** Share of bad answers of the canary's pods, in the order in which they first serve. */
  readonly rates: readonly number[];
  readonly canary?: Partial<WorldOptions>;
}

/** Eight replicas, four of them canary pods at the step of 50 %, where the fault begins. */
async function open({ rates, rps = 200, canary = {} }: Fault): Promise<void> {
  const seen: string[] = [];
  let ill = false;
  world = new World({
    rps,
    replicas: 8,
    quick: true,
    annotations: { 'haldane.dev/steps': '10,50' },
    podErrorRate: (pod, version) => {
      if (version === 'v1') return 0.001;
      if (!seen.includes(pod)) seen.push(pod);
      return ill ? (rates[seen.indexOf(pod)] ?? 0) : 0;
    },
    ...canary,
  });
  await world.clock.advance(seconds(3));
  world.traffic.start();
  life = world.start();
  await world.clock.advance(seconds(5));
  await world.release('v2');
  await world.clock.runUntil(() => world.weight === 50, seconds(300));
  await world.clock.advance(seconds(2));
  ill = true;
}

const told = () => world.notices.map(({ kind }) => kind);
const reason = () => world.notices.at(-1)?.because ?? '';

test('a rejection that rests upon one pod names it, with its numbers', async () => {
  await open({ rates: [0, 0.8, 0, 0] });
  await world.clock.runUntil(() => told().includes('rollback'), seconds(120));
  expect(told()).toEqual(['rollback']);
  expect(reason()).toMatch(/pod web-\S+ fails alone: \d+ of its \d+ requests, none of \d+ of the/);
});

test('a release that is bad everywhere is not blamed on a pod', async () => {
  await open({ rates: [0.8, 0.8, 0.8, 0.8] });
  await world.clock.runUntil(() => told().includes('rollback'), seconds(120));
  expect(reason()).not.toContain('alone');
});
