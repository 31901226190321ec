import type { Action } from './action.ts';
import { canarySetGone, noLeftover, noLeftoverService } from './conditions.ts';
import { takeCanaryAway, takeTrafficOff } from './descend.ts';
import type { Condition } from './mechanism.ts';
import { markKeys } from './snapshot.ts';

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
