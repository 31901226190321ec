import type { Change } from '../../src/embedded/store.ts';
import type { Reading } from '../../src/metric-sources/metric-source.ts';
import { answered, isBad, isGood } from './oracle-answers.ts';
import { type Book, type Rollout, say } from './oracle-book.ts';
import {
  adoptable,
  followRequests,
  isAdoptedTooLate,
  isBackToStable,
  isLedInGoodFaith,
  isWrittenInTime,
  replicasOfSet,
  replicasToServe,
} from './oracle-requests.ts';
import { onTemplate } from './oracle-template.ts';
import {
  type DeploymentTruth,
  deploymentTruth,
  ownRules,
  type RouteTruth,
  routeTruth,
  type SetTruth,
  type StateTruth,
  setTruth,
  viewOf,
  writerOf,
} from './oracle-view.ts';
import { atEnd, type RestOptions } from './oracles-at-rest.ts';
import type { World } from './world.ts';

// What must hold whatever goes wrong, seen from outside: commits of the API server, requests of
// the clients, readings of the metric source, notices. Nothing here asks the code under test.

export interface Oracles {
  /** What has been violated so far, as `oracle: what happened`. */
  check(): string[];
  /** The same, with what must hold once everything has settled. */
  end(): string[];
  /** Rollouts that have begun so far. */
  rollouts(): number;
}

export interface OracleOptions extends RestOptions {
  /** The route is edited or the Deployment deleted by others: what is lost is not our doing. */
  readonly ignore?: readonly string[];
}

/** Least canary requests between a raise and the next one: the promotion bound needs far more. */
const leastEvidence = 60;
/** How long a state may last that the next pass must end, ms. */
const passing = 15_000;
/** Gateways follow a route within this time, ms. */
const mostPropagation = 2000;
/** As `passing` if no process need be there to end it: the longest stall and a new term. */
const longest = 120_000;

export function createOracles(world: World, options: OracleOptions = {}): Oracles {
  const book: Book = {
    world,
    view: viewOf(world.cluster, world.namespace, 'web'),
    found: new Set(),
    rollouts: new Map(),
    rejected: new Set(),
    requests: new Map(),
    askedAt: 0,
    unwanted: new Set(),
    wasRefused: false,
    userRules: undefined,
    handLimit: undefined,
    raiseMade: undefined,
    handSeen: false,
    raisedByHand: false,
    soundPins: new Set(),
    replicasAtWrite: new Map(),
    atWriteOfSet: new Map(),
    excusedLosses: 0,
    since: new Map(),
    readings: 0,
    lastCommit: 0,
    lastCommitOf: '',
  };
  const route = book.view.route();
  if (route !== undefined) followRules(route, route, book);
  countReadings(book);
  followRequests(book);
  world.cluster.server.store.onCommit((change) => {
    if (change.object.metadata.namespace === world.namespace) onCommit(change, book);
  });
  const found = () =>
    [...book.found].filter((one) => !(options.ignore ?? []).some((name) => one.startsWith(name)));
  return {
    check: () => {
      lasting(book);
      return found();
    },
    end: () => {
      lasting(book);
      atEnd(book, options);
      return found();
    },
    rollouts: () => book.rollouts.size,
  };
}

/** Two runs of one story end alike, whatever went wrong in one of them. */
export function differences(calm: object, disturbed: object): string[] {
  const before = Object.entries(calm);
  const after = new Map(Object.entries(disturbed));
  return before.flatMap(([part, value]) => {
    const [was, is] = [JSON.stringify(value), JSON.stringify(after.get(part))];
    return was === is ? [] : [`differential: ${part} is ${is} and was ${was} undisturbed`];
  });
}

/** The source is asked as before; what it told is counted on the way. */
function countReadings(book: Book): void {
  const { source } = book.world.traffic;
  const read = source.read.bind(source);
  Object.assign(source, {
    read: async (...asked: Parameters<typeof read>) => {
      const answers = await read(...asked);
      book.readings += [...answers.values()].filter(hasCanary).length;
      return answers;
    },
  });
}

const hasCanary = (reading: Reading): boolean =>
  reading.kind === 'series' && reading.series.some(({ arm }) => arm === 'canary');

