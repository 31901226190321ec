import { percent } from '../lib/units.ts';
import { advance } from './advance.ts';
import { isGauges, type PodCounts, type Poll } from './counts.ts';
import { beginEvidence } from './evidence.ts';
import type { AnalysisPolicy } from './policy.ts';
import { totalWealth } from './total.ts';

/** Pods without which a pod cannot be told from the release. */
const leastPods = 3;

/**
 * The one canary pod to blame: with its requests left out, the polls hold no evidence against the
 * release at all (money below 1), while with them they do. Then restarting that pod is the cure.
 * Undefined when several pods fail, or fewer than 3 serve.
 * @param polls the last few minutes, with `pods`
 * @param check name of the error check that the pods' counts belong to
 */
export function sickPod(
  polls: readonly Poll[],
  check: string,
  policy: AnalysisPolicy,
): string | undefined {
  const total = podTotals(polls);
  if (total.size < leastPods) return undefined;
  const served = [...total.values()].reduce((sum, { requests }) => sum + requests, 0);
  const [worst] = [...total].toSorted((a, b) => b[1].bad - a[1].bad);
  if (worst === undefined || worst[1].bad === 0) return undefined;
  const [name, { requests }] = worst;
  const only: AnalysisPolicy = {
    ...policy,
    checks: policy.checks.filter((one) => one.name === check),
  };
  const share = served > 0 ? requests / served : 0;
  const rest = polls.map((one) => without(one, name, check, share));
  const final = rest.reduce((state, poll) => advance(state, poll, only), beginEvidence(only));
  return totalWealth(final, only).wealth < 1 ? name : undefined;
}

function podTotals(polls: readonly Poll[]): Map<string, PodCounts> {
  const totals = new Map<string, PodCounts>();
  for (const { pods } of polls) {
    for (const [name, { requests, bad }] of Object.entries(pods ?? {})) {
      const before = totals.get(name) ?? { requests: 0, bad: 0 };
      totals.set(name, { requests: before.requests + requests, bad: before.bad + bad });
    }
  }
  return totals;
}

/** The poll as it would have been without the pod, at the weight that the others carried. */
function without(poll: Poll, name: string, check: string, share: number): Poll {
  const counts = poll.checks[check];
  const pod = poll.pods?.[name] ?? { requests: 0, bad: 0 };
  const others = poll.weight * (1 - share);
  return {
    ...poll,
    weight: percent((100 * others) / (others + 100 - poll.weight)),
    checks:
      counts === undefined || isGauges(counts)
        ? {}
        : {
            [check]: counts.map((one) => ({
              ...one,
              nc: Math.max(0, one.nc - pod.requests),
              xc: Math.max(0, one.xc - pod.bad),
            })),
          },
  };
}
