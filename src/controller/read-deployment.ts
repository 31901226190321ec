import type { RawObject } from '../kubernetes/raw-object.ts';
import { resources } from '../kubernetes/resources.ts';
import { marks, type Snapshot } from '../rollout/snapshot.ts';
import type { Effects } from './effects.ts';
import { lookLately } from './look-lately.ts';
import { outdated } from './outdated.ts';

/**
 * The Deployment as it is now and not as its watch has it; the cache learns of it too.
 * @throws KUBERNETES_CONFLICT when it was deleted and made anew
 */
export async function readDeployment(
  s: Snapshot,
  effects: Effects,
  signal: AbortSignal,
): Promise<RawObject> {
  const { namespace, name, uid } = s.deployment;
  const ref = { resource: resources.deployments, namespace, name };
  const raw = await effects.client.get(ref, signal);
  effects.accept(raw);
  if (raw.metadata.uid !== uid) throw outdated(`Deployment ${name}`);
  return raw;
}

/**
 * As above, of a Deployment whose spec is as its watch has it. An answer that was long under way
 * tells of a Deployment that may have other replicas by now.
 * @throws KUBERNETES_CONFLICT when it asks for something else by now
 */
export async function readUnchanged(
  s: Snapshot,
  effects: Effects,
  signal: AbortSignal,
): Promise<RawObject> {
  const raw = await lookLately(() => readDeployment(s, effects, signal), effects);
  const { generation, name } = s.deployment;
  if (raw.metadata.generation !== generation) throw outdated(`Deployment ${name}`);
  return raw;
}

/**
 * What a stale list tells of the Deployment may be from before our own last marks, a rejection
 * among them.
 * @throws KUBERNETES_CONFLICT when it carries other marks than its watch has told
 */
export async function confirmMarks(
  s: Snapshot,
  effects: Effects,
  signal: AbortSignal,
): Promise<void> {
  const { metadata } = await readDeployment(s, effects, signal);
  const isOther = (mark: string) => metadata.annotations?.[mark] !== s.deployment.annotations[mark];
  if (Object.values(marks).some(isOther)) throw outdated(`Deployment ${s.deployment.name}`);
}

/**
 * Somebody has opted out or has asked for something, or a leader before us has rejected a revision,
 * and the watch has not told: no generation tells of that.
 */
export function isDecidedOtherwise({ metadata }: RawObject, { deployment }: Snapshot): boolean {
  const now = metadata.annotations ?? {};
  const seen = deployment.annotations;
  const isNews = now[marks.request] !== undefined && now[marks.request] !== seen[marks.request];
  const isOther = (mark: string) => now[mark] !== seen[mark];
  return isNews || isOther(marks.enabled) || isOther(marks.rejected);
}
