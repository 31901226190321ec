import { createHash } from 'node:crypto';
import { millis, seconds } from '../../../src/lib/units.ts';
import { defaultLimits } from '../../../src/rollout/state.ts';
import { type RouteTruth, viewOf } from '../oracle-view.ts';
import { createOracles, differences } from '../oracles.ts';
import { type RouteEdit, routeEdits } from '../route-edits.ts';
import { type Life, World, type WorldOptions } from '../world.ts';
import { createInjector, type Injector, type Places } from './injector.ts';
import { canaryOf, request, scheduleActs } from './people.ts';
import type { Act, Fault, Plan, Quality } from './plan.ts';
import { createTranscript, type Transcript } from './transcript.ts';

export interface Outcome {
  readonly violations: readonly string[];
  readonly injected: ReadonlyMap<string, number>;
  readonly places: Places;
  /** Those that have begun. */
  readonly rollouts: number;
  /** Virtual time from the start to the end, ms. */
  readonly span: number;
  /** What is there when all has come to rest, before the encore. */
  readonly end: object;
}

export interface Traced extends Outcome {
  /** What has happened, for people. */
  readonly transcript: readonly string[];
  /** Of every commit and its moment; equal for equal runs. */
  readonly hash: string;
}

/** A whole story with its faults; afterwards everything must settle. */
export const runPlan = (plan: Plan): Promise<Outcome> => compared(plan, runStory(plan, silent));

/** The same story, told. */
export async function tracePlan(plan: Plan): Promise<Traced> {
  const hash = createHash('sha256');
  let transcript: Transcript = silent();
  const told = runStory(plan, (world) => {
    world.cluster.server.store.onCommit(({ type, object }) => {
      hash.update(`${world.clock.monotonic()} ${type} ${JSON.stringify(object)}\n`);
    });
    return (transcript = createTranscript(world));
  });
  const outcome = await compared(plan, told);
  return { ...outcome, transcript: transcript.lines, hash: hash.digest('hex') };
}

/** Stories without acts end as they do when nothing goes wrong. */
async function compared(plan: Plan, running: Promise<Outcome>): Promise<Outcome> {
  const outcome = await running;
  if (plan.acts.length > 0 || plan.faults.length === 0 || isGivenUp(plan)) return outcome;
  const known = calmEnds.get(storyOf(plan));
  const calm = known ?? (await undisturbed(plan));
  return {
    ...outcome,
    violations: [...outcome.violations, ...differences(calm.end, outcome.end)],
    rollouts: outcome.rollouts + (known === undefined ? calm.rollouts : 0),
  };
}

/** A gateway that takes no route for so long may end a good rollout. */
const isGivenUp = ({ faults }: Plan): boolean =>
  faults.some(({ kind, ...fault }) => {
    if (kind !== 'no-route-accept' || !('span' in fault)) return false;
    return fault.span.to - fault.span.from >= defaultLimits.routeAccepted;
  });

const calmEnds = new Map<string, Outcome>();

/** What tells stories without acts apart: of them nobody releases v3, and v4 only after the end. */
const storyOf = ({ mode, replicas, steps, latency, reverts, qualities }: Plan): string =>
  JSON.stringify({ mode, replicas, steps, latency, reverts, v2: qualities.v2 });

async function undisturbed(plan: Plan): Promise<Outcome> {
  const story = { ...plan, seed: 1, processes: 1, faults: [], encore: undefined };
  const calm = await runStory(story, silent);
  calmEnds.set(storyOf(plan), calm);
  return calm;
}

/** For the many runs that nobody reads. */
const silent = (): Transcript => ({ lines: [], tell: () => undefined, begin: () => undefined });

