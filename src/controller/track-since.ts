import type { Instant } from '../lib/units.ts';
import { endpointsAre } from '../rollout/conditions.ts';
import { pinKey, type Snapshot } from '../rollout/snapshot.ts';
import type { RolloutMemory } from './memory.ts';

export type Moments = Pick<
  Snapshot,
  | 'adoptedSince'
  | 'routeAcceptedSince'
  | 'routeRefusedSince'
  | 'endpointsSettledSince'
  | 'canaryUnavailableSince'
  | 'problemsSince'
  | 'lastRecordedAt'
>;

/**
 * Since when things have been as they are, as this process saw it. After a restart every wait
 * begins anew, which is
 * longer than needed and never shorter.
 */
export function trackSince(
  s: Omit<Snapshot, keyof Moments | 'now' | 'settledNotices'>,
  memory: RolloutMemory,
  now: Instant,
): Moments {
  const route = trackRoute(s, memory, now);
  memory.adoptedSince = s.adopted ? (memory.adoptedSince ?? now) : undefined;
  const short = s.canary !== undefined && s.canary.available < s.canary.replicas;
  memory.canaryUnavailableSince = short ? (memory.canaryUnavailableSince ?? now) : undefined;
  return {
    adoptedSince: memory.adoptedSince,
    routeAcceptedSince: route?.acceptedSince,
    routeRefusedSince: route?.refusedSince,
    endpointsSettledSince: trackEndpoints(s, memory, now),
    canaryUnavailableSince: memory.canaryUnavailableSince,
    problemsSince: trackProblems(s, memory, now),
    lastRecordedAt: memory.lastRecordedAt,
  };
}

function trackProblems(
  { problems }: Pick<Snapshot, 'problems'>,
  memory: RolloutMemory,
  now: Instant,
): Instant | undefined {
  const text = problems.map((problem) => problem.message).join('\n');
  if (text === '') memory.problems = undefined;
  else if (memory.problems?.text !== text) memory.problems = { text, since: now };
  return memory.problems?.since;
}

function trackRoute(s: Pick<Snapshot, 'route'>, memory: RolloutMemory, now: Instant) {
  const { route } = s;
  if (route === undefined) {
    memory.route = undefined;
    return undefined;
  }
  const before = memory.route?.generation === route.generation ? memory.route : undefined;
  memory.route = {
    generation: route.generation,
    refusedSince: route.refusal === undefined ? undefined : (before?.refusedSince ?? now),
    acceptedSince: route.accepted ? (before?.acceptedSince ?? now) : undefined,
  };
  return memory.route;
}

function trackEndpoints(
  s: Pick<Snapshot, 'service' | 'canary' | 'stable' | 'pods' | 'endpoints'>,
  memory: RolloutMemory,
  now: Instant,
): Instant | undefined {
  const podHash = s.service?.selector[pinKey];
  const pods = podHash === s.canary?.podHash ? s.pods.canary : s.pods.stable;
  if (podHash === undefined || !endpointsAre(s as Snapshot, pods)) {
    memory.endpoints = undefined;
    return undefined;
  }
  if (memory.endpoints?.podHash !== podHash) memory.endpoints = { podHash, settledSince: now };
  return memory.endpoints.settledSince;
}
