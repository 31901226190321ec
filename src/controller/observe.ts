import { canaryServiceName, isCanaryServiceOf } from '../kubernetes/canary-workload.ts';
import { canaryForLabel, stateAnnotation } from '../kubernetes/objects.ts';
import type { Instant } from '../lib/units.ts';
import {
  findRoute,
  findService,
  pausedByHand,
  selects,
  sharedServiceProblem,
  workloadProblems,
} from '../rollout/discovery.ts';
import type { PauseMode, Problem, RolloutSpec } from '../rollout/rollout-spec.ts';
import { marks, type Snapshot } from '../rollout/snapshot.ts';
import type { RolloutState } from '../rollout/state.ts';
import type { DeploymentView, ReplicaSetView, RouteView, ServiceView } from '../rollout/views.ts';
import { decodeState } from '../spec/state-codec.ts';
import { trafficProviders } from '../traffic-providers/registry.ts';
import { type Cluster, within } from './cluster.ts';
import type { RolloutMemory } from './memory.ts';
import { readAsked, readRejections } from './read-annotations.ts';
import type { Settings } from './settings.ts';
import { type Moments, trackSince } from './track-since.ts';

export interface Observed {
  readonly snapshot: Snapshot;
  /** Set while the request on the Deployment cannot be read. */
  readonly requestProblem: Problem | undefined;
}

/** All but what time and this process make of it. */
type Surroundings = Omit<Snapshot, keyof Moments | 'now' | 'settledNotices'>;

/** What the caches said of one Deployment, and at which number of changes. */
export interface LookedAt {
  readonly changes: number;
  readonly settings: Settings;
  readonly surroundings: Surroundings;
}

/** One Deployment's world at this moment, from the caches alone. */
export function observe(
  deployment: DeploymentView,
  cluster: Cluster,
  memory: RolloutMemory,
  settings: Settings,
  { now, pauseMode }: { readonly now: Instant; readonly pauseMode: PauseMode },
): Observed {
  const changes = cluster.changes();
  const known = memory.lookedAt;
  // A pass that has waited for an answer may hold a Deployment that is no longer the cache's.
  const isSame =
    known?.changes === changes &&
    known.settings === settings &&
    known.surroundings.deployment === deployment &&
    known.surroundings.pauseMode === pauseMode;
  const surroundings = isSame
    ? known.surroundings
    : lookAround(deployment, cluster, memory, settings, pauseMode);
  if (!isSame) memory.lookedAt = { changes, settings, surroundings };
  const { settledNotices } = memory;
  const moments = trackSince(surroundings, memory, now);
  return {
    snapshot: { ...surroundings, now, settledNotices, ...moments },
    requestProblem: readAsked(deployment, settings).requestProblem,
  };
}

function lookAround(
  deployment: DeploymentView,
  cluster: Cluster,
  memory: RolloutMemory,
  settings: Settings,
  pauseMode: PauseMode,
): Surroundings {
  const asked = readAsked(deployment, settings);
  const roles = rolesOf(deployment, cluster);
  const state = readState(roles.canary, deployment, memory);
  const running = state === undefined || state === 'unreadable' ? undefined : state;
  const found = discover(deployment, cluster, running?.spec ?? asked.spec, roles);
  const canaryName = canaryServiceName(
    deployment.name,
    roles.canary?.podHash ?? found.route?.record?.revision ?? deployment.templateHash,
  );
  const stablePods = podsOf(cluster, roles.stable);
  const canaryPods = podsOf(cluster, roles.canary);
  const endpointUids = (service: string | undefined) =>
    service === undefined
      ? new Set<string>()
      : new Set(
          cluster.endpointSlices
            .by('service', within(deployment.namespace, service))
            .flatMap((slice) => slice.readyPodUids),
        );
  const paused = pausedByHand(deployment, roles.stable, pauseMode);
  const aboutObjects = [...found.problems, ...(paused === undefined ? [] : [paused])];
  return {
    limits: settings.limits,
    optedIn: asked.enabled,
    problems: [...asked.problems, ...(asked.enabled ? aboutObjects : [])],
    spec: running?.spec ?? asked.spec,
    stepsBy: asked.stepsBy,
    pauseMode,
    deployment,
    rejections: readRejections(deployment),
    request: asked.request,
    ...roles,
    adopted: roles.canary !== undefined && roles.canary.labels[canaryForLabel] === undefined,
    service: found.service,
    ...generatedServices(cluster, deployment, canaryName, {
      canary: roles.canary === undefined ? undefined : canaryName,
      listed: found.route?.record?.canaryService,
    }),
    route: found.route,
    pods: { stable: stablePods, canary: canaryPods },
    endpoints: {
      stable: endpointUids(found.service?.name),
      canary: endpointUids(canaryName),
    },
    state,
    verdict: undefined,
    flinch: undefined,
    recordedNotices: running?.delivered ?? [],
  };
}

