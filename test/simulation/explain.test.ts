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

async function open(options: WorldOptions, warmUp = seconds(75)): Promise<void> {
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
    await open({ rps: 10, hears: ['started'] });
    await world.release('v2');
    await world.clock.runUntil(() => recorded()?.ladder?.by === 'traffic', seconds(60));
    expect(world.weight).toBe(0);
    life.kill();
    world.traffic.outage = true;
    life = world.start();
    await untilWeight();
    expect(world.weight).toBeCloseTo(10);
    expect(recorded()?.spec.steps).toEqual([10, 25, 50]);
    const told = eventsOf('CanarySteps');
    expect(told).toHaveLength(1);
    expect(told[0]).toMatch(
      /: stable gets \d\d? requests\/s: steps 10, 25, 50, 100; 10 % takes .*; 1 % would take about/,
    );
    await world.clock.advance(seconds(10));
    expect(world.notices).toMatchObject([{ kind: 'started', weight: 10, step: 1, steps: 3 }]);
    expect(told[0]).toContain(world.notices[0]?.because);
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
      /steps 1, 50, 100; 1 % takes about \d+ min/,
    );
  });

  test('is 1 % where there is enough traffic', async () => {
    await open({ rps: 100 });
    await world.release('v2');
    await untilWeight();
    expect(world.weight).toBeCloseTo(1);
    expect(recorded()?.spec.steps).toEqual([1, 5, 10, 25, 50]);
  });

  test('is the configured one for a service that has just begun', async () => {
    await open({ rps: 10 }, seconds(2));
    await world.release('v2');
    await untilWeight();
    expect(recorded()?.ladder).toMatchObject({ by: 'unmeasured', requestsPerSecond: null });
    expect(world.weight).toBeCloseTo(1);
    expect(eventsOf('CanarySteps')[0]).toContain("stable's traffic is not known: steps 1, 5, ");
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

describe('evidence over a restart', () => {
  const slow = { 'haldane.dev/steps': '5,50', 'haldane.dev/min-step': '1h' };

  async function toFirstStep(): Promise<void> {
    await open({ rps: 100, annotations: slow });
    await world.release('v2');
    await untilWeight();
    await world.clock.advance(seconds(70));
  }

  /** Ends the process, loses what `lose` takes out of the record, and starts another one. */
  async function restart(lose: (state: object) => object = (state) => state): Promise<void> {
    life.kill();
    const { metadata } = canarySet() ?? {};
    const text = metadata?.annotations?.['haldane.dev/state'] ?? '{}';
    const state = JSON.stringify(lose(JSON.parse(text) as object));
    const name = metadata?.name ?? '';
    const path = `/apis/apps/v1/namespaces/${world.namespace}/replicasets/${name}`;
    const body = { metadata: { annotations: { 'haldane.dev/state': state } } };
    const contentType = 'application/merge-patch+json';
    const request = { method: 'PATCH', path, contentType, body } as const;
    const answer = await world.cluster.transport().request(request, AbortSignal.timeout(10_000));
    expect(answer.status).toBe(200);
    life = world.start();
    await world.clock.advance(seconds(10));
  }

  test('goes on, and is checkpointed by the new process as by the old one', async () => {
    await toFirstStep();
    const served = polls()?.polls.at(-1)?.checks[0]?.canary.total ?? 0;
    await restart();
    expect(recorded()?.alphaShare).toBeUndefined();
    const last = polls()?.polls.at(-1);
    expect(last?.evidenceNeeded).toBe(100);
    expect(last?.checks[0]?.canary.total).toBeGreaterThan(served);
    await world.clock.advance(seconds(130));
    const age = world.clock.now() - (recorded()?.evidence?.at ?? 0);
    expect(age).toBeLessThan(seconds(70));
    expect(eventsOf('CanaryEvidenceLost')).toEqual([]);
  });

  test('that is lost costs half of what is left of α, each time, and is told', async () => {
    await toFirstStep();
    const lose = (state: object) => ({ ...state, evidence: null });
    await restart(lose);
    expect(recorded()).toMatchObject({ alphaShare: 1 / 2, evidence: { alphaShare: 1 / 2 } });
    expect(polls()?.polls.at(-1)?.evidenceNeeded).toBe(200);
    expect(eventsOf('CanaryEvidenceLost').at(-1)).toMatch(
      /evidence was lost once: a rollback needs 2 times as much as before/,
    );
    // Loses nothing: what is left is left.
    await restart();
    expect(recorded()?.alphaShare).toBe(1 / 2);
    await restart(lose);
    expect(recorded()?.alphaShare).toBe(1 / 4);
    expect(polls()?.polls.at(-1)?.evidenceNeeded).toBe(400);
    expect(world.weight).toBeCloseTo(5);
    expect(eventsOf('CanaryEvidenceLost')).toHaveLength(2);
  });

  test('a metric source that has forgotten everything takes nothing from the record', async () => {
    await toFirstStep();
    world.traffic.outage = true;
    await restart();
    expect(recorded()?.alphaShare).toBeUndefined();
    expect(recorded()?.evidence?.alphaShare).toBe(1);
  });
});

test('attempts of the same image are counted, whatever else changed in the template', async () => {
  const annotations = { 'haldane.dev/steps': '5,50' };
  await open({ rps: 200, annotations, errorRate: (v) => (v === 'v2' ? 0.5 : 0) });
  await world.release('v2');
  await untilWeight();
  await world.settle();
  const restarted = { metadata: { annotations: { again: 'yes' } } };
  await world.patch({ spec: { template: restarted } });
  await world.clock.runUntil(() => recorded()?.attempt === 2, seconds(60));
  expect(recorded()?.attempt).toBe(2);
  await world.settle();
  expect(world.notices.map(({ kind, attempt }) => [kind, attempt])).toEqual([
    ['rollback', 1],
    ['rollback', 2],
  ]);
  // Another image is another release.
  await world.release('v3');
  await world.clock.runUntil(() => recorded()?.attempt === 1, seconds(60));
  expect(recorded()?.attempt).toBe(1);
});