function onCommit({ type, object, previous }: Change, book: Book): void {
  const gone = type === 'DELETED';
  if (writerOf(object) === 'haldane' && book.view.deployment() !== undefined) {
    for (const rollout of book.rollouts.values()) rollout.canBeTold = rollout.outcome !== undefined;
  }
  switch (object.kind) {
    case 'HTTPRoute':
      book.wasRefused ||= book.view.route()?.refused === true;
      if (!gone && previous !== undefined) onRoute(routeTruth(previous), routeTruth(object), book);
      break;
    case 'ReplicaSet':
      if (gone) onSetGone(setTruth(object), book);
      else onSet(previous === undefined ? undefined : setTruth(previous), setTruth(object), book);
      break;
    case 'Service':
      onService(object.metadata.name, gone, book);
      break;
    case 'EndpointSlice':
      onEndpoints(object.metadata.labels?.['kubernetes.io/service-name'] ?? '', book);
      break;
    case 'Deployment':
      onTemplate(object, previous, book);
      if (!gone) onDeployment(deploymentTruth(object), book);
      break;
    default:
      return;
  }
  if (object.kind !== 'EndpointSlice') {
    book.lastCommit = book.world.clock.now();
    book.lastCommitOf = `${object.kind} ${object.metadata.name}`;
  }
  lasting(book);
}

// The route: the only thing that gives a canary requests.

/** A hand's work may go unseen for so long while an answer is awaited. */
const secondsUnseen = 5;

function onRoute(before: RouteTruth, after: RouteTruth, book: Book): void {
  followRules(before, after, book);
  if (after.record?.mark?.kind === 'rejected') rolledBack(after.record.revision, book);
  const isByHand = after.writtenBy !== 'haldane';
  if (after.total === 0) say(book, 'S5 capacity', 'the weights of a rule sum to 0');
  if (isByHand) {
    const isTakenOff = after.canaryService !== before.canaryService;
    const isReweighed = after.weight !== before.weight || after.leastWeight !== before.leastWeight;
    book.handSeen ||= isTakenOff || isReweighed;
    if (after.leastWeight < before.leastWeight && !isNoCut(after, book))
      book.handLimit = after.leastWeight;
    if (after.leastWeight > before.leastWeight) liftedBySomebody(after, book);
    book.raisedByHand ||= after.weight > before.weight;
    // Led to a canary that is gone: a late write of ours has listed it, which we may see late.
    if (after.weight > before.weight && book.view.service(after.canaryService ?? '') === undefined)
      book.excusedLosses += book.world.traffic.rps * (after.weight / 100) * secondsUnseen;
    raisedAlready(canaryOf(book, after.record?.revision), book);
    return;
  }
  if (after.weight > before.weight || after.leastWeight > before.leastWeight)
    onRaise(before, after, book);
  if (after.weight < before.weight) onFall(before, after, book);
  if (after.weight !== before.weight) book.raisedByHand = false;
}

/** Nothing below what is recorded, or what a raise of ours that was not made yet begins from. */
function isNoCut({ leastWeight, canaryService, record }: RouteTruth, book: Book): boolean {
  const state = canaryOf(book, record?.revision)?.state;
  if (typeof state !== 'object') return false;
  const { from, to, raisedAt, inForceAt } = state.step;
  const isMade = inForceAt !== null || raisedAt === book.raiseMade;
  const isUnmade = !isMade && from === leastWeight && canaryService !== undefined;
  return leastWeight >= to || isUnmade;
}

/** What somebody has lowered is no longer so where it goes back, or beyond the step. */
function liftedBySomebody(route: RouteTruth, book: Book): void {
  if (book.handLimit === undefined) return;
  book.handLimit = isNoCut(route, book) ? undefined : Math.max(book.handLimit, route.leastWeight);
}

/** What the user wrote comes back byte for byte (I11). */
function followRules(before: RouteTruth, after: RouteTruth, book: Book): void {
  if (after.record === undefined && before.record !== undefined) {
    const [is, was] = [JSON.stringify(after.rules), JSON.stringify(book.userRules)];
    if (book.userRules !== undefined && is !== was) {
      say(book, 'I11 own route', `restored as ${is}, was ${was}`);
    }
    book.handLimit = undefined;
  }
  if (after.record === undefined) book.userRules = after.rules;
  else if (after.writtenBy !== 'haldane' && book.userRules !== undefined)
    book.userRules = ownRules(after.rules, book.userRules);
}

