import { beginEvidence, type EvidenceState } from '../analysis/evidence.ts';
import { judge } from '../analysis/judge.ts';
import type { AnalysisPolicy } from '../analysis/policy.ts';
import { leastPods, type SickPod, sickPod, sickPodWords } from '../analysis/sick-pod.ts';
import { totalWealth } from '../analysis/total.ts';
import type { Verdict } from '../analysis/verdict.ts';
import { isRestarted, mayWaitForRestart, sickPodMark } from '../rollout/sick-pod.ts';
import { routeWeight, type Snapshot, stateOf } from '../rollout/snapshot.ts';
import type { RestartedPod, RolloutState } from '../rollout/state.ts';
import type { MarkedPod, PodView } from '../rollout/views.ts';
import { aboutDeployment } from './event-sink.ts';
import { evidenceOf } from './evidence.ts';
import type { RolloutMemory } from './memory.ts';
import type { Parts } from './parts.ts';

/** A canary pod that serves, and that a rejection rests upon alone. */
export interface BlamedPod {
  readonly pod: PodView;
  readonly counts: SickPod;
}

/**
 * The pod without which there would be no rejection. Undefined where the source does not tell pods
 * apart, or names them by something else; where fewer than three are ready; and where another check
 * has evidence of its own. Polls of before this process are known as far as they were counted anew:
 * with too few of them, nobody is named.
 */
export function blamedPod(
  s: Snapshot,
  evidence: EvidenceState,
  policy: AnalysisPolicy,
  memory: Pick<RolloutMemory, 'podPolls'>,
): BlamedPod | undefined {
  const check = evidence.rejected?.check;
  const serving = s.pods.canary.filter(({ ready, deleting }) => ready && !deleting);
  if (check === undefined || serving.length < leastPods) return undefined;
  if (othersWealth(check, evidence, policy) >= policy.flinch.lowerAt) return undefined;
  const counts = sickPod(memory.podPolls, check, policy);
  const pod = serving.find(({ name }) => name === counts?.pod);
  return pod === undefined || counts === undefined ? undefined : { pod, counts };
}

/** Money of all checks but one. */
function othersWealth(check: string, evidence: EvidenceState, policy: AnalysisPolicy): number {
  return totalWealth(evidence, policy)
    .checks.filter((one) => one.check.name !== check)
    .reduce((sum, { share, wealth }) => sum + share * wealth, 0);
}

/** What a rejection means where it rests upon one pod. */
export interface Excused {
  readonly verdict: Verdict;
  readonly sickPod?: Snapshot['sickPod'];
  /** What people read does not tell of it yet. */
  readonly isNew?: boolean;
}

/**
 * A rejection that rests upon one pod is no verdict on the release: it waits for the pod's restart,
 * without traffic. Where it may not wait, it says so: a retry has other pods.
 */
export function excused(
  verdict: Verdict,
  s: Snapshot,
  evidence: EvidenceState,
  policy: AnalysisPolicy,
  memory: Pick<RolloutMemory, 'podPolls'>,
): Excused {
  const awaited = awaitedMark(s);
  if (awaited !== undefined) {
    const isNew = (stateOf(s)?.summary.updatedAt ?? awaited.at) < awaited.at;
    return { verdict: held(verdict, awaited.because), isNew };
  }
  if (verdict.kind !== 'fail' || routeWeight(s) === 0) return { verdict };
  const found = blamedPod(s, evidence, policy, memory);
  if (found === undefined) return { verdict };
  const because = sickPodWords(found.counts);
  if (!mayWaitForRestart(s)) {
    return { verdict: { ...verdict, because: `${verdict.because}; ${because}` } };
  }
  const { name, uid, restarts } = found.pod;
  return { verdict: held(verdict, because), sickPod: { pod: { name, uid, restarts }, because } };
}

/** The mark of a pod that is waited for. */
const awaitedMark = (s: Snapshot): ReturnType<typeof sickPodMark> =>
  stateOf(s)?.restartedPod === undefined ? sickPodMark(s) : undefined;

const held = ({ blame, ...verdict }: Verdict, because: string): Verdict => ({
  kind: 'inconclusive',
  reason: 'sick-pod',
  because,
  checks: verdict.checks,
  evidence: verdict.evidence,
  threshold: verdict.threshold,
  exposedRequests: verdict.exposedRequests,
  failedRequests: verdict.failedRequests,
  ...(blame === undefined ? {} : { blame }),
});

/**
 * The pod that is waited for is another one: evidence begins anew, as after a loss, for what it
 * rested upon is gone; a second start must not spend α again. It is recorded with the raise: a
 * crash before that does it once more, from the same record.
 * @returns the snapshot with the state that is to be recorded
 */
export function afterRestart(
  s: Snapshot,
  policy: AnalysisPolicy,
  memory: RolloutMemory,
  parts: Pick<Parts, 'events'>,
): Snapshot {
  const [state, mark] = [stateOf(s), awaitedMark(s)];
  if (state === undefined || state.restartedPod !== undefined) return s;
  if (mark !== undefined && memory.restartedPod === undefined && isRestarted(s, mark.pod)) {
    beginAnew(s, state, mark.pod, policy, memory);
    tellRestart(s, mark.pod.name, memory, parts);
  }
  const { restartedPod } = memory;
  return restartedPod === undefined ? s : { ...s, state: { ...state, restartedPod } };
}

function beginAnew(
  s: Snapshot,
  state: RolloutState,
  { name, uid }: MarkedPod,
  policy: AnalysisPolicy,
  memory: RolloutMemory,
): void {
  const before = memory.evidence ?? evidenceOf(state, policy);
  const { exposedRequests, failedRequests } = judge(before, policy, { now: s.now });
  memory.evidence = beginEvidence(policy, { afterLoss: before.alphaShare });
  memory.podPolls = [];
  memory.restartedPod = { name, uid, exposedRequests, failedRequests };
}

function tellRestart(
  s: Snapshot,
  pod: string,
  memory: RolloutMemory,
  parts: Pick<Parts, 'events'>,
): void {
  const alphaShare = memory.evidence?.alphaShare ?? 1;
  // Told here, with what led to it.
  memory.alphaTold = alphaShare;
  const cost = `a rollback needs ${1 / alphaShare} times as much as at first`;
  parts.events.record({
    subject: aboutDeployment(s.deployment),
    type: 'Normal',
    reason: 'CanaryPodRestarted',
    message: `revision ${stateOf(s)?.revision}: pod ${pod}: evidence begins anew, ${cost}`,
  });
}

/** Requests that the canary answered before its evidence began anew count for people. */
export const withEarlier = (verdict: Verdict, earlier: RestartedPod | undefined): Verdict =>
  earlier === undefined
    ? verdict
    : {
        ...verdict,
        exposedRequests: verdict.exposedRequests + earlier.exposedRequests,
        failedRequests: verdict.failedRequests + earlier.failedRequests,
      };
