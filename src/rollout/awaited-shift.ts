import { type Percent, percent } from '../lib/units.ts';
import { hidesHand } from './route-mark.ts';
import {
  carriedIndex,
  leastWeight,
  routeCarries,
  routeWeight,
  type Snapshot,
  stateOf,
} from './snapshot.ts';
import type { RolloutState } from './state.ts';
import type { RouteMark } from './views.ts';

/**
 * A raise that is recorded and not made yet. The canary is listed before its first raise: without
 * it the route was applied anew, as by GitOps. After a resume it is listed again.
 */
export function awaitsShift(s: Snapshot, { step }: RolloutState): boolean {
  const { index, fromIndex, inForceAt } = step;
  const isOurs = s.route?.record?.canaryService === s.canaryServiceName;
  const isTakenOff = isOurs && s.route?.canaryService === undefined && fromIndex < index;
  // Each lowering of ours has left its mark.
  const { mark, raise } = s.route?.record ?? {};
  const isThis = raise?.to === step.to && raise.recordedAt === step.raisedAt;
  const isMade = isThis && (mark === undefined || hidesHand(mark, step.to));
  // The fence before a pause for such a hand lists the canary again: its mark tells of the hand.
  const isLowered = isTakenOff || isMade || fenceOf(s, step)?.rule === 'weightChangedByHand';
  return inForceAt === null && isStillAt(s, step) && !isLowered;
}

/**
 * A raise that was made and is not in force yet; or that was not made while the route does not give
 * what the step before it gives: of such a weight no evidence tells, and all rules go back to it.
 */
export function isUnderWay(s: Snapshot): boolean {
  const state = stateOf(s);
  if (state === undefined || state.step.inForceAt !== null) return false;
  const index = carriedIndex(s);
  const carried = index < 0 ? percent(0) : (state.spec.steps[index] ?? percent(100));
  return index === state.step.index || !routeCarries(s, carried);
}

/**
 * The most that a rule may give the canary: until a raise is made that is what the step before it
 * on the ladder gives, and more in one of several rules was somebody's hand.
 */
export function mostWeight(s: Snapshot, state: RolloutState): Percent {
  const { index, fromIndex, from, to } = state.step;
  const before = awaitsShift(s, state) ? s.spec?.steps[Math.max(fromIndex, index - 1)] : undefined;
  return before === undefined ? to : percent(Math.max(before, from));
}

/**
 * The route is as it was when this raise was recorded. Where a rule gave less than the others, to
 * go back to the weight of a step, that rule tells; a raise that was made shows in the others.
 */
export function isStillAt(s: Snapshot, { index, fromIndex, from, to }: RolloutState['step']) {
  const weight = routeWeight(s);
  return leastWeight(s) === from && (weight === from || weight < to || fromIndex === index);
}

/** The mark that keeps this raise from landing; undefined where it still may. */
export function fenceOf(s: Snapshot, { raisedAt }: RolloutState['step']): RouteMark | undefined {
  const mark = s.route?.record?.mark;
  return mark?.kind === 'fenced' && mark.at >= raisedAt ? mark : undefined;
}
