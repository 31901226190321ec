import type { Action } from '../../../src/rollout/action.ts';
import { lasting } from '../../../src/rollout/route-mark.ts';
import type { RouteMark } from '../../../src/rollout/views.ts';
import {
  type Cluster,
  canaryIndex,
  firstRecord,
  type Ours,
  oursAt,
  type Recorded,
  replaced,
  stableIndex,
  stateAt,
  targetOf,
  templates,
} from './cluster-state.ts';
import { isNewRaise, recordedOf, routeOf as routeOfModel } from './snapshot-of.ts';

// What one write does to the cluster, and what the API server refuses: the preconditions are those
// of `src/controller/write-*.ts`. `seen` is what the writer looked at, `now` what is there.

/** Objects that have changed since a writer looked, one bit each. */
export const changed = {
  deployment: 1,
  service: 2,
  route: 4,
  /** The state annotation of the canary that was seen. */
  state: 8,
  /** Anything of the canary that was seen, its status included. */
  canary: 16,
  /** The canary that was seen is gone; one of the same name may be there. */
  identity: 32,
  canaryService: 64,
} as const;

/** Which objects differ between two states, for a writer that saw the canary at `canary`. */
export function changesBetween(before: Cluster, after: Cluster, canary: number): number {
  const was = oursAt(before, canary);
  const is = oursAt(after, canary);
  const gone = was !== undefined && is === undefined;
  return (
    (deploymentOf(before) === deploymentOf(after) ? 0 : changed.deployment) |
    (before.pin === after.pin ? 0 : changed.service) |
    (routeOf(before) === routeOf(after) ? 0 : changed.route) |
    (JSON.stringify(was?.state) === JSON.stringify(is?.state) ? 0 : changed.state) |
    (JSON.stringify(was) === JSON.stringify(is) ? 0 : changed.canary) |
    (gone ? changed.identity : 0) |
    (before.services === after.services ? 0 : changed.canaryService)
  );
}

const deploymentOf = (c: Cluster): string =>
  [
    c.optedIn,
    c.template,
    c.paused,
    c.mark,
    c.markAttempt,
    c.pausedAtRest,
    c.rejected,
    c.progressing,
    c.succeeded,
    c.replicas,
    c.request?.verb,
  ].join();

const routeOf = (c: Cluster): string =>
  [
    c.record,
    c.routeMark,
    c.markOf,
    c.markFrom,
    c.made,
    c.weight,
    c.route === 'in-force' ? 'accepted' : c.route,
  ].join();

/** The state after the write; undefined when it is refused or changes nothing. */
export function apply(
  action: Action,
  seen: Cluster,
  now: Cluster,
  since: number,
): Cluster | undefined {
  const is = (mask: number): boolean => (since & mask) !== 0;
  switch (action.kind) {
    case 'record':
    case 'scale-canary':
    case 'adopt-canary':
    case 'clear-state':
    case 'delete-replica-set':
    case 'scale-replica-set':
    case 'create-canary':
    case 'bootstrap':
      return onSets(action, seen, now, since);
    case 'attach-route':
    case 'shift-route':
    case 'flinch-route':
    case 'fence-route':
    case 'cut-route':
    case 'restore-route':
      return onRoute(action, seen, now, since);
    case 'pin-service':
      if (is(changed.service)) return undefined;
      // Before the canary gets the Service, too, the route is read.
      if (isBareCanary(action.podHash, seen) && now.weight < 100) return undefined;
      return { ...now, pin: pinOf(action.podHash), drained: false };
    case 'unpin-service':
      if (is(changed.service)) return undefined;
      if (canaryIndex(seen) < 0 && marksOf(now) !== marksOf(seen)) return undefined;
      return { ...now, pin: '', drained: false };
    case 'create-canary-service':
      return { ...now, services: now.services | (1 << revisionOf(seen)) };
    case 'delete-canary-service': {
      if (is(changed.canaryService)) return undefined;
      const revision = indexOf(action.name.slice('web-canary-'.length));
      // Of a leftover the ReplicaSet is read first.
      const isLeftover = revision !== revisionOf(seen) || canaryIndex(seen) < 0;
      if (isLeftover && oursAt(now, revision)?.state !== undefined) return undefined;
      if (now.record === revision) return undefined;
      return { ...now, services: now.services & ~(1 << revision) };
    }
    default:
      return onDeployment(action, seen, now, is(changed.deployment));
  }
}

