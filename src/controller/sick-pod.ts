import type { EvidenceState } from '../analysis/evidence.ts';
import type { AnalysisPolicy } from '../analysis/policy.ts';
import { leastPods, type SickPod, sickPod, sickPodWords } from '../analysis/sick-pod.ts';
import { totalWealth } from '../analysis/total.ts';
import type { Verdict } from '../analysis/verdict.ts';
import { routeWeight, type Snapshot } from '../rollout/snapshot.ts';
import type { PodView } from '../rollout/views.ts';
import type { RolloutMemory } from './memory.ts';

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

/** A rejection that rests upon one pod says so: the release may be well. */
export function withPod(
  verdict: Verdict,
  s: Snapshot,
  evidence: EvidenceState,
  policy: AnalysisPolicy,
  memory: Pick<RolloutMemory, 'podPolls'>,
): Verdict {
  if (verdict.kind !== 'fail' || routeWeight(s) === 0) return verdict;
  const found = blamedPod(s, evidence, policy, memory);
  if (found === undefined) return verdict;
  const because = `${verdict.because}; ${sickPodWords(found.counts)}: a retry has other pods`;
  return { ...verdict, because };
}