async function runStory(plan: Plan, watch: (world: World) => Transcript): Promise<Outcome> {
  const world = await World.settled(worldOf(plan));
  const transcript = watch(world);
  world.traffic.start();
  const oracles = createOracles(world, {
    repeats: 20,
    ignore: ignored(plan),
    byHand: givenByHand(plan),
  });
  const injector = createInjector(world, plan.faults, (line) => transcript.tell(`FAULT ${line}`));
  const staff = new Staff(world, plan, injector, transcript);
  staff.start();
  await world.clock.advance(seconds(8));
  // Without the policy a release before the first pause is a native one: nobody could help it.
  if (plan.mode === 'at-rest') {
    await world.clock.runUntil(() => world.deployment()?.spec.paused === true, seconds(60));
  }
  transcript.begin();
  const before = await disturb(plan, { world, injector, staff, transcript });
  await settle(world, transcript);
  const end = world.endState();
  const missed = plan.encore === undefined ? [] : await again(plan.encore, world, transcript);
  const found = [...oracles.end(), ...missed, ...leftovers(world, before, plan.acts)];
  staff.end();
  world.stop();
  return {
    violations: [...new Set(found)],
    injected: injector.injected,
    places: injector.places,
    rollouts: oracles.rollouts(),
    span: world.clock.monotonic(),
    end,
  };
}

interface Scene {
  readonly world: World;
  readonly injector: Injector;
  readonly staff: Staff;
  readonly transcript: Transcript;
}

/** From the release to the end of the last fault; resolves with the state before. */
async function disturb(plan: Plan, { world, injector, staff, transcript }: Scene) {
  const before = world.endState();
  injector.begin(() => staff.lives);
  scheduleActs(world, plan.acts, (line) => transcript.tell(line));
  await world.release('v2');
  const lasting = plan.faults.map(endOf);
  const last = Math.max(5000, ...plan.acts.map(({ at }) => at + 1000), ...lasting);
  await world.clock.advance(millis(last));
  if (plan.faults.some(isNumbered)) await whileNumbered(world, last);
  injector.end();
  transcript.tell('from here on nothing goes wrong');
  return before;
}

/** Requests and events go wrong by their number: most of a rollout's are made in such a time. */
const numbered = 40_000;

const isNumbered = (fault: Fault): boolean => !('span' in fault || 'at' in fault);

function endOf(fault: Fault): number {
  if ('span' in fault) return fault.span.to;
  return 'at' in fault ? fault.at : 0;
}

/** Where nothing is left of a rollout, the requests and events to come are nobody's. */
async function whileNumbered(world: World, since: number): Promise<void> {
  let resting = 0;
  for (let now = since; now < numbered && resting < 3; now += 1000) {
    await world.clock.advance(seconds(1));
    resting = world.isAtRest() ? resting + 1 : 0;
  }
}

/**
 * Whatever is paused is resumed by a person now and then, and where what serves fails itself a
 * person decides: nothing can be compared with it, and the rollout is held. An event that was lost
 * without a sign is made up for by the next full list, after at most twelve minutes: 20 are enough
 * for all (L1).
 */
async function settle(
  world: World,
  transcript: Transcript,
  wayOut: 'rollback' | 'promote' = 'rollback',
  minutes = 20,
): Promise<void> {
  for (let minute = 0; minute < minutes; minute += 1) {
    if (await comesToRest(world)) return;
    const state = canaryOf(world)?.state;
    const isPaused = typeof state === 'object' && state.pause !== null;
    const isDecided = servesFailures(world) || minute >= patience;
    const verb = isPaused ? 'resume' : isDecided ? wayOut : undefined;
    if (verb === undefined) continue;
    transcript.tell(`somebody: ${verb}`);
    await request(world, verb);
  }
}

/** So many minutes somebody waits for evidence. */
const patience = 30;

