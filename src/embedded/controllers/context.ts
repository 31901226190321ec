import type { Clock } from '../../lib/clock.ts';
import type { Random } from '../../lib/random.ts';
import type { ApiServer } from '../api-server.ts';
import type { WriteOptions } from '../object-api.ts';
import type { KubernetesObject, Resource, Target } from '../resource.ts';
import type { Change } from '../store.ts';
import type { EventRecorder } from './event-recorder.ts';

/** What every controller of the embedded cluster works with. */
export type ControllerContext = {
  readonly server: ApiServer;
  readonly clock: Clock;
  readonly random: Random;
  /** From an event to the pass that sees it. */
  readonly delayMillis: number;
  readonly events: EventRecorder;
};

export type Controller = { stop(): void };

export const managerOptions: WriteOptions = { manager: 'kube-controller-manager' };

export const targetOf = (
  resource: Resource,
  { metadata }: KubernetesObject,
  subresource?: string,
): Target => ({
  resource,
  namespace: metadata.namespace ?? '',
  name: metadata.name,
  subresource,
});

/** Whether a change is more than a report of a status: who reads none need not look. */
export const isMoreThanStatus = ({ type, object, previous }: Change): boolean =>
  type !== 'MODIFIED' || previous === undefined || !isSameButStatus(previous, object);

const isSameButStatus = (before: KubernetesObject, after: KubernetesObject): boolean =>
  before.spec === after.spec &&
  before.metadata.labels === after.metadata.labels &&
  before.metadata.annotations === after.metadata.annotations &&
  before.metadata.deletionTimestamp === after.metadata.deletionTimestamp;

/** Reacts to commits by the storage key of their resource: `apps/deployments`. */
export function onChanges(
  { server }: ControllerContext,
  reactions: Readonly<Record<string, (change: Change) => void>>,
): () => void {
  const ends = Object.entries(reactions).map(([key, react]) => server.store.onCommit(react, key));
  return () => ends.forEach((end) => end());
}
