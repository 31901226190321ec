import { replicaSetView } from '../kubernetes/objects.ts';
import { resources } from '../kubernetes/resources.ts';
import type { Snapshot } from '../rollout/snapshot.ts';
import type { Effects } from './effects.ts';
import { outdated, unlessGone } from './outdated.ts';

/**
 * Before a release is rejected for what its canary did not become: that rests upon events that did
 * not come, and one may have been lost. The cache learns of the canary as it is now.
 * @throws KUBERNETES_CONFLICT when other pods are available than the watch has told
 */
export async function confirmCanary(
  rule: string,
  s: Snapshot,
  effects: Effects,
  signal: AbortSignal,
): Promise<void> {
  const { canary } = s;
  if (rule !== 'podsNotReady' || canary === undefined) return;
  const { namespace, name } = canary;
  const ref = { resource: resources.replicaSets, namespace, name };
  await unlessGone(
    effects.client.get(ref, signal).then((raw) => {
      effects.accept(raw);
      if (replicaSetView(raw).available !== canary.available) throw outdated(`ReplicaSet ${name}`);
    }),
  );
}