function onRaise(before: RouteTruth, after: RouteTruth, book: Book): void {
  const to = Math.round(after.weight);
  const { record } = after;
  const set = canaryOf(book, record?.revision);
  const rollout = set === undefined ? undefined : rolloutOf(set, book);
  if (record === undefined || rollout === undefined || set === undefined) {
    if (!isWrittenInTime(before, book))
      say(book, 'S13 state', `raised to ${to} % without recorded state`);
    return;
  }
  const state = set.state as StateTruth;
  if (to > state.step.to) say(book, 'S6 order', `${to} % before it was recorded`);
  if (state.pause !== null) say(book, 'S4 pause', `raised to ${to} % while paused`);
  if (isUnheard(state, book)) say(book, 'S4 unheard', `raised to ${to} % in spite of a request`);
  if (book.rejected.has(record.revision) || before.record?.mark?.kind === 'rejected') {
    say(book, 'S4 rejected', `a rejected revision was raised to ${to} %`);
  }
  if (book.handLimit !== undefined && !resumed(book)) {
    say(book, 'S4 hand', `raised to ${to} % after somebody had lowered it`);
  }
  climbed(to, rollout, book);
  if (to === state.step.to) book.raiseMade = state.step.raisedAt;
  book.handLimit = undefined;
  ableToServe(to, before, after, book);
}

/** Long after somebody asked this rollout to stop; a write may be on its way for so long. */
function isUnheard({ revision, requestId }: StateTruth, book: Book): boolean {
  const request = book.view.deployment()?.request;
  const stops = request?.verb === 'pause' || request?.verb === 'rollback';
  const isOld = book.world.clock.now() - book.askedAt > passing;
  return stops && isOld && request.revision === revision && request.id !== requestId;
}

const resumed = (book: Book): boolean =>
  ['resume', 'promote', 'skip-step'].includes(book.view.deployment()?.request?.verb ?? '');

/** One step at a time, each after enough of new evidence, or because a person asked. */
function climbed(to: number, rollout: Rollout, book: Book): void {
  const index = rollout.ladder.indexOf(to);
  const now = book.world.clock.now();
  const asked = rollout.askedIndex === index;
  if (index < 0) say(book, 'S1 steps', `${to} % is no step of ${rollout.ladder.join()}`);
  else if (index > rollout.reached + 1 && !(asked && to === 100))
    say(book, 'S1 steps', `to ${to} % from step ${rollout.reached}`);
  if (index > rollout.reached && rollout.reached > 0 && !asked) {
    const requests = answered(book, rollout.version) - rollout.answeredAtRaise;
    if (requests < leastEvidence)
      say(book, 'S2 evidence', `to ${to} % after ${requests} requests at the weight before`);
    if (book.readings === rollout.readingsAtRaise)
      say(book, 'S2 evidence', `to ${to} % without a reading at the weight before`);
    if (now - rollout.raisedAt < rollout.minStep)
      say(book, 'S2 evidence', `to ${to} % after ${now - rollout.raisedAt} ms`);
  }
  arrived(index, rollout, book);
}

/** A raise that was recorded for a person may be made after somebody's hand and a resume. */
function onRequestHeard({ state }: SetTruth, rollout: Rollout, book: Book): void {
  if (typeof state !== 'object' || state.requestId === rollout.requestId) return;
  rollout.requestId = state.requestId;
  const verb = book.requests.get(state.requestId ?? '');
  if (verb === 'promote' || verb === 'skip-step') rollout.askedIndex = state.step.index + 1;
  if (verb === 'pause') rollout.askedIndex = undefined;
}

/**
 * From here on there must be new readings before the next raise, and at a weight that it has never
 * had new requests: where it comes back to one, those that met it before count.
 */
function arrived(index: number, rollout: Rollout, book: Book): void {
  if (index > rollout.reached) rollout.answeredAtRaise = answered(book, rollout.version);
  rollout.reached = Math.max(rollout.reached, index);
  rollout.raisedAt = book.world.clock.now();
  rollout.readingsAtRaise = book.readings;
}

function ableToServe(to: number, before: RouteTruth, route: RouteTruth, book: Book): void {
  const deployment = book.view.deployment();
  const ready = book.view.ready(route.canaryService ?? '').length;
  const needed = Math.ceil((replicasToServe(before, book) * to) / 100 - 1e-9);
  if (ready < Math.max(1, needed))
    say(book, 'S5 capacity', `${to} % for ${ready} ready pods, ${needed} needed`);
  if (deployment?.enabled === true && !deployment.paused)
    say(book, 'I8 paused', `raised to ${to} % while the Deployment rolls by itself`);
}

