import type { Action } from './action.ts';
import { marked } from './ascend.ts';
import { canarySetGone, noLeftover, noLeftoverService } from './conditions.ts';
import { takeCanaryAway, takeTrafficOff } from './descend.ts';
import type { Condition } from './mechanism.ts';
import { markKeys, rejectionOf, type Snapshot, servesWanted, wantedRevision } from './snapshot.ts';

/**
 * Its template never passed, and would roll out at once. One that came with the opt-out or after it
 * is for the Deployment to roll out.
 */
export const neverPassed = (s: Snapshot): boolean => {
  const wanted = wantedRevision(s);
  return !servesWanted(s) && (marked(s) === wanted || rejectionOf(s, wanted) !== undefined);
};

/** Everything of ours goes; the Deployment is as it was before the annotation. */
export const optOut: readonly Condition[] = [
  ...takeTrafficOff,
  ...takeCanaryAway,
  canarySetGone,
  noLeftover,
  noLeftoverService,
  {
    name: 'Deployment is free of our marks',
    met: (s) => markKeys.every((key) => s.deployment.annotations[key] === undefined),
    toward: (): Action => ({ kind: 'opt-out' }),
  },
];
