import { afterEach, expect, test, vi } from 'vitest';
import { restartLag } from '../../src/analysis/restart-counts.ts';
import { seconds } from '../../src/lib/units.ts';
import { type Life, World } from './world.ts';

// Containers that crash, through the whole controller in virtual time: what stable does as a habit
// is no fault of the release, and what it does far less often is.

// Half an hour of virtual time takes a while on a busy machine.
vi.setConfig({ testTimeout: 120_000 });

let world: World;
let life: Life;
let crashed: { readonly second: number; readonly version: string }[];

afterEach(() => {
  life.kill();
  world.stop();
});

interface PodObject {
  readonly metadata: { readonly name: string };
  readonly spec: { readonly containers: readonly { readonly image: string }[] };
  readonly status?: {
    readonly containerStatuses?: readonly { readonly state?: { readonly running?: object } }[];
  };
}

/** Ends the container of each pod whenever it has run for so many seconds. */
function crashEvery(spanOf: (version: string) => number): void {
  const ran = new Map<string, number>();
  const tick = () => {
    for (const pod of world.cluster.list('v1', 'pods', 'shop') as unknown as PodObject[]) {
      const { name } = pod.metadata;
      const version = pod.spec.containers[0]?.image.split(':').at(-1) ?? '';
      const span = spanOf(version);
      if (pod.status?.containerStatuses?.[0]?.state?.running === undefined) continue;
      // Pods of the same age do not all end at once.
      const age = (ran.get(name) ?? ((ran.size % 3) * span) / 4) + 1;
      ran.set(name, age >= span ? 0 : age);
      if (age < span) continue;
      crashed.push({ second: Math.floor(world.clock.now() / 1000), version });
      world.cluster.kubelet.crash('shop', name);
    }
    world.clock.after(seconds(1), tick);
  };
  tick();
}

/** Six pods of stable that crash every so many seconds for two hours; then v2 is released. */
async function open(
  checks: string,
  every: { readonly stable: number; readonly canary: number },
): Promise<void> {
  crashed = [];
  world = new World({
    rps: 50,
    replicas: 6,
    quick: true,
    annotations: {
      'haldane.dev/steps': '50',
      'haldane.dev/checks': checks,
      'haldane.dev/min-step': '25m',
    },
  });
  await world.clock.advance(seconds(3));
  world.traffic.start();
  crashEvery((version) => (version === 'v1' ? every.stable : every.canary));
  life = world.start();
  await world.clock.advance(seconds(7200));
  await world.release('v2');
  await world.clock.runUntil(() => world.weight === 50, seconds(300));
}

const crashesOf = (wanted: string) => crashed.filter(({ version }) => version === wanted);
const told = () => world.notices.map(({ kind }) => kind);
const lastPoll = () => {
  const poll = life.assembled.polls.read('shop/web')?.polls.at(-1);
  const counted = poll?.checks.find(({ check }) => check === 'restarts');
  if (poll === undefined || counted === undefined) throw new Error('nothing was counted');
  return { ...counted, second: Math.floor((poll.atMillis - restartLag) / 1000) };
};

/** The controller dies, and another one takes its place. */
async function restartController(): Promise<void> {
  life.kill();
  await world.clock.advance(seconds(20));
  life = world.start();
  await world.clock.advance(seconds(10));
}

/** What happened without a controller is counted too, each end and each second of a pod once. */
async function restartAndCount(): Promise<void> {
  const before = lastPoll();
  await restartController();
  const after = lastPoll();
  const span = after.second - before.second;
  expect(span).toBeGreaterThan(20);
  for (const [arm, version, pods] of [
    ['canary', 'v2', 3],
    ['stable', 'v1', 6],
  ] as const) {
    const inBetween = crashesOf(version).filter(
      ({ second }) => second > before.second && second <= after.second,
    );
    expect(after[arm].bad - before[arm].bad).toBe(inBetween.length);
    expect(after[arm].total - before[arm].total).toBe(pods * span);
  }
}

test('a canary that crashes as stable does is promoted', async () => {
  await open('errors,restarts', { stable: 1200, canary: 1200 });
  await world.clock.advance(seconds(590));
  await restartAndCount();
  expect(lastPoll().canary.bad).toBe(1);
  await world.clock.runUntil(() => crashesOf('v2').length === 3, seconds(900));
  await world.settle(seconds(1800));
  expect(told()).toEqual(['promotion']);
  expect(world.traffic.lost).toBe(0);
});

test('one that crashes far more often is rolled back by its restarts', async () => {
  await open('errors,restarts', { stable: 480, canary: 45 });
  await world.clock.advance(seconds(80));
  await restartController();
  await world.settle(seconds(1200));
  expect(told().at(-1)).toBe('rollback');
  const notice = world.notices.at(-1);
  expect(notice).toMatchObject({
    rule: 'evidenceWorse',
    metric: { check: 'restarts', per: 'pod-second' },
    failedRequests: 0,
  });
  expect(notice?.because).toMatch(
    /^restarts: canary \d+ restarts in 0\.\d+ pod-hours, stable \d+ in/,
  );
  expect(world.isAtRest()).toBe(true);
});

test('and is promoted where nobody asked for the check', async () => {
  await open('errors', { stable: 480, canary: 45 });
  await world.settle(seconds(1800));
  expect(crashesOf('v2').length).toBeGreaterThan(30);
  expect(told().at(-1)).toBe('promotion');
});
