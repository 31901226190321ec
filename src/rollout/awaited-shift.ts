import { routeWeight, type Snapshot } from './snapshot.ts';
import type { RolloutState } from './state.ts';

/**
 * A raise that is recorded and not made yet. The canary is listed before its first raise: without
 * it the route was applied anew, as by GitOps. After a resume it is listed again.
 */
export function awaitsShift(s: Snapshot, { step }: RolloutState): boolean {
  const { index, fromIndex, from, inForceAt } = step;
  const isOurs = s.route?.record?.canaryService === s.canaryServiceName;
  const isTakenOff = isOurs && s.route?.canaryService === undefined && fromIndex < index;
  const isLowered = isTakenOff || isFencedForHand(s, step);
  return inForceAt === null && routeWeight(s) === from && !isLowered;
}

/** The fence before a pause for such a hand lists the canary again: its mark tells of the hand. */
function isFencedForHand(s: Snapshot, { raisedAt }: RolloutState['step']): boolean {
  const mark = s.route?.record?.mark;
  const isForHand = mark?.kind === 'paused' && mark.rule === 'weightChangedByHand';
  return isForHand && mark.at >= raisedAt;
}