const isBareCanary = (podHash: string, seen: Cluster): boolean =>
  oursAt(seen, indexOf(podHash))?.kind === 'bare';

const pinOf = (podHash: string): string =>
  podHash.startsWith('native-') ? podHash : `ours-${podHash}`;

const indexOf = (revision: string): number => templates.indexOf(revision as 'aa');

/** The revision that a canary Service is named after. */
function revisionOf(c: Cluster): number {
  const canary = canaryIndex(c);
  return canary >= 0 ? canary : c.record >= 0 ? c.record : c.template;
}

type OnSets = Extract<
  Action,
  {
    readonly kind:
      | 'record'
      | 'scale-canary'
      | 'adopt-canary'
      | 'clear-state'
      | 'delete-replica-set'
      | 'scale-replica-set'
      | 'create-canary'
      | 'bootstrap';
  }
>;

function onSets(action: OnSets, seen: Cluster, now: Cluster, since: number): Cluster | undefined {
  const canary = canaryIndex(seen);
  const set = oursAt(now, canary);
  const isOther = (since & changed.identity) !== 0 || set === undefined;
  const isStale = isOther || (since & changed.state) !== 0;
  switch (action.kind) {
    case 'record': {
      if (isStale) return undefined;
      const isForHand = action.state.pause?.by === 'route' && stateIn(set)?.paused === false;
      if (isForHand && !isHandStill(seen, now)) return undefined;
      const delivered = set.state === 'unreadable' ? 0 : set.state.delivered;
      const state = recordedOf(action.state, delivered);
      // What was counted stays until the weight is in force; nothing is suspected before that.
      const begins = state.inForce && !(stateIn(set)?.inForce ?? false);
      const evidence = begins ? ({ verdict: 'none', flinch: '' } as const) : {};
      const flinch = state.inForce ? {} : ({ flinch: '' } as const);
      const made = now.made && !state.inForce && !isNewRaise(action.state);
      return { ...withOurs(now, canary, { ...set, state }), ...evidence, ...flinch, made };
    }
    case 'scale-canary': {
      if (isStale) return undefined;
      const { replicas } = action;
      const before = oursAt(seen, canary)?.replicas ?? 0;
      if (before === 0 && now.pin !== seen.pin) return undefined;
      if (replicas < before && seen.weight > 0 && specOf(now) !== specOf(seen)) return undefined;
      if ((replicas > before || seen.weight > 0) && set.replicas !== before) return undefined;
      const available = Math.min(set.available, replicas);
      const trouble = replicas === 0 ? 'none' : set.trouble;
      const ended = action.outcome !== undefined && set.state !== 'unreadable';
      const state = ended ? { ...set.state, ended } : set.state;
      return withOurs(now, canary, { ...set, replicas, available, trouble, state });
    }
    case 'adopt-canary': {
      if (isOther || (since & changed.canary) !== 0) return undefined;
      const fits = now.paused && now.replicas === set.replicas && now.template === seen.template;
      if (isDecidedOtherwise(seen, now) || now.weight < 100) return undefined;
      return fits ? withOurs(now, canary, { ...set, kind: 'released' }) : undefined;
    }
    case 'clear-state': {
      if (isOther) return undefined;
      const without = withOurs(now, canary, undefined);
      return { ...without, native: replaced(now.native, canary, 'full') };
    }
    case 'delete-replica-set':
      return deleted(action.name, now, isOther, canary);
    case 'scale-replica-set': {
      const target = indexOf(action.name.replace('web-native-', ''));
      if (now.native[target] !== 'full') return undefined;
      return { ...now, native: replaced(now.native, target, 'empty') };
    }
    case 'create-canary': {
      const isOutdated = now.template !== seen.template || now.rejected !== seen.rejected;
      if (isOutdated || oursAt(now, seen.template) !== undefined) return undefined;
      const state = firstRecord(Math.min(action.state.attempt, 2));
      const fresh: Ours = { kind: 'bare', replicas: 0, available: 0, trouble: 'none', state };
      const evidence = { verdict: 'none', flinch: '' } as const;
      return { ...withOurs(now, seen.template, fresh), ...evidence, made: false };
    }
    case 'bootstrap':
      return bootstrapped(seen, now, (since & changed.deployment) !== 0);
  }
}

