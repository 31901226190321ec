import { afterEach, expect, test, vi } from 'vitest';
import { seconds } from '../../src/lib/units.ts';
import { type Life, World, type WorldOptions } from './world.ts';

// One canary pod of several that fails, through the whole controller in virtual time.

// Minutes of virtual time take a while on a busy machine.
vi.setConfig({ testTimeout: 120_000 });

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

const sickPod = () => /pod (web-\S+) fails alone/.exec(reason())?.[1] ?? '';
const untilTold = (kind: string, span = 120) =>
  world.clock.runUntil(() => told().includes(kind as never), seconds(span));
/** Bad answers of the new version. */
const failed = () => world.traffic.answered.get('v2')?.bad ?? 0;

test('one sick pod is named, without traffic, and its restart lets the release pass', async () => {
  await open({ rates: [0, 0.8, 0, 0] });
  await untilTold('hold');
  expect(world.weight).toBe(0);
  expect(told()).toEqual(['hold']);
  expect(reason()).toMatch(/fails alone: \d+ of its \d+ requests, none of \d+ of the others/);
  expect(reason()).toContain(`kubectl delete pod ${sickPod()} -n shop`);
  const before = failed();
  await world.clock.advance(seconds(120));
  expect(world.weight).toBe(0);
  expect(failed()).toBe(before);
  await world.deletePod(sickPod());
  await world.clock.runUntil(() => world.weight === 50, seconds(60));
  await world.settle();
  expect(told()).toEqual(['hold', 'promotion']);
  // What was counted before the restart is not forgotten.
  const [first, last] = world.notices.map(({ failedRequests }) => failedRequests);
  expect(first).toBeGreaterThan(3);
  expect(last).toBe(first);
  expect(world.traffic.lost).toBe(0);
});

test('a sick pod that nobody restarts: rolled back in time, after a crash too', async () => {
  await open({ rates: [0, 0.8, 0, 0] });
  await untilTold('hold');
  const before = failed();
  await world.clock.advance(seconds(300));
  life.kill();
  life = world.start();
  await world.clock.advance(seconds(290));
  expect(told()).not.toContain('rollback');
  await untilTold('rollback', 30);
  expect(reason()).toContain('not restarted within 10 min');
  expect(failed()).toBe(before);
  await world.settle();
  expect(world.isAtRest()).toBe(true);
});

test('a second sick pod is the release: rolled back at once, and named', async () => {
  await open({ rates: [0, 0.8, 0, 0, 0.8] });
  await untilTold('hold');
  await world.deletePod(sickPod());
  await untilTold('rollback');
  expect(reason()).toContain('fails alone');
  expect(told()).toEqual(['hold', 'rollback']);
});

test.each([0.05, 0.3, 1])('bad everywhere at %d is cut as before, at once', async (rate) => {
  await open({ rates: [rate, rate, rate, rate] });
  await untilTold('rollback', 300);
  const apart = [world.history.findLast(({ weight }) => weight > 0)?.at, failed()];
  life.kill();
  world.stop();
  // The same, by a source that does not tell pods apart.
  await open({ rates: [rate, rate, rate, rate], canary: { blind: true } });
  await untilTold('rollback', 300);
  expect([world.history.findLast(({ weight }) => weight > 0)?.at, failed()]).toEqual(apart);
  expect(told()).toEqual(['rollback']);
});

const alphaShare = (): unknown => {
  const texts = world.cluster
    .list('apps/v1', 'replicasets', world.namespace)
    .flatMap(({ metadata }) => metadata.annotations?.['haldane.dev/state'] ?? []);
  return (JSON.parse(texts[0] ?? '{}') as { readonly alphaShare?: number }).alphaShare;
};

test.each([1, 2, 3])('a crash at write %d of the way back halves α once', async (write) => {
  for (const moment of ['before', 'after'] as const) {
    await open({ rates: [0, 0.8, 0, 0] });
    await untilTold('hold');
    await world.clock.advance(seconds(5));
    const pod = sickPod();
    life.kill();
    await world.deletePod(pod);
    life = world.start({ write, moment });
    await world.clock.runUntil(() => !life.isAlive(), seconds(60));
    life = world.start();
    await world.clock.runUntil(() => world.weight === 50, seconds(60));
    expect(alphaShare()).toBe(0.5);
    await world.settle();
    expect(told().at(-1)).toBe('promotion');
    if (moment === 'before') {
      life.kill();
      world.stop();
    }
  }
});

test('with fewer than three canary pods nothing waits', async () => {
  await open({ rates: [0.8, 0], canary: { replicas: 4 } });
  await untilTold('rollback');
  expect(told()).toEqual(['rollback']);
});
