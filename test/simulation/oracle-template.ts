import type { KubernetesObject } from '../../src/embedded/resource.ts';
import { type Book, say } from './oracle-book.ts';
import { deploymentTruth, writerOf } from './oracle-view.ts';

/**
 * Whatever somebody asks for stays asked for: we take a template back only once it was rejected, or
 * once somebody has opted out while its rollout was under way, and for what serves.
 */
export function onTemplate(
  object: KubernetesObject,
  previous: KubernetesObject | undefined,
  book: Book,
): void {
  if (previous === undefined || writerOf(object) !== 'haldane') return;
  const [before, after] = [deploymentTruth(previous), deploymentTruth(object)];
  if (before.version === after.version) return;
  const rejected = new Set(before.rejected.map(({ revision }) => revision));
  const begun = [...book.rollouts.values()].filter(({ version }) => version === before.version);
  // A template that is marked is known, and may have no ReplicaSet yet.
  const isKnown = begun.length > 0 || before.annotations['haldane.dev/rollout'] !== undefined;
  const mayGo = before.enabled ? begun.some(({ revision }) => rejected.has(revision)) : isKnown;
  if (!mayGo) say(book, 'I12 template', `${before.version} was taken back unasked`);
  const sets = book.view.sets();
  if (!sets.some(({ version, replicas }) => version === after.version && replicas > 0))
    say(book, 'I12 template', `${before.version} was taken back for ${after.version}`);
}