/** What a generation tells of. */
const specOf = ({ template, replicas, paused }: Cluster): string =>
  [template, replicas, paused].join();

/** Somebody has opted out or asked for something since, or has rejected a revision. */
const isDecidedOtherwise = (seen: Cluster, now: Cluster): boolean =>
  seen.optedIn !== now.optedIn ||
  seen.rejected !== now.rejected ||
  (now.request !== undefined && seen.request?.verb !== now.request.verb);

/** Our marks on the Deployment. */
const marksOf = (c: Cluster): string =>
  [c.optedIn, c.mark, c.markAttempt, c.pausedAtRest, c.rejected, c.request?.verb].join();

/** What a pause for somebody's hand rests upon is read once more. */
const isHandStill = (seen: Cluster, now: Cluster): boolean =>
  seen.weight === now.weight && marksOf(seen) === marksOf(now);

/** A deadline rests upon what did not come, and is read once more. */
function isReasonStill(rule: string, seen: Cluster, now: Cluster): boolean {
  if (rule === 'routeRefused') return now.route.startsWith('refused');
  const canary = canaryIndex(seen);
  return (
    rule !== 'podsNotReady' || oursAt(seen, canary)?.available === oursAt(now, canary)?.available
  );
}

const stateIn = ({ state }: Ours): Recorded | undefined =>
  state === 'unreadable' ? undefined : state;

const withOurs = (c: Cluster, index: number, set: Ours | undefined): Cluster => ({
  ...c,
  ours: replaced(c.ours, index, set),
});

function deleted(
  name: string,
  now: Cluster,
  isOther: boolean,
  canary: number,
): Cluster | undefined {
  if (name.startsWith('web-native-')) {
    const target = indexOf(name.replace('web-native-', ''));
    if (now.native[target] === 'none') return undefined;
    return { ...now, native: replaced(now.native, target, 'none') };
  }
  const target = indexOf(name.replace('web-ours-', ''));
  // The precondition is the uid: one of the same name that was made since is left alone.
  if (oursAt(now, target) === undefined || (target === canary && isOther)) return undefined;
  return withOurs(now, target, undefined);
}

function bootstrapped(seen: Cluster, now: Cluster, isStale: boolean): Cluster | undefined {
  if (now.mode === 'on-change') return isStale ? undefined : { ...now, mark: -1, paused: false };
  if (now.template !== seen.template || now.native[now.template] !== 'none') return undefined;
  return { ...now, native: replaced(now.native, now.template, 'empty') };
}

type OnRoute = Extract<Action, { readonly kind: `${string}-route` }>;

function onRoute(action: OnRoute, seen: Cluster, now: Cluster, since: number): Cluster | undefined {
  const written = { route: 'written', verdict: 'none', flinch: '' } as const;
  const canary = canaryIndex(seen);
  if (action.kind === 'cut-route') {
    // Never refused: it is repeated on whatever the route has become.
    if (now.record < 0 || !isReasonStill(action.mark.rule, seen, now)) return undefined;
    const mark = lasting(routeOfModel(now).route, action.mark);
    return { ...now, ...written, weight: 0, ...markedBy(mark), byHand: false };
  }
  if ((since & changed.route) !== 0) return undefined;
  switch (action.kind) {
    case 'attach-route':
      return {
        ...now,
        ...written,
        record: canary,
        ...unmarked,
        made: false,
        weight: 0,
        // The first weight needs no pass, and a person may have asked for all of it.
        earned: now.request?.verb === 'promote' ? now.earned : 1,
        byHand: false,
      };
    case 'shift-route':
      if (seen.weight !== action.from || now.record < 0) return undefined;
      if (!isConfirmed(action, seen, now, since)) return undefined;
      return {
        ...now,
        ...written,
        weight: action.to,
        ...unmarked,
        made: isMadeBy(action, seen, now, since),
        byHand: false,
      };
    case 'flinch-route':
      if (now.weight <= action.to) return undefined;
      return {
        ...now,
        ...written,
        weight: action.to,
        routeMark: action.mark.pod === undefined ? 'flinch' : 'sick',
        podRestarted: false,
        markOf: canary,
        markFrom: -1,
        byHand: false,
      };
    case 'fence-route':
      if (now.record < 0) return undefined;
      const routeMark = action.mark.rule === 'weightChangedByHand' ? 'hand' : 'fenced';
      return { ...now, routeMark, markOf: canary, markFrom: -1 };
    case 'restore-route':
      return { ...now, ...written, record: -1, ...unmarked, made: false, weight: 0, byHand: false };
  }
}

