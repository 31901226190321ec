import type { Snapshot } from './snapshot.ts';
import type { PodView } from './views.ts';

/**
 * What the watch says of canary pods that cannot serve: evidence of its own, without Prometheus.
 * Undefined while
 * all is well, or while stable pods are in the same trouble, for then the release is not to blame.
 */
export function brokenPods(s: Snapshot): string | undefined {
  const living = s.pods.canary.filter((pod) => !pod.deleting);
  const broken = living.find((pod) => pod.trouble !== undefined);
  if (broken?.trouble === undefined) return undefined;
  if (troubledShare(s.pods.stable) >= troubledShare(living)) return undefined;
  return `pod ${broken.name}: ${broken.trouble.message}`;
}

function troubledShare(pods: readonly PodView[]): number {
  if (pods.length === 0) return 0;
  return pods.filter((pod) => pod.trouble !== undefined).length / pods.length;
}
