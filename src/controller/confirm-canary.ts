import { replicaSetView, stateAnnotation } from '../kubernetes/objects.ts';
import { resources } from '../kubernetes/resources.ts';
import type { Snapshot } from '../rollout/snapshot.ts';
import type { ReplicaSetView } from '../rollout/views.ts';
import type { Effects } from './effects.ts';
import { outdated, unlessGone } from './outdated.ts';

/**
 * Before a release is rejected for what its canary did not become: that rests upon events that did
 * not come, and one may have been lost. The cache learns of the canary as it is now.
 * @throws KUBERNETES_CONFLICT when other pods are available than the watch has told
 */
export const confirmCanary = (s: Snapshot, effects: Effects, signal: AbortSignal): Promise<void> =>
  confirm((seen, is) => seen.available === is.available, s, effects, signal);

/**
 * Before a weight is taken for more than is recorded: the record may be one that the watch has not
 * told, and the raise that of a leader before us.
 * @throws KUBERNETES_CONFLICT when something else is recorded than the watch has told
 */
export const confirmRecord = (s: Snapshot, effects: Effects, signal: AbortSignal): Promise<void> =>
  confirm((seen, is) => stateText(seen) === stateText(is), s, effects, signal);

const stateText = ({ annotations }: ReplicaSetView): string | undefined =>
  annotations[stateAnnotation];

async function confirm(
  isSame: (seen: ReplicaSetView, is: ReplicaSetView) => boolean,
  { canary }: Snapshot,
  effects: Effects,
  signal: AbortSignal,
): Promise<void> {
  if (canary === undefined) return;
  const { namespace, name } = canary;
  const ref = { resource: resources.replicaSets, namespace, name };
  await unlessGone(
    effects.client.get(ref, signal).then((raw) => {
      effects.accept(raw);
      if (!isSame(canary, replicaSetView(raw))) throw outdated(`ReplicaSet ${name}`);
    }),
  );
}