const unmarked = { routeMark: '', markOf: 0, markFrom: -1 } as const;

const markedBy = ({ kind, revision, from }: RouteMark) => ({
  routeMark: kind,
  markOf: indexOf(revision),
  markFrom: from ?? -1,
});

/** What a shift rests upon is read once more: a raise the Deployment, a lowering the record. */
function isConfirmed(
  { from, to }: { readonly from: number; readonly to: number },
  seen: Cluster,
  now: Cluster,
  since: number,
): boolean {
  if (to < from) return (since & changed.state) === 0;
  return specOf(seen) === specOf(now) && !isDecidedOtherwise(seen, now);
}

/**
 * A raise tells the route which record it is of. Where the record has changed since, it may be an
 * older one with the same numbers, or the same one with a pause: then it counts as not made.
 */
function isMadeBy(
  { to }: { readonly to: number },
  seen: Cluster,
  now: Cluster,
  since: number,
): boolean {
  const recorded = stateAt(seen, canaryIndex(seen));
  if (recorded === undefined || targetOf(recorded) !== to) return now.made;
  return !recorded.inForce && (since & (changed.state | changed.identity)) === 0;
}

type OnDeployment = Exclude<
  Action,
  OnSets | OnRoute | { readonly kind: 'pin-service' | 'unpin-service' | `${string}-canary-service` }
>;

function onDeployment(
  action: OnDeployment,
  seen: Cluster,
  now: Cluster,
  isStale: boolean,
): Cluster | undefined {
  // Paused all the time, the end of a rollout is written whatever else has changed (uid alone).
  const isFree = action.kind === 'finish-rollout' && seen.mode === 'at-rest';
  if (isStale && !isFree) return undefined;
  switch (action.kind) {
    case 'mark-rollout': {
      const mark = indexOf(action.revision);
      const request = now.request?.of === mark ? now.request : undefined;
      return { ...now, mark, markAttempt: Math.min(action.attempt, 2), request };
    }
    case 'set-progressing': {
      const { status } = action.progressing;
      if (status === 'True') return { ...now, progressing: 'succeeded', succeeded: now.template };
      return { ...now, progressing: status === 'False' ? 'rejected' : 'paused', succeeded: 0 };
    }
    case 'finish-rollout': {
      const over = { ...now, mark: -1, markAttempt: 1, request: undefined };
      return seen.mode === 'at-rest' ? over : { ...over, paused: false };
    }
    case 'mark-rejected': {
      if (seen.routeMark !== 'rejected' && now.weight > 0) return undefined;
      const bit = 1 << indexOf(action.rejection.revision);
      return { ...now, rejected: now.rejected | bit };
    }
    case 'forget-rejection':
      return {
        ...now,
        rejected: now.rejected & ~(1 << seen.template),
        mark: seen.template,
        markAttempt: 2,
        request: undefined,
      };
    case 'pause-at-rest':
      return { ...now, paused: true, pausedAtRest: true };
    case 'opt-out': {
      const stable = stableIndex(seen);
      const template = stable < 0 ? now.template : stable;
      const free = { mark: -1, markAttempt: 1, rejected: 0, pausedAtRest: false } as const;
      return { ...now, ...free, template, paused: false, request: undefined };
    }
    default:
      throw new Error(`the model does not know ${action.kind}`);
  }
}