/** The next release, when what was to go wrong is over. */
async function again(quality: Quality, world: World, transcript: Transcript): Promise<string[]> {
  const isOptedIn = world.deployment()?.metadata.annotations?.['haldane.dev/enabled'] === 'true';
  if (!isOptedIn || !world.isAtRest()) return [];
  transcript.tell(`somebody: releases v4, which is ${quality}`);
  await world.release('v4');
  // A process that dies only now has to be replaced first.
  const noticed = world.clock.runUntil(() => !world.isAtRest(), seconds(60));
  const isNoticed = await noticed.then(
    () => true,
    () => false,
  );
  if (!isNoticed) return ['encore: nobody has noticed v4'];
  // Where what serves fails a good release is the cure, and a person who knows it promotes it.
  // Beside one that fails now and then it climbs slowly, and where the last one was slow for hours.
  await settle(world, transcript, quality === 'good' ? 'promote' : 'rollback', 60);
  const isServed = world.serves('v4');
  if (isServed === (quality === 'good')) return [];
  return [`encore: v4 is ${quality} and ${isServed ? 'serves' : 'does not serve'}`];
}

/** Somebody has promoted a broken version unseen. */
function servesFailures(world: World): boolean {
  const sets = viewOf(world.cluster, world.namespace, 'web').sets();
  const serving = sets.find(({ owned, replicas, state }) => owned && replicas > 0 && !state);
  const { total, bad } = world.traffic.answered.get(serving?.version ?? '') ?? { total: 0, bad: 0 };
  return bad > total / 10;
}

/** Between two rollouts it looks at rest for a moment only: rest lasts. */
async function comesToRest(world: World): Promise<boolean> {
  const end = world.clock.monotonic() + 60_000;
  const left = () => millis(Math.max(0, end - world.clock.monotonic()));
  const rested = await world.clock
    .runUntil(() => world.isAtRest(), left())
    .then(
      () => true,
      () => false,
    );
  if (!rested) {
    await world.clock.advance(left());
    return false;
  }
  for (let second = 0; second < 20; second += 1) {
    await world.clock.advance(seconds(1));
    if (!world.isAtRest()) return false;
  }
  return true;
}

/** What is the user's own comes back as its user had it, whatever the outcome. */
function leftovers(world: World, before: object, acts: readonly Act[]): string[] {
  const after = own(world.endState());
  const { services, routes } = own(before);
  const wanted = { services, routes: routes.map((route) => edited(route, acts)) };
  return differences(wanted, after).map((one) => one.replace('differential', 'I11 own'));
}

interface Own {
  readonly services: unknown;
  readonly routes: readonly Pick<RouteTruth, 'rules'>[];
}

const own = (state: object): Own => {
  const { services, routes } = state as Own;
  return { services, routes };
};

/** With what people have changed themselves. */
function edited(route: Own['routes'][number], acts: readonly Act[]): Own['routes'][number] {
  const inOrder = acts.toSorted((a, b) => a.at - b.at);
  // Of a Deployment that is gone nobody edits the route.
  const end = inOrder.findIndex(({ kind }) => kind === 'delete');
  const rules = inOrder
    .slice(0, end < 0 ? undefined : end)
    .reduce(
      (all, { kind }) => (kind in routeEdits ? routeEdits[kind as RouteEdit](all) : all),
      route.rules,
    );
  return { ...route, rules };
}

/** Processes of ours, with somebody who starts them again. */
class Staff {
  readonly #world: World;
  readonly #plan: Plan;
  readonly #injector: Injector;
  readonly #transcript: Transcript;
  readonly #lives: Life[] = [];
  #starts = 0;
  #over = false;

  constructor(world: World, plan: Plan, injector: Injector, transcript: Transcript) {
    this.#world = world;
    this.#plan = plan;
    this.#injector = injector;
    this.#transcript = transcript;
  }

  get lives(): readonly Life[] {
    return this.#lives;
  }

