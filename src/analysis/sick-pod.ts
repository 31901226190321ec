import { percent } from '../lib/units.ts';
import { advance } from './advance.ts';
import { isGauges, type PodCounts, type Poll } from './counts.ts';
import { beginEvidence } from './evidence.ts';
import type { AnalysisPolicy } from './policy.ts';
import { totalWealth } from './total.ts';

/** Pods without which a pod cannot be told from the release. */
export const leastPods = 3;

/**
 * Failures that the other pods would have had, were they as bad as the one that is blamed. With
 * fewer, that they had none says little: a release that fails at random begins with one pod too.
 */
const leastExpected = 5;

/** Polls that are looked back at: a few minutes of them. */
export const podPollsKept = 120;

/** The one canary pod to blame, and what it and the others answered. */
export interface SickPod {
  readonly pod: string;
  readonly own: PodCounts;
  readonly others: PodCounts;
}

/**
 * The one canary pod to blame: with its requests left out, the polls hold no evidence against the
 * release at all (money below 1), while with them they do. Then restarting that pod is the cure.
 * Undefined when several pods fail, when fewer than 3 serve, or while the others have answered too
 * few requests to tell.
 * @param polls the last few minutes, with `pods`
 * @param check name of the error check that the pods' counts belong to
 */
export function sickPod(
  polls: readonly Poll[],
  check: string,
  policy: AnalysisPolicy,
): SickPod | undefined {
  const totals = podTotals(polls, check);
  if (totals.size < leastPods) return undefined;
  const [worst] = [...totals].toSorted((a, b) => b[1].bad - a[1].bad);
  if (worst === undefined || worst[1].bad === 0) return undefined;
  const [pod, own] = worst;
  const all = [...totals.values()].reduce(addPods);
  const others = { requests: all.requests - own.requests, bad: all.bad - own.bad };
  if (others.requests * own.bad < leastExpected * own.requests) return undefined;
  const only: AnalysisPolicy = {
    ...policy,
    checks: policy.checks.filter((one) => one.name === check),
  };
  const rest = polls.map((one) => without(one, pod, check, own.requests / all.requests));
  const final = rest.reduce((state, poll) => advance(state, poll, only), beginEvidence(only));
  const isWell = final.rejected === null && totalWealth(final, only).wealth < 1;
  return isWell ? { pod, own, others } : undefined;
}

/** `pod web-1 fails alone: 7 of its 12 requests, none of 140 of the others`. */
export function sickPodWords({ pod, own, others }: SickPod): string {
  const bad = others.bad === 0 ? 'none' : String(others.bad);
  const elsewhere = `${bad} of ${others.requests} of the others`;
  return `pod ${pod} fails alone: ${own.bad} of its ${own.requests} requests, ${elsewhere}`;
}

const addPods = (a: PodCounts, b: PodCounts): PodCounts => ({
  requests: a.requests + b.requests,
  bad: a.bad + b.bad,
});

function podTotals(polls: readonly Poll[], check: string): Map<string, PodCounts> {
  const totals = new Map<string, PodCounts>();
  for (const { pods } of polls) {
    for (const [name, counts] of Object.entries(pods?.[check] ?? {})) {
      totals.set(name, addPods(totals.get(name) ?? { requests: 0, bad: 0 }, counts));
    }
  }
  return totals;
}

/** The poll as it would have been without the pod, at the weight that the others carried. */
function without(poll: Poll, name: string, check: string, share: number): Poll {
  const counts = poll.checks[check];
  const pod = poll.pods?.[check]?.[name] ?? { requests: 0, bad: 0 };
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
