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
 * Undefined while all is well, or while stable pods are in the same trouble now, for then the
 * release is not to blame.
 */
export function brokenPods(s: Snapshot): string | undefined {
  const living = s.pods.canary.filter((pod) => !pod.deleting);
  const broken = living.find((pod) => pod.trouble !== undefined);
  if (broken?.trouble === undefined) return undefined;
  const now = s.pods.stable.map((pod) => (isPast(pod, s) ? { ...pod, trouble: undefined } : pod));
  if (troubledShare(now) >= troubledShare(living)) return undefined;
  return `pod ${broken.name}: ${broken.trouble.message}`;
}

/** The last crash of a container stays in its status until the next one. */
function isPast({ trouble }: PodView, s: Snapshot): boolean {
  return trouble?.endedAt !== undefined && elapsed(trouble.endedAt, s.now) > present;
}

function troubledShare(pods: readonly PodView[]): number {
  if (pods.length === 0) return 0;
  return pods.filter((pod) => pod.trouble !== undefined).length / pods.length;
}