  start(): void {
    for (let place = 0; place < this.#plan.processes; place += 1) this.#begin(place);
  }

  end(): void {
    this.#over = true;
    for (const life of this.#lives) life.kill();
  }

  #begin(place: number): void {
    this.#starts += 1;
    const identity = `haldane-${this.#starts}`;
    const again = (why: string) => {
      if (this.#over) return;
      this.#transcript.tell(`${identity} ${why}`);
      this.#world.clock.after(seconds(2), () => this.#begin(place));
    };
    const crash = this.#injector.nextCrash();
    this.#lives[place] = this.#world.start(crash, {
      faults: this.#injector.clientFaults,
      ...(this.#plan.processes > 1 ? { identity } : {}),
      onExit: () => again('has lost its term and ends'),
      onKill: () => {
        this.#injector.note(`crash ${crash?.moment}`, `${identity} dies`);
        again('is started again');
      },
    });
    if (this.#starts > this.#plan.processes) this.#transcript.tell(`${identity} starts`);
  }
}

const errorRates: Readonly<Record<Quality, number>> = { good: 0, broken: 1, flaky: 0.05, slow: 0 };

function worldOf(plan: Plan): WorldOptions {
  const { seed, replicas, steps, latency, mode, qualities, encore = 'good', acts } = plan;
  const reverts = plan.reverts === true ? { 'haldane.dev/on-reject': 'revert' } : {};
  const qualityOf = (version: string) =>
    version === 'v4' ? encore : (qualities[version] ?? 'good');
  return {
    seed,
    replicas,
    quick: true,
    rps: 1000,
    policy: mode === 'on-change',
    autoscaled: acts.some(({ kind }) => kind === 'hpa'),
    annotations: {
      'haldane.dev/steps': steps,
      ...(latency ? { 'haldane.dev/checks': 'errors,latency' } : {}),
      ...reverts,
    },
    errorRate: (version) => errorRates[qualityOf(version)],
    slowRate: (version) => (qualityOf(version) === 'slow' ? 0.4 : 0.01),
  };
}

/** Percent; more than a step is undone at once, and the greatest first step is 10 %. */
const givenByHand = ({ acts }: Plan): number =>
  Math.min(10, Math.max(0, ...acts.map((act) => ('canaryPercent' in act ? act.canaryPercent : 0))));

const nothingLeft = ['lost requests', 'I1 endpoints', 'I3 pin', 'S13 state'];

/** What an oracle cannot know of a story. */
function ignored(plan: Plan): readonly string[] {
  const deleted = plan.acts.some(({ kind }) => kind === 'delete');
  const takenAway = plan.acts.some(({ kind }) => kind === 'delete-canary');
  // To skip the last step is to promote.
  const forward = (act: Act) =>
    act.kind === 'request' && (act.verb === 'promote' || act.verb === 'skip-step');
  const promoted = plan.acts.some(forward);
  const lifted =
    plan.acts.some((act) => 'canaryPercent' in act && act.canaryPercent >= 30) &&
    plan.acts.some((act) => 'verb' in act && act.verb === 'pause');
  const slow = plan.latency && Object.values(plan.qualities).includes('slow');
  return [
    // All pods go with it, and the garbage collector need not wait for us.
    ...(deleted ? ['lost requests', 'I1 endpoints', 'I2 Service', 'I10 order: the route was'] : []),
    // Its pods and its state go at once, and what is on its way does not know it.
    ...(takenAway ? [...nothingLeft, 'S6 order: lowered', 'notices'] : []),
    // A person has asked for it.
    ...(promoted ? ['S2 false promotion', 'L2 exposure'] : []),
    // In a pause what a hand raises is left to it.
    ...(lifted ? ['L2 exposure'] : []),
    // Or to be shown once more.
    ...(plan.acts.some((act) => 'verb' in act && act.verb === 'retry') ? ['L2 exposure'] : []),
    // Answers that come late are bad for other reasons than their status.
    ...(slow ? ['S4 false rejection'] : []),
    // Nobody is there to cut, or nobody can be told.
    ...(plan.faults.length > 0 ? ['L2 exposure'] : []),
  ];
}
