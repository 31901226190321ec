import type { KubernetesClient } from '../kubernetes/client.ts';
import {
  canaryForLabel,
  deploymentView,
  replicaSetView,
  stateAnnotation,
} from '../kubernetes/objects.ts';
import type { RawObject } from '../kubernetes/raw-object.ts';
import { type Resource, resources } from '../kubernetes/resources.ts';
import { isOperatingError } from '../lib/errors.ts';
import { marks, type Rejection } from '../rollout/snapshot.ts';
import type { RolloutState } from '../rollout/state.ts';
import type { DeploymentView, ReplicaSetView, RouteView } from '../rollout/views.ts';
import { decodeState } from '../spec/state-codec.ts';
import { trafficProviders } from '../traffic-providers/registry.ts';
import { readRecord } from '../traffic-providers/route-record.ts';

/** The objects of one namespace that tell how its rollouts stand, as the API server sent them. */
export interface NamespaceObjects {
  readonly deployments: readonly RawObject[];
  readonly replicaSets: readonly RawObject[];
  /** Empty where the user may not read routes, or the cluster has none. */
  readonly routes: readonly RawObject[];
}

/** How one Deployment stands, read by the command line itself and not told by the controller. */
export interface Facts {
  readonly deployment: DeploymentView;
  readonly stable: ReplicaSetView | undefined;
  readonly canary: ReplicaSetView | undefined;
  /** The Deployment has taken the canary's ReplicaSet as its own: promotion cannot be stopped. */
  readonly adopted: boolean;
  readonly state: RolloutState | 'unreadable' | undefined;
  readonly route: RouteView | undefined;
  readonly rejections: readonly Rejection[];
}

/** Reads one namespace, or all of them. */
export async function readObjects(
  client: KubernetesClient,
  namespace: string | undefined,
  signal: AbortSignal,
): Promise<NamespaceObjects> {
  const [deployments, replicaSets, routes] = await Promise.all([
    listAll(client, resources.deployments, namespace, signal),
    listAll(client, resources.replicaSets, namespace, signal),
    listAll(client, resources.httpRoutes, namespace, signal).catch(emptyIfUnreadable),
  ]);
  return { deployments, replicaSets, routes };
}

/** Every page of a list. */
export async function listAll(
  client: KubernetesClient,
  resource: Resource,
  namespace: string | undefined,
  signal: AbortSignal,
): Promise<readonly RawObject[]> {
  const all: RawObject[] = [];
  for await (const page of client.list(resource, { namespace }, signal)) all.push(...page.items);
  return all;
}

/** Some things are shown where they can be read, and left out where not. */
export function emptyIfUnreadable(error: unknown): readonly RawObject[] {
  const codes = ['KUBERNETES_NOT_FOUND', 'KUBERNETES_FORBIDDEN'] as const;
  if (codes.some((code) => isOperatingError(error, code))) return [];
  throw error;
}

/** The facts about every Deployment that haldane has to do with: opted in, or marked by it. */
export const factsOfAll = (objects: NamespaceObjects): readonly Facts[] =>
  objects.deployments
    .filter((raw) =>
      Object.keys(raw.metadata.annotations ?? {}).some((key) => key.startsWith('haldane.dev/')),
    )
    .map((raw) => factsOf(deploymentView(raw), objects));

export function factsOf(deployment: DeploymentView, objects: NamespaceObjects): Facts {
  const { uid, namespace } = deployment;
  const sets = objects.replicaSets
    .filter((raw) => raw.metadata.namespace === namespace)
    .filter((raw) => raw.metadata.ownerReferences?.some((owner) => owner.uid === uid) === true)
    .map(replicaSetView)
    .filter((set) => !set.deleting);
  const bare = sets
    .filter((set) => set.labels[canaryForLabel] === uid)
    .sort((a, b) => (a.createdAt < b.createdAt ? 1 : -1));
  const adopted = sets.find(
    (set) =>
      set.labels[canaryForLabel] === undefined && set.annotations[stateAnnotation] !== undefined,
  );
  const canary = adopted ?? bare.find((set) => set.replicas > 0) ?? bare[0];
  const [stable] = sets
    .filter((set) => set.controllerUid === uid && set !== canary && set.replicas > 0)
    .sort((a, b) => b.replicas - a.replicas);
  return {
    deployment,
    stable,
    canary,
    adopted: adopted !== undefined,
    state: stateOf(canary, uid),
    route: routeOf(deployment, objects.routes),
    rejections: rejectionsOf(deployment),
  };
}

function stateOf(canary: ReplicaSetView | undefined, uid: string): Facts['state'] {
  const text = canary?.annotations[stateAnnotation];
  if (text === undefined) return canary === undefined ? undefined : 'unreadable';
  return decodeState(text, uid) ?? 'unreadable';
}

/** The route that carries our record for this Deployment. */
function routeOf(
  { uid, namespace }: DeploymentView,
  routes: readonly RawObject[],
): RouteView | undefined {
  for (const raw of routes) {
    if (raw.metadata.namespace !== namespace) continue;
    const record = readRecord(raw, uid);
    if (record !== undefined) return trafficProviders.httproute.read(raw, uid, record.service);
  }
  return undefined;
}

/** Rejections as the controller wrote them; what cannot be read is left out. */
function rejectionsOf({ annotations }: DeploymentView): readonly Rejection[] {
  const text = annotations[marks.rejected];
  if (text === undefined) return [];
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) ? (value as readonly Rejection[]).filter(isRejection) : [];
  } catch {
    return [];
  }
}

const isRejection = (value: Rejection | null): boolean =>
  typeof value?.revision === 'string' && typeof value.because === 'string';