function onFall(before: RouteTruth, after: RouteTruth, book: Book): void {
  if (after.record === undefined) {
    const hash = before.record?.revision ?? '';
    const set = book.view.sets().find((one) => one.hash === hash);
    if (set?.bare === true)
      say(book, 'I10 order', `the route was restored while it gave ${before.weight} %`);
    return;
  }
  const to = Math.round(after.weight);
  const set = canaryOf(book, after.record.revision);
  const rollout = set === undefined ? undefined : rolloutOf(set, book);
  // A hand has raised it beyond a step that it had not reached yet, and it comes back to that.
  raisedAlready(set, book);
  const step = typeof set?.state === 'object' ? set.state.step : undefined;
  if (book.raisedByHand && step?.to === to) book.raiseMade = step.raisedAt;
  const isWithdrawn = after.record.mark?.kind === 'withdrawn';
  // An adoption that landed when the template was the stable one again is no promotion.
  if (isWithdrawn && rollout?.outcome === 'promotion' && isBackToStable(book))
    rollout.outcome = undefined;
  const isMarked = after.record.mark !== undefined || book.raisedByHand;
  if (!isMarked && book.view.deployment() !== undefined)
    say(book, 'S6 order', `lowered to ${to} % without its reason`);
  const stable = book.view.ready('web').length;
  const canary = book.view.ready(after.canaryService ?? '').length;
  if (stable === 0 && canary > 0)
    say(book, 'S5 capacity', `lowered to ${to} % while nothing else is ready`);
}

// ReplicaSets: who has pods, and who may adopt whom.

const canaryOf = (book: Book, revision: string | undefined): SetTruth | undefined =>
  book.view.sets().find((set) => set.hash === revision && set.state !== undefined);

function rolloutOf(set: SetTruth, book: Book): Rollout | undefined {
  const { state } = set;
  if (state === undefined || state === 'unreadable') return undefined;
  const id = [state.deploymentUid, state.revision, state.attempt, state.startedAt].join('/');
  const known = book.rollouts.get(id);
  if (known !== undefined) return known;
  const fresh: Rollout = {
    id,
    revision: state.revision,
    version: set.version,
    ladder: [0, ...state.spec.steps, 100],
    minStep: state.spec.minStep,
    reached: 0,
    raisedAt: book.world.clock.now(),
    answeredAtRaise: answered(book, set.version),
    readingsAtRaise: book.readings,
    requestId: null,
    askedIndex: undefined,
    outcome: undefined,
    canBeTold: false,
  };
  book.rollouts.set(id, fresh);
  return fresh;
}

function onSet(before: SetTruth | undefined, after: SetTruth, book: Book): void {
  const rollout = rolloutOf(after, book);
  if (rollout !== undefined) onRequestHeard(after, rollout, book);
  raisedAlready(after, book);
  const pause = typeof after.state === 'object' ? after.state.pause : null;
  if (pause?.by === 'route' && !book.handSeen)
    say(book, 'S4 hand', 'paused for a hand that nobody has laid on the route');
  if (before === undefined && after.bare && book.rejected.has(after.hash))
    say(book, 'I12 rejected', `a rejected revision was canaried again`);
  if (before?.bare === true && !after.bare) onAdoption(after, book);
  // The Deployment takes away what it takes over, and gateways follow us in their time.
  if (before?.owned === false && after.owned && isAdoptedTooLate(after, book))
    book.excusedLosses += (book.world.traffic.rps * mostPropagation) / 1000;
  if (before !== undefined && after.replicas < before.replicas) onFewer(after, book);
  const rises = after.owned && after.replicas > 0 && (before?.replicas ?? 0) === 0;
  if (rises) onNative(after, book);
  const weight = book.view.route()?.weight ?? 0;
  if (after.bare && before?.state !== undefined && after.state === undefined && weight > 0)
    say(book, 'S13 state', `the state was taken away at ${weight} %`);
}

/** A raise is recorded, and somebody's hand was quicker: nothing is left to shift. */
function raisedAlready(set: SetTruth | undefined, book: Book): void {
  const rollout = set === undefined ? undefined : rolloutOf(set, book);
  if (!book.raisedByHand || rollout === undefined || typeof set?.state !== 'object') return;
  const weight = Math.round(book.view.route()?.weight ?? 0);
  const index = rollout.ladder.indexOf(weight);
  if (set.state.step.to === weight && index > rollout.reached) arrived(index, rollout, book);
}

/**
 * From here on there is no way back. A hand or an autoscaler may be quicker than the write: what
 * was so when it was asked for will do.
 */
