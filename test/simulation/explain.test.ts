import { afterEach, describe, expect, test } from 'vitest';
import { ladderWords } from '../../src/analysis/ladder-words.ts';
import { pollsKept } from '../../src/controller/poll-book.ts';
import { seconds } from '../../src/lib/units.ts';
import type { RolloutState } from '../../src/rollout/state.ts';
import { decodeState } from '../../src/spec/state-codec.ts';
import { type Life, World, type WorldOptions } from './world.ts';

// What people are told of a rollout while it runs, and what that stands on: polls, the choice of
// the steps, attempts, and what a loss of evidence costs.

let world: World;
let life: Life;

async function open(options: WorldOptions, warmUp = seconds(20)): Promise<void> {
  world = new World({ quick: true, ...options });
  await world.clock.advance(seconds(3));
  world.traffic.start();
  life = world.start();
  await world.clock.advance(warmUp);
}
afterEach(() => {
  life.kill();
  world.stop();
});

interface CanarySet {
  readonly metadata: {
    readonly name: string;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly ownerReferences?: readonly { readonly uid: string }[];
  };
}

const canarySet = (): CanarySet | undefined =>
  (
    world.cluster.list('apps/v1', 'replicasets', world.namespace) as unknown as readonly CanarySet[]
  ).find(({ metadata }) => metadata.annotations?.['haldane.dev/state'] !== undefined);

/** As the live state stands on the canary. */
function recorded(): RolloutState | undefined {
  const { metadata } = canarySet() ?? {};
  const text = metadata?.annotations?.['haldane.dev/state'];
  const state = text && decodeState(text, metadata?.ownerReferences?.[0]?.uid ?? '');
  return state === undefined || state === '' || state === 'unreadable' ? undefined : state;
}

const untilWeight = (least = 0.1) =>
  world.clock.runUntil(() => world.weight >= least, seconds(300));
const polls = () => life.assembled.polls.read('shop/web');
const eventsOf = (reason: string) =>
  (
    world.cluster.list('v1', 'events', world.namespace) as unknown as readonly {
      readonly reason: string;
      readonly message: string;
    }[]
  )
    .filter((event) => event.reason === reason)
    .map(({ message }) => message);

describe('polls of a rollout', () => {
  const steps = { 'haldane.dev/steps': '5,50' };

  test('a rollback keeps them, and its notice and Event say how much worse it was', async () => {
    await open({ rps: 200, annotations: steps, errorRate: (v) => (v === 'v2' ? 0.5 : 0.001) });
    await world.release('v2');
    await untilWeight();
    await world.settle();
    const read = polls();
    expect(read?.ended).toBe(true);
    const fatal = read?.polls.find(({ verdict }) => verdict === 'fail');
    // The weight may have been lowered at the first suspicion.
    expect(fatal?.weightPercent).toBeLessThanOrEqual(5);
    expect(fatal).toMatchObject({ step: 1, blame: 'errors' });
    expect(fatal?.evidence).toBeGreaterThanOrEqual(100);
    expect(fatal?.checks[0]?.excess?.low).toBeGreaterThan(0);
    const [notice] = world.notices;
    expect(notice).toMatchObject({ kind: 'rollback', rule: 'evidenceWorse' });
    expect(notice?.metric?.excess?.low).toBeGreaterThan(0);
    const [told] = eventsOf('CanaryRolledBack');
    expect(told).toMatch(/errors: the bad share of the canary is [\d.]+ to [\d.]+ points above/);
  });

  test('are the last ones, and begin anew with the next revision', async () => {
    const annotations = { ...steps, 'haldane.dev/min-step': '5m' };
    await open({ rps: 200, annotations });
    await world.release('v2');
    await untilWeight();
    await world.clock.advance(seconds(pollsKept + 20));
    const first = polls();
    expect(first).toMatchObject({ ended: false, attempt: 1 });
    expect(first?.polls).toHaveLength(pollsKept);
    const last = first?.polls.at(-1);
    expect(last?.atMillis).toBeGreaterThan(world.clock.now() - seconds(5));
    expect(last?.secondsToNextStep).toBeGreaterThan(0);
    await world.release('v3');
    await world.clock.runUntil(() => polls()?.revision !== first?.revision, seconds(60));
    expect(polls()?.polls.length).toBeLessThan(10);
    await world.release('v1');
    await world.settle();
    expect(polls()?.ended).toBe(true);
  });
});

describe('the first weight', () => {
  test('is 10 % where 1 % would tell too little, and stays so over a restart', async () => {
    await open({ rps: 10 });
    await world.release('v2');
    await world.clock.runUntil(() => recorded()?.ladder?.by === 'traffic', seconds(60));
    expect(world.weight).toBe(0);
    life.kill();
    world.traffic.outage = true;
    life = world.start();
    await untilWeight();
    expect(world.weight).toBeCloseTo(10);
    expect(recorded()?.spec.steps).toEqual([10, 25, 50]);
    const [told] = eventsOf('CanarySteps');
    expect(told).toMatch(
      /: stable gets \d\d? requests\/s: begins at 10 %, which takes about .*; 1 % would take about/,
    );
  });

  test('is what the user says, and how long it takes is told', async () => {
    await open({ rps: 10, annotations: { 'haldane.dev/steps': '1,50' } });
    await world.release('v2');
    await untilWeight();
    expect(world.weight).toBeCloseTo(1);
    const state = recorded();
    expect(state?.ladder).toMatchObject({ by: 'annotation' });
    expect(state?.ladder?.firstStepSeconds).toBeGreaterThan(120);
    expect(state?.ladder && ladderWords(state.ladder, state.spec.steps)).toMatch(
      /begins at 1 %, which takes about \d+ min/,
    );
  });

  test('is 1 % where there is enough traffic', async () => {
    await open({ rps: 100 });
    await world.release('v2');
    await untilWeight();
    expect(world.weight).toBeCloseTo(1);
    expect(recorded()?.spec.steps).toEqual([1, 5, 10, 25, 50]);
  });

  test('comes of the first samples where there is no history', async () => {
    await open({ rps: 10 }, seconds(2));
    await world.release('v2');
    await untilWeight();
    expect(recorded()?.ladder?.by).toBe('traffic');
    expect(recorded()?.ladder?.requestsPerSecond).toBeLessThan(14);
    expect(world.weight).toBeCloseTo(10);
  });

  test('does not wait for ever for a metric source that is away', async () => {
    await open({ rps: 10 });
    world.traffic.outage = true;
    await world.release('v2');
    const before = world.clock.now();
    await untilWeight();
    expect(world.weight).toBeCloseTo(1);
    expect(world.clock.now() - before).toBeLessThan(seconds(60));
    expect(recorded()?.ladder).toMatchObject({ by: 'unmeasured', requestsPerSecond: null });
  });
});