interface Roles {
  readonly stable: ReplicaSetView | undefined;
  readonly canary: ReplicaSetView | undefined;
  readonly leftovers: readonly ReplicaSetView[];
  readonly twins: readonly ReplicaSetView[];
  readonly active: readonly ReplicaSetView[];
}

/** Which ReplicaSet plays which part: by owner, by our label, by our state; never by name. */
function rolesOf(deployment: DeploymentView, cluster: Cluster): Roles {
  const sets = cluster.replicaSets
    .by('deployment', deployment.uid)
    .filter((set) => set.namespace === deployment.namespace && !set.deleting);
  const owned = sets.filter((set) => set.controllerUid === deployment.uid);
  const bare = sets.filter(
    (set) => set.controllerUid === undefined && set.labels[canaryForLabel] === deployment.uid,
  );
  // Between our patch and the Deployment's adoption it has lost our label and has no controller
  // yet.
  const adopted = sets.find(
    (set) =>
      set.labels[canaryForLabel] === undefined && set.annotations[stateAnnotation] !== undefined,
  );
  const newest = [...bare].sort((a, b) => (a.createdAt < b.createdAt ? 1 : -1));
  // The one with traffic is finished before a newer one begins; there is at most one with pods.
  const serving = newest.find((set) => set.replicas > 0) ?? newest[0];
  const canary = adopted ?? serving;
  const active = owned.filter((set) => set !== adopted && set.replicas > 0);
  const latest = [...active].sort((a, b) => b.replicas - a.replicas);
  return {
    stable: latest[0],
    canary,
    leftovers: bare.filter((set) => set !== canary),
    twins: owned.filter(
      (set) =>
        set !== adopted &&
        set.replicas === 0 &&
        set.templateHash === (canary?.templateHash ?? deployment.templateHash),
    ),
    active,
  };
}

function readState(
  canary: ReplicaSetView | undefined,
  deployment: DeploymentView,
  memory: RolloutMemory,
): RolloutState | 'unreadable' | undefined {
  if (canary === undefined) return undefined;
  const text = canary.annotations[stateAnnotation];
  if (text === undefined) return 'unreadable';
  const { uid: deploymentUid } = deployment;
  const { decoded } = memory;
  if (decoded?.text === text && decoded.deploymentUid === deploymentUid) return decoded.state;
  const state = decodeState(text, deploymentUid) ?? 'unreadable';
  memory.decoded = { text, deploymentUid, state };
  return state;
}

interface Discovered {
  readonly service: ServiceView | undefined;
  readonly route: RouteView | undefined;
  readonly problems: readonly Problem[];
}

