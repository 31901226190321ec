import { poissonTail } from '../analysis/poisson.ts';
import { restartsCheck } from '../analysis/policy.ts';
import { lifelong } from '../analysis/restart-counts.ts';
import { elapsed, minutes } from '../lib/units.ts';
import type { Snapshot } from './snapshot.ts';
import type { PodView } from './views.ts';

/**
 * A pod of stable that crashed longer ago is well: the longest pause of CrashLoopBackOff is five
 * minutes, and the same again for the container to run.
 */
const present = minutes(10);

/**
 * What the watch says of canary pods that cannot serve: evidence of its own, without Prometheus.
 * Undefined while all is well, while stable pods are in the same trouble now, for then the release
 * is not to blame, and while crashes are what stable's pods do as a habit.
 */
export function brokenPods(s: Snapshot): string | undefined {
  const living = s.pods.canary.filter((pod) => !pod.deleting);
  // Most passes end here: what is a habit is asked only when there is something to excuse.
  if (living.every(({ trouble }) => trouble === undefined)) return undefined;
  const habitual = isHabitual(living, s);
  const broken = living.find(
    ({ trouble }) => trouble !== undefined && !(habitual && isCrash(trouble)),
  );
  if (broken?.trouble === undefined) return undefined;
  const now = s.pods.stable.map((pod) => (isPast(pod, s) ? { ...pod, trouble: undefined } : pod));
  if (troubledShare(now) >= troubledShare(living)) return undefined;
  return `pod ${broken.name}: ${broken.trouble.message}`;
}

/**
 * Less probable than this, restarts are no habit. Looked at after every crash of half an hour it is
 * wrong in fewer than 1 % of rollouts.
 */
const leastProbable = 0.003;

/**
 * Whether the restarts of the canary's pods are no more than stable's own lifelong rate explains,
 * with the factor that the check of restarts tolerates. Stable that never restarted excuses
 * nothing. A container that waits for its first restart has crashed once.
 */
function isHabitual(canary: readonly PodView[], s: Snapshot): boolean {
  const stable = lifelong(s.pods.stable, s.now);
  if (stable.age === 0) return false;
  const { age, restarts } = lifelong(canary, s.now);
  const waiting = canary.filter(
    (pod) => pod.restarts === 0 && pod.trouble !== undefined && isCrash(pod.trouble),
  );
  const mean = restartsCheck.worse.rho * (stable.restarts / stable.age) * age;
  return poissonTail(mean, restarts + waiting.length) > leastProbable;
}

const isCrash = ({ kind }: NonNullable<PodView['trouble']>): boolean =>
  kind === 'crashed' || kind === 'out-of-memory';

/** The last crash of a container stays in its status until the next one. */
function isPast({ trouble }: PodView, s: Snapshot): boolean {
  return trouble?.endedAt !== undefined && elapsed(trouble.endedAt, s.now) > present;
}

function troubledShare(pods: readonly PodView[]): number {
  if (pods.length === 0) return 0;
  return pods.filter((pod) => pod.trouble !== undefined).length / pods.length;
}
