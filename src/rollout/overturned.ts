import { type Snapshot, servesWanted, stateOf } from './snapshot.ts';

/** Rule, and name of the outcome that is recorded first. */
export const overturning = 'promotionOverturned';

/**
 * The template became the stable one again while the adoption was under way: the Deployment has
 * taken the pods of the canary away, and none of stable's, which must serve. What has begun is
 * finished.
 */
export const isOverturned = (s: Snapshot): boolean =>
  s.adopted && (hasBegun(s) || (s.canary?.replicas === 0 && servesWanted(s)));

/**
 * It is no promotion, or may not be one, until the Deployment has taken what was left to it, and
 * while it decides whose pods to take away.
 */
export const isPromoted = (s: Snapshot): boolean =>
  s.adopted && s.canary?.controllerUid === s.deployment.uid && !hasBegun(s) && !servesWanted(s);

const hasBegun = (s: Snapshot): boolean => stateOf(s)?.outcome?.rule === overturning;