function discover(
  deployment: DeploymentView,
  cluster: Cluster,
  spec: RolloutSpec | undefined,
  roles: Roles,
): Discovered {
  const { namespace, uid } = deployment;
  const problems = [...workloadProblems(deployment, cluster.deployments.inNamespace(namespace))];
  const services = cluster.services
    .inNamespace(namespace)
    .filter((service) => !service.ownerUids.includes(uid));
  const service = findService(deployment, services, spec?.service);
  if ('problem' in service)
    return { service: undefined, route: undefined, problems: [...problems, service.problem] };
  const shared = sharedServiceProblem(
    service.found,
    foreignPods(deployment, cluster, service.found, roles),
  );
  if (shared !== undefined) problems.push(shared);
  const routes = cluster.routes.inNamespace(namespace);
  const route = findRoute(service.found.name, routes, spec?.route);
  if ('problem' in route)
    return { service: service.found, route: undefined, problems: [...problems, route.problem] };
  const cached = routes.find(
    ({ name, kind }) => name === route.found.name && kind === route.found.kind,
  );
  const view = cached && trafficProviders[cached.kind].read(cached.raw, uid, service.found.name);
  if (view?.problem !== undefined) {
    const key = 'haldane.dev/route';
    problems.push({ key, message: `${key}: HTTPRoute ${view.name}: ${view.problem}` });
  }
  return { service: service.found, route: view, problems };
}

/** Ready pods behind the Service that belong to none of the Deployment's ReplicaSets. */
function foreignPods(
  deployment: DeploymentView,
  cluster: Cluster,
  service: ServiceView,
  roles: Roles,
) {
  if (roles.stable === undefined) return [];
  const slices = cluster.endpointSlices.by('service', within(deployment.namespace, service.name));
  const ready = slices.flatMap((slice) => slice.readyPodUids);
  if (ready.length === 0) return [];
  const ours = new Set(
    cluster.replicaSets
      .by('deployment', deployment.uid)
      .flatMap((set) => podsOf(cluster, set).map((pod) => pod.uid)),
  );
  if (ready.every((uid) => ours.has(uid))) return [];
  return cluster.pods
    .inNamespace(deployment.namespace)
    .filter(
      (pod) => pod.ready && !pod.deleting && !ours.has(pod.uid) && selects(service, pod.labels),
    );
}

const podsOf = (cluster: Cluster, set: ReplicaSetView | undefined) =>
  set === undefined ? [] : cluster.pods.by('revision', within(set.namespace, set.podHash));

/** Ours by owner: a Service of the same name that somebody else made is never touched. */
function canaryServiceOf(
  cluster: Cluster,
  deployment: DeploymentView,
  name: string,
): ServiceView | undefined {
  const service = cluster.services.get(deployment.namespace, name);
  return service?.ownerUids.includes(deployment.uid) === true ? service : undefined;
}

interface UsedServices {
  readonly canary: string | undefined;
  readonly listed: string | undefined;
}

function generatedServices(
  cluster: Cluster,
  deployment: DeploymentView,
  canaryServiceName: string,
  used: UsedServices,
) {
  const { listed } = used;
  return {
    canaryServiceName,
    canaryService: canaryServiceOf(cluster, deployment, canaryServiceName),
    listedService: listed === undefined ? undefined : canaryServiceOf(cluster, deployment, listed),
    leftoverServices: leftoverServices(cluster, deployment, used),
  };
}

/** Generated for this Deployment, but neither of the canary under way nor named by the route. */
function leftoverServices(
  cluster: Cluster,
  deployment: DeploymentView,
  used: UsedServices,
): readonly ServiceView[] {
  return cluster.services
    .inNamespace(deployment.namespace)
    .filter(
      (service) =>
        isCanaryServiceOf(service, deployment) &&
        service.name !== used.canary &&
        service.name !== used.listed,
    );
}

/**
 * The mode in force for one Deployment: its own marks first, then its wish, then what the probe
 * found.
 */
export function pauseModeOf(
  deployment: DeploymentView,
  asked: PauseMode | undefined,
  probed: PauseMode,
): PauseMode {
  if (deployment.annotations[marks.originalProgressDeadline] !== undefined) return 'at-rest';
  if (deployment.annotations[marks.rollout] !== undefined) return 'on-change';
  return asked ?? probed;
}
