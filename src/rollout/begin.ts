import { invariant } from '../lib/errors.ts';
import { percent } from '../lib/units.ts';
import { imagesKey, marks, type Snapshot, wantedRevision } from './snapshot.ts';
import type { RolloutState } from './state.ts';

/**
 * Number of this attempt, from 1; carried by the mark on the Deployment. Each attempt may be
 * rejected or promoted by chance anew, so attempts of the same images count, too, whatever else
 * changed in the template; unless stable has these images, for then they are not what is tried.
 */
export function attemptOf(s: Snapshot): number {
  const [revision, attempt] = (s.deployment.annotations[marks.rollout] ?? '').split(' attempt=');
  if (revision === wantedRevision(s)) return Number(attempt ?? 1) || 1;
  const key = imagesKey(s.deployment.images);
  const isNews = s.stable !== undefined && imagesKey(s.stable.images) !== key;
  const earlier = s.rejections.filter(
    ({ revision: rejected, images }) =>
      rejected === wantedRevision(s) || (isNews && images === key),
  );
  return Math.max(0, ...earlier.map((one) => one.attempt)) + 1;
}

/** State of a rollout that has not given any weight yet. */
export function firstState(s: Snapshot): RolloutState {
  invariant(s.spec !== undefined, 'a rollout begins with valid annotations');
  const zero = percent(0);
  return {
    deploymentUid: s.deployment.uid,
    revision: wantedRevision(s),
    attempt: attemptOf(s),
    startedAt: s.now,
    replicasAtStart: s.deployment.replicas,
    spec: s.spec,
    ...ladderAtFirst(s),
    step: { index: -1, fromIndex: -1, from: zero, to: zero, raisedAt: s.now, inForceAt: null },
    pause: null,
    requestId: null,
    bounds: null,
    evidence: null,
    stream: null,
    exposedRequests: 0,
    failedRequests: 0,
    outcome: null,
    delivered: [],
    summary: {
      phase: 'preparing',
      rule: 'firstStep',
      because: 'bringing up the canary for its first step',
      weight: zero,
      step: 0,
      checks: [],
      updatedAt: s.now,
    },
  };
}

/** Steps that somebody wrote are obeyed; default ones wait for the traffic to be known. */
function ladderAtFirst({ stepsBy }: Snapshot): Pick<RolloutState, 'ladder'> {
  if (stepsBy === undefined) return {};
  if (stepsBy === 'traffic') return { ladder: null };
  const unknown = { requestsPerSecond: null, firstStepSeconds: null, onePercentSeconds: null };
  return { ladder: { by: stepsBy, ...unknown } };
}
