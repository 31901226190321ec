import type { Clock } from '../lib/clock.ts';
import { millis } from '../lib/units.ts';
import { marks, pinAnnotation } from '../rollout/snapshot.ts';
import type { DeploymentView, PodView, ReplicaSetView } from '../rollout/views.ts';
import { recordedUids } from '../traffic-providers/route-record.ts';
import type { Cluster } from './cluster.ts';
import type { RolloutMemory } from './memory.ts';
import type { Lane, WorkQueue } from './work-queue.ts';

/**
 * Changes come in bursts: a pod is ready, and the ReplicaSet, the Deployment and the EndpointSlice
 * say so in turn. The first is looked at once, those so soon after a pass that found nothing to do
 * are looked at together.
 */
const burst = millis(20);

/**
 * Which Deployments a change may matter to. A pass that finds nothing to do costs no request, so a
 * change may wake one too many; it must never wake one too few.
 */
export function wakeOnChange(
  cluster: Cluster,
  memories: ReadonlyMap<string, RolloutMemory>,
  queue: WorkQueue,
  clock: Clock,
): () => void {
  const wake = (key: string, lane: Lane = 'normal') => {
    const restingSince = memories.get(key)?.restingSince;
    const left = (restingSince ?? -Infinity) + burst - clock.monotonic();
    if (lane === 'normal' && left > 0) queue.addAfter(key, millis(left));
    else queue.add(key, lane);
  };
  const keyOfUid = (uid: string | undefined) => {
    const [found] = uid === undefined ? [] : cluster.deployments.by('uid', uid);
    if (found !== undefined && concerns(found)) wake(`${found.namespace}/${found.name}`);
  };
  const wakeNamespace = (namespace: string) => {
    for (const key of memories.keys()) if (key.startsWith(`${namespace}/`)) wake(key);
  };
  const wakeRollouts = (namespace = '', lane: Lane = 'normal') => {
    for (const [key, memory] of memories)
      if (isUnderWay(memory) && key.startsWith(`${namespace}/`)) wake(key, lane);
  };
  // A write that lands after its time-out may come when its Deployment is gone, and swept after.
  const wakeSweep = (namespace = '', uids: readonly string[]) => {
    const isLate = uids.some((uid) => cluster.deployments.by('uid', uid).length === 0);
    if (isLate) queue.add(namespaceKey(namespace));
  };
  const stops = [
    cluster.deployments.onChange(({ key, previous, current }) => {
      if (![previous, current].some((seen) => seen !== undefined && concerns(seen))) return;
      wake(key, hasNewRequest(previous, current) ? 'now' : 'normal');
    }),
    cluster.replicaSets.onChange(({ previous, current }) => {
      for (const set of [previous, current]) wakeOwners(set, keyOfUid);
    }),
    cluster.services.onChange(({ previous, current }) => {
      wakeNamespace((current ?? previous)?.namespace ?? '');
      const pinnedFor = current?.annotations[pinAnnotation];
      if (pinnedFor !== undefined) wakeSweep(current?.namespace, [pinnedFor]);
    }),
    cluster.routes.onChange(({ previous, current }) => {
      wakeNamespace((current ?? previous)?.namespace ?? '');
      if (current !== undefined) wakeSweep(current.namespace, recordedUids(current.raw));
    }),
    cluster.endpointSlices.onChange(({ previous, current }) =>
      wakeRollouts((current ?? previous)?.namespace),
    ),
    cluster.pods.onChange(({ previous, current }) => {
      if (!changedForUs(previous, current)) return;
      const lane = current?.trouble === undefined ? 'normal' : 'now';
      wakeRollouts((current ?? previous)?.namespace, lane);
    }),
  ];
  return () => {
    for (const stop of stops) stop();
  };
}

/** Stands for the namespace alone: what was left there by Deployments that are gone. */
export const namespaceKey = (namespace: string): string => `${namespace}/`;

/** Any annotation of ours makes a Deployment ours to look at; all others cost nothing. */
export const concerns = (deployment: DeploymentView): boolean =>
  Object.keys(deployment.annotations).some((key) => key.startsWith('haldane.dev/'));

/**
 * Only then pods and endpoints matter. A process that was started when the canary was gone has
 * never known its rollout, and has to take it off the route all the same.
 */
const isUnderWay = ({ rollout, decision }: RolloutMemory): boolean =>
  rollout !== undefined || (decision !== undefined && decision.phase !== 'rest');

const hasNewRequest = (
  previous: DeploymentView | undefined,
  current: DeploymentView | undefined,
): boolean =>
  current?.annotations[marks.request] !== undefined &&
  current.annotations[marks.request] !== previous?.annotations[marks.request];

function wakeOwners(
  set: ReplicaSetView | undefined,
  wake: (uid: string | undefined) => void,
): void {
  if (set === undefined) return;
  for (const uid of set.ownerUids) wake(uid);
}

/** Pods change their status for many reasons that no rule looks at. */
const changedForUs = (previous: PodView | undefined, current: PodView | undefined): boolean =>
  previous?.ready !== current?.ready ||
  previous?.deleting !== current?.deleting ||
  previous?.trouble?.message !== current?.trouble?.message ||
  previous?.restarts !== current?.restarts;