function onAdoption(set: SetTruth, book: Book): void {
  const rollout = rolloutOf(set, book);
  if (rollout !== undefined) rollout.outcome = 'promotion';
  const now = adoptable(book);
  const before = book.atWriteOfSet.get(set.name) ?? now;
  if (now.weight !== 100 && before.weight !== 100)
    say(book, 'I10 order', `adopted at ${now.weight} %`);
  if (book.view.service('web')?.pin !== set.hash)
    say(book, 'I10 order', 'adopted while the Service leads to stable');
  if (set.available < Math.min(now.replicas, before.replicas))
    say(book, 'S5 capacity', `adopted with ${set.available} pods`);
  if (isBad(book, set.version)) say(book, 'S2 false promotion', set.version);
  if (book.rejected.has(set.hash)) say(book, 'S4 rejected', 'a rejected revision was adopted');
}

function onFewer(set: SetTruth, book: Book): void {
  const deployment = book.view.deployment();
  const route = book.view.route();
  if (deployment === undefined || route === undefined) return;
  if (set.bare && route.record?.revision === set.hash && route.weight > 0) {
    const needed = Math.ceil((replicasOfSet(set, book) * route.weight) / 100 - 1e-9);
    if (set.replicas < needed)
      say(book, 'I10 order', `${set.replicas} canary pods for ${Math.round(route.weight)} %`);
  }
  // A hand may lower the route just after an adoption: no Service leads to stable by then.
  const isLedAway = book.view.service('web')?.pin === route.record?.revision;
  const serves = route.record !== undefined && route.weight < 100 && !isLedAway;
  if (set.owned && set.state === undefined && serves && set.replicas < deployment.replicas)
    say(book, 'I7 stable', `stable has ${set.replicas} of ${deployment.replicas} replicas`);
}

/** A template that nobody has tested rolls by itself. */
function onNative(set: SetTruth, book: Book): void {
  const others = book.view
    .sets()
    .filter((one) => one.owned && one.name !== set.name && one.replicas > 0);
  const deployment = book.view.deployment();
  const back = [...book.rollouts.values()].every(({ version }) => version !== set.version);
  if (others.length === 0 || set.state !== undefined || deployment?.enabled !== true) return;
  if (book.rejected.has(set.hash) || back) say(book, 'I4 one active', `${set.name} rolls natively`);
}

function onSetGone(set: SetTruth, book: Book): void {
  const route = book.view.route();
  if (set.hash === route?.record?.revision && (route?.weight ?? 0) > 0)
    say(book, 'I1 endpoints', `the ReplicaSet went at ${route?.weight} %`);
}

// Services: who is reached past the route.

function onService(name: string, gone: boolean, book: Book): void {
  const route = book.view.route();
  if (gone) {
    if (route?.canaryService === name) say(book, 'I2 Service', 'it went while the route names it');
    return;
  }
  const pin = name === 'web' ? book.view.service(name)?.pin : undefined;
  if (pin === undefined) return;
  // Of a Deployment that is gone no pod is left, whoever was late.
  const live = book.view.deployment() !== undefined;
  if (live && book.view.readyPods(pin) === 0)
    say(book, 'I3 pin', 'pinned to a hash without ready pods');
  const canary = book.view.sets().find((set) => set.hash === pin && set.bare);
  if (canary !== undefined && (route?.weight ?? 0) < 100 && !isLedInGoodFaith(book))
    say(book, 'I10 order', `the Service leads to the canary at ${route?.weight ?? 0} %`);
}

function onEndpoints(service: string, book: Book): void {
  if (service !== 'web' || (book.view.route()?.weight ?? 0) === 100) return;
  const bare = new Set(
    book.view
      .sets()
      .filter((set) => set.bare)
      .map(({ hash }) => hash),
  );
  const leaked = book.view.ready('web').filter((pod) => bare.has(book.view.podHash(pod)));
  if (leaked.length > 0 && !isLedInGoodFaith(book))
    say(book, 'S1 exposure', 'the user’s Service leads to canary pods');
}

// The Deployment: requests of people, rejections.

