import { poissonTail } from '../analysis/poisson.ts';
import { restartsCheck } from '../analysis/policy.ts';
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
  const stableAge = ageOf(s.pods.stable, s);
  if (stableAge <= 0) return false;
  const usual = sum(s.pods.stable, ({ restarts }) => restarts) / stableAge;
  const crashes = sum(canary, ({ restarts, trouble }) =>
    trouble !== undefined && isCrash(trouble) ? Math.max(1, restarts) : restarts,
  );
  const mean = restartsCheck.worse.rho * usual * ageOf(canary, s);
  return poissonTail(mean, crashes) > leastProbable;
}

/** Milliseconds that the pods have lived together. */
const ageOf = (pods: readonly PodView[], { now }: Snapshot): number =>
  sum(pods, ({ startedAt }) =>
    startedAt === undefined ? 0 : Math.max(0, elapsed(startedAt, now)),
  );

const sum = (pods: readonly PodView[], of: (pod: PodView) => number): number =>
  pods.reduce((all, pod) => all + of(pod), 0);

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
