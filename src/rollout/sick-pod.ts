import { describeSpan, elapsed, minutes, percent } from '../lib/units.ts';
import { type Answer, answer } from './decision.ts';
import { carriedIndex, routeWeight, type Snapshot, stateOf } from './snapshot.ts';
import type { MarkedPod, RouteMark } from './views.ts';

/** So long the restart of a sick pod is waited for; then its release is rejected like any other. */
export const restartPatience = minutes(10);

type SickPodMark = RouteMark & { readonly pod: MarkedPod };

/**
 * The mark of a canary that carries nothing until one of its pods is restarted. The route alone
 * remembers it, so a crash changes nothing and nobody waits twice.
 */
export function sickPodMark(s: Snapshot): SickPodMark | undefined {
  const mark = s.route?.record?.mark;
  const carried = s.spec?.steps[carriedIndex(s)] ?? 0;
  if (mark?.kind !== 'flinch' || mark.pod === undefined || !stateOf(s)) return undefined;
  return routeWeight(s) < carried ? { ...mark, pod: mark.pod } : undefined;
}

/** The pod of the mark is another one now. */
export function isRestarted({ pods }: Pick<Snapshot, 'pods'>, { uid, restarts }: MarkedPod) {
  const same = pods.canary.find((pod) => pod.uid === uid);
  return same === undefined || same.deleting || same.restarts > restarts;
}

/**
 * Whether a rejection that rests upon one pod may wait for its restart: once in a rollout, at a
 * step that is in force, and where stable can take all requests at once, for holding must not cost
 * users more than rejecting.
 */
export function mayWaitForRestart(s: Snapshot): boolean {
  const state = stateOf(s);
  return (
    state !== undefined &&
    state.restartedPod === undefined &&
    state.step.inForceAt !== null &&
    state.step.index < state.spec.steps.length &&
    !s.adopted &&
    s.endpoints.stable.size > 0 &&
    sickPodMark(s) === undefined
  );
}

/** Users come first: all requests go to stable, as in a rollback, and the pods stay. */
export const takeOffSickPod = ({ sickPod }: Snapshot): Answer | undefined =>
  sickPod &&
  answer('holding', { kind: 'flinch', to: percent(0), ...sickPod }, `sick-pod: ${sickPod.because}`);

/** The pod is as it was, and the time is over: the reason to roll back. */
export function restartOverdue(s: Snapshot): string | undefined {
  const mark = sickPodMark(s);
  if (mark === undefined || stateOf(s)?.restartedPod !== undefined) return undefined;
  return elapsed(mark.at, s.now) < restartPatience
    ? undefined
    : `${mark.because}; it was not restarted within ${describeSpan(restartPatience)}`;
}

/** Nothing is carried until the pod is another one; the way back is a raise of its own. */
export function awaitRestart(s: Snapshot): Answer | undefined {
  const [mark, state] = [sickPodMark(s), stateOf(s)];
  if (mark === undefined || state === undefined) return undefined;
  // A raise that is recorded meanwhile, by whoever saw the route before, changes nothing.
  if (state.restartedPod !== undefined) {
    const because = `pod ${mark.pod.name} was restarted: evidence begins anew`;
    return answer('progressing', { kind: 'carry', index: carriedIndex(s) }, because);
  }
  const command = `kubectl delete pod ${mark.pod.name} -n ${s.deployment.namespace}`;
  const wish = `restart it within ${describeSpan(restartPatience)} (${command})`;
  const because = `sick-pod: ${mark.because}; ${wish}, or the release is rolled back`;
  return answer('holding', { kind: 'hold' }, because);
}