function onDeployment(deployment: DeploymentTruth, book: Book): void {
  const { request } = deployment;
  if (request !== undefined && !book.requests.has(request.id)) {
    book.requests.set(request.id, request.verb);
    book.askedAt = book.world.clock.now();
    if (request.verb === 'rollback') book.unwanted.add(request.revision);
  }
  const rules = new Map(deployment.rejected.map(({ revision, rule }) => [revision, rule]));
  const now = new Set(rules.keys());
  for (const revision of book.rejected) {
    if (now.has(revision)) continue;
    const retried = [...book.requests.values()].includes('retry');
    if (!retried && deployment.enabled && now.size < 5)
      say(book, 'I12 rejected', 'a rejection was forgotten');
    book.rejected.delete(revision);
  }
  for (const revision of now) {
    if (!book.rejected.has(revision)) onRejection(revision, rules.get(revision) ?? '', book);
    book.rejected.add(revision);
  }
}

function onRejection(revision: string, rule: string, book: Book): void {
  const rollout = rolledBack(revision, book);
  if (rollout === undefined) return;
  rollout.canBeTold = false;
  const set = canaryOf(book, revision);
  if (typeof set?.state === 'object' && !isDeserved(rule, set, book))
    say(book, 'S4 false rejection', `${rollout.version} by ${rule}`);
  const isCut = (book.view.route()?.weight ?? 0) === 0 || isRaisedFromNothing(revision, set, book);
  if (!isCut) say(book, 'S6 order', 'rejected before it was cut');
}

/** By somebody, while the rejection was under way: we had given nothing yet, or had cut it. */
const isRaisedFromNothing = (revision: string, set: SetTruth | undefined, book: Book): boolean => {
  const mark = book.view.route()?.record?.mark;
  const isCut = mark?.kind === 'rejected' && mark.revision === revision;
  const isUngiven = typeof set?.state === 'object' && set.state.step.to === 0;
  return book.raisedByHand && (isCut || isUngiven);
};

/** The cut with its reason, or the rejection where nothing was to be cut. */
function rolledBack(revision: string, book: Book): Rollout | undefined {
  const rollout = [...book.rollouts.values()].findLast((one) => one.revision === revision);
  if (rollout !== undefined) rollout.outcome = 'rollback';
  return rollout;
}

/** What the rule says is true of this world. */
function isDeserved(rule: string, set: SetTruth, book: Book): boolean {
  switch (rule) {
    case 'rollbackRequested':
      return book.unwanted.has(set.hash);
    case 'routeRefused':
      return book.wasRefused;
    case 'podsBroken':
    case 'podsNotReady':
      return set.available < set.replicas;
    default:
      return !isGood(book, set.version);
  }
}

// What may be so for a moment, but not for long.

const raisedByHand = 'S1 steps: what a hand has raised stays so';
const raisedRejected = 'S4 rejected: what a hand has raised of a rejected revision stays so';
const ledAmiss = 'I10 order: the Service goes on leading to a canary that the route gives less';
/** Some of what others do can be undone only once a process is there, and in no pause. */
const undoneLater = new Set([raisedByHand, raisedRejected, ledAmiss]);

function lasting(book: Book): void {
  const now = book.world.clock.now();
  const route = book.view.route();
  const weight = route?.weight ?? 0;
  const set = canaryOf(book, route?.record?.revision);
  const state = typeof set?.state === 'object' ? set.state : undefined;
  const step = state?.step.to ?? 0;
  const live = book.view.deployment()?.enabled === true;
  const isBare = live && set?.bare === true;
  const isAbove = isBare && weight > step;
  const isRejected = weight > 0 && book.rejected.has(route?.record?.revision ?? '');
  const states: readonly (readonly [name: string, holds: boolean])[] = [
    ['S13 state: weight without readable state', live && weight > 0 && state === undefined],
    ['S1 steps: weight above the recorded step', isAbove && !book.raisedByHand],
    [raisedByHand, isAbove && book.raisedByHand && !state?.pause],
    [ledAmiss, isBare && weight < 100 && book.view.service('web')?.pin === set.hash],
    [
      'I1 endpoints: weight for a canary without ready pods',
      weight > 0 && book.view.ready(route?.canaryService ?? '').length === 0,
    ],
    ['S4 rejected: a rejected revision keeps its weight', isRejected && !book.raisedByHand],
    [raisedRejected, isRejected && book.raisedByHand],
    [
      'I3 pin: the Service has no ready pod',
      live && book.view.service('web')?.pin !== undefined && book.view.ready('web').length === 0,
    ],
  ];
  for (const [name, holds] of states) {
    if (!holds) {
      book.since.delete(name);
      continue;
    }
    const since = book.since.get(name) ?? now;
    book.since.set(name, since);
    const patience = undoneLater.has(name) ? longest : passing;
    if (now - since > patience) book.found.add(name);
  }
}
