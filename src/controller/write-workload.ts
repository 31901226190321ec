import type { ObjectRef } from '../kubernetes/api-path.ts';
import {
  adoptionPatch,
  canaryReplicaSet,
  canaryReplicaSetName,
  canaryService,
  firstReplicaSet,
} from '../kubernetes/canary-workload.ts';
import type { JsonPatchOperation } from '../kubernetes/client.ts';
import { revisionAnnotation, serviceView, stateAnnotation } from '../kubernetes/objects.ts';
import { type RawObject, recordAt } from '../kubernetes/raw-object.ts';
import { type Resource, resources } from '../kubernetes/resources.ts';
import { templateHash } from '../kubernetes/template.ts';
import { isOperatingError } from '../lib/errors.ts';
import {
  marks,
  pinAnnotation,
  pinKey,
  routeWeight,
  type Snapshot,
  stateOf,
  wantedRevision,
} from '../rollout/snapshot.ts';
import type { Outcome, RolloutState } from '../rollout/state.ts';
import type { ReplicaSetView, ServiceView } from '../rollout/views.ts';
import { encodeState } from '../spec/state-codec.ts';
import type { Effects } from './effects.ts';
import { lookLately } from './look-lately.ts';
import { outdated, unlessGone } from './outdated.ts';
import {
  confirmMarks,
  isDecidedOtherwise,
  readDeployment,
  readUnchanged,
} from './read-deployment.ts';
import { resumeNatively } from './write-deployment.ts';
import { readAgain, unlessOutdated, written } from './write-object.ts';
import { confirmAllToCanary, confirmLowered, confirmUnlisted } from './write-route.ts';

export async function deleteReplicaSet(
  target: { readonly name: string; readonly uid: string },
  s: Snapshot,
  effects: Effects,
  signal: AbortSignal,
): Promise<void> {
  await deleteSeen(replicaSetRef(s, target.name), target.uid, effects, signal);
}

/**
 * Deletes what the cache holds. What is gone leaves the cache, too: as long as the event that tells
 * of it is missing, each pass would ask for its end again.
 */
async function deleteSeen(
  ref: ObjectRef,
  uid: string,
  effects: Effects,
  signal: AbortSignal,
): Promise<void> {
  try {
    const request = effects.client.deleteObject(ref, { uid }, signal);
    await unlessOutdated(ref, request, effects, signal);
  } catch (error) {
    if (!isOperatingError(error, 'KUBERNETES_NOT_FOUND')) throw error;
    const { resource, namespace = '', name } = ref;
    effects.forget(resource.kind, { namespace, name, uid });
  }
}

/**
 * Copies the template as it is now; another template than the one decided on is for the next pass.
 */
export async function createCanary(
  action: { readonly state: RolloutState },
  s: Snapshot,
  effects: Effects,
  signal: AbortSignal,
): Promise<void> {
  const deployment = await freshDeployment(s, effects, signal);
  // I12: another leader may have rejected this revision, and taken its canary away, meanwhile.
  const rejected = deployment.metadata.annotations?.[marks.rejected];
  if (rejected !== s.deployment.annotations[marks.rejected])
    throw outdated(`Deployment ${s.deployment.name}`);
  const body = canaryReplicaSet(deployment, action.state.revision, encodeState(action.state));
  await createOnce(resources.replicaSets, s, body, effects, signal);
}

/**
 * Looks at the Deployment first: one that was deleted unseen would have its Service collected, and
 * created again, until the watch tells of it.
 */
export async function createCanaryService(
  s: Snapshot,
  effects: Effects,
  signal: AbortSignal,
): Promise<void> {
  await readDeployment(s, effects, signal);
  const user = await effects.client.get(serviceRef(s), signal);
  const body = canaryService(user, s.deployment, s.canary?.podHash ?? wantedRevision(s));
  await createOnce(resources.services, s, body, effects, signal);
}

export async function deleteCanaryService(
  name: string,
  s: Snapshot,
  effects: Effects,
  signal: AbortSignal,
): Promise<void> {
  const ref = { resource: resources.services, namespace: s.deployment.namespace, name };
  const found = [s.canaryService, ...s.leftoverServices].find((one) => one?.name === name);
  if (found !== undefined && (s.canary === undefined || found !== s.canaryService)) {
    await confirmLeftover(found, s, effects, signal);
  }
  await confirmUnlisted(name, s, effects, signal);
  if (found === undefined) await unlessGone(effects.client.deleteObject(ref, {}, signal));
  else await deleteSeen(ref, found.uid, effects, signal);
}

/**
 * A canary that the watch has not told of yet may need this Service: a ReplicaSet carries our state
 * from before its Service is made until after it is gone.
 * @throws KUBERNETES_CONFLICT when there is such a ReplicaSet
 */
async function confirmLeftover(
  service: ServiceView,
  s: Snapshot,
  effects: Effects,
  signal: AbortSignal,
): Promise<void> {
  const revision = service.selector[pinKey] ?? '';
  const name = canaryReplicaSetName(s.deployment.name, revision);
  const set = await effects.client.find(replicaSetRef(s, name), signal);
  if (set?.metadata.annotations?.[stateAnnotation] !== undefined) {
    throw outdated(`ReplicaSet ${name}`);
  }
}

/**
 * Adds or takes away the one selector key that ties the user's Service to one ReplicaSet. What is
 * left of a pin where no canary is may have become that of a new one, whose pods it would let in.
 * @throws KUBERNETES_CONFLICT when the route or the Deployment are not as the watch has told
 */
export async function pinService(
  podHash: string | null,
  s: Snapshot,
  effects: Effects,
  signal: AbortSignal,
): Promise<void> {
  const { service } = s;
  if (service === undefined) throw outdated('the Service');
  if (podHash !== null && podHash === s.canary?.podHash && !s.adopted)
    await confirmAllToCanary(s, effects, signal);
  if (podHash === null && s.canary === undefined) await confirmMarks(s, effects, signal);
  if (podHash !== null && s.canary === undefined) await confirmLost(service, s, effects, signal);
  const patch = {
    metadata: { annotations: { [pinAnnotation]: podHash === null ? null : s.deployment.uid } },
    spec: { selector: { [pinKey]: podHash } },
  };
  const ref = serviceRef(s);
  const { uid, resourceVersion } = service;
  const request = effects.client.mergePatch(ref, patch, { uid, resourceVersion }, signal);
  await written(ref, request, effects, signal);
}

/**
 * Before the Service is taken from a canary that is gone: a stale list may lack one that serves.
 * @throws KUBERNETES_CONFLICT when it is there
 */
async function confirmLost(
  { selector }: ServiceView,
  s: Snapshot,
  effects: Effects,
  signal: AbortSignal,
): Promise<void> {
  const name = canaryReplicaSetName(s.deployment.name, selector[pinKey] ?? '');
  const isSeen = [...s.active, ...s.twins, ...s.leftovers].some((set) => set.name === name);
  if (isSeen) return;
  const accept = effects.beginRead(resources.replicaSets.kind);
  const set = await effects.client.find(replicaSetRef(s, name), signal);
  if (set === undefined) return;
  accept(set);
  throw outdated(`ReplicaSet ${name}`);
}

/**
 * Before a canary gets its first pods: they would be the user's Service's, too, where that is tied
 * to stable no more and the watch has not told.
 * @throws KUBERNETES_CONFLICT when the Service leads elsewhere than was seen
 */
async function confirmPin(s: Snapshot, effects: Effects, signal: AbortSignal): Promise<void> {
  const { service } = s;
  if (service === undefined) return;
  const is = serviceView(await readAgain(serviceRef(s), effects, signal));
  if (is.selector[pinKey] !== service.selector[pinKey]) throw outdated(`Service ${service.name}`);
}

/**
 * Fewer pods for a canary that has requests are for the Deployment as it is: what a watch that is
 * behind tells of it may be long over. More or fewer, they go from those that were seen, or a write
 * that lands after its time-out takes away what a later one has added.
 * @throws KUBERNETES_CONFLICT when the Deployment asks for something else by now, the canary has
 * other replicas than were seen, or the Service leads elsewhere
 */
export async function scaleCanary(
  action: { readonly replicas: number; readonly outcome?: Outcome },
  s: Snapshot,
  effects: Effects,
  signal: AbortSignal,
): Promise<void> {
  const { replicas } = canaryOf(s);
  const path = '/spec/replicas';
  const scale: JsonPatchOperation[] = [{ op: 'replace', path, value: action.replicas }];
  const [isFewer, serves] = [action.replicas < replicas, routeWeight(s) > 0];
  if (replicas === 0) await confirmPin(s, effects, signal);
  if (isFewer && serves) await readUnchanged(s, effects, signal);
  if (!isFewer || serves) scale.unshift({ op: 'test', path, value: replicas });
  const state = stateOf(s);
  const recorded =
    state === undefined || action.outcome === undefined
      ? []
      : [stateOperation({ ...state, outcome: action.outcome })];
  await patchCanary([...scale, ...recorded], s, effects, signal);
}

export async function record(
  state: RolloutState,
  s: Snapshot,
  effects: Effects,
  signal: AbortSignal,
): Promise<void> {
  const isForHand = state.pause?.by === 'route' && stateOf(s)?.pause === null;
  if (isForHand) {
    await confirmMarks(s, effects, signal);
    await confirmLowered(s, effects, signal);
  }
  await patchCanary([stateOperation(state)], s, effects, signal);
}

/** @throws KUBERNETES_CONFLICT when the Deployment or the route are not as the watch has told */
async function confirmAdoption(s: Snapshot, effects: Effects, signal: AbortSignal): Promise<void> {
  const deployment = await freshDeployment(s, effects, signal);
  const spec = recordAt(deployment, 'spec');
  const isReady = spec['paused'] === true && spec['replicas'] === canaryOf(s).replicas;
  if (!isReady || isDecidedOtherwise(deployment, s)) {
    throw outdated(`Deployment ${s.deployment.name}`);
  }
  await confirmAllToCanary(s, effects, signal);
  // The watch may have told of it while the route was looked at.
  const { namespace, name } = s.deployment;
  if (effects.deploymentVersion(namespace, name) !== deployment.metadata.resourceVersion)
    throw outdated(`Deployment ${name}`);
}

/**
 * The patch that makes the Deployment adopt the canary. A fresh read first: from here on there is
 * no way back.
 * @throws KUBERNETES_CONFLICT when the Deployment is not as the watch has told, an opt-out included
 */
export async function adoptCanary(
  state: RolloutState,
  s: Snapshot,
  effects: Effects,
  signal: AbortSignal,
): Promise<void> {
  const canary = canaryOf(s);
  await lookLately(() => confirmAdoption(s, effects, signal), effects);
  const numbers = [s.stable, ...s.active, canary].map((set) =>
    Number(set?.annotations[revisionAnnotation] ?? 0),
  );
  const patch = adoptionPatch(s.deployment, canary, Math.max(...numbers) + 1, encodeState(state));
  const ref = replicaSetRef(s, canary.name);
  const { uid, resourceVersion } = canary;
  const request = effects.client.mergePatch(ref, patch, { uid, resourceVersion }, signal);
  await written(ref, request, effects, signal);
}

export async function scaleReplicaSet(
  action: { readonly name: string; readonly replicas: number },
  s: Snapshot,
  effects: Effects,
  signal: AbortSignal,
): Promise<void> {
  const target = s.active.find((set) => set.name === action.name);
  if (target === undefined) throw outdated(`ReplicaSet ${action.name}`);
  const patch = { spec: { replicas: action.replicas } };
  const ref = replicaSetRef(s, target.name);
  const { uid } = target;
  await written(ref, effects.client.mergePatch(ref, patch, { uid }, signal), effects, signal);
}

export async function clearState(
  s: Snapshot,
  effects: Effects,
  signal: AbortSignal,
): Promise<void> {
  const canary = canaryOf(s);
  const patch = { metadata: { annotations: { [stateAnnotation]: null } } };
  const ref = replicaSetRef(s, canary.name);
  const { uid } = canary;
  await written(ref, effects.client.mergePatch(ref, patch, { uid }, signal), effects, signal);
}

/**
 * Nothing serves, so there is nothing to compare with: the template becomes stable by itself. A
 * stale list may lack the ReplicaSet that serves, so the Deployment must say so, too.
 * @throws KUBERNETES_CONFLICT when it counts pods
 */
export async function bootstrap(s: Snapshot, effects: Effects, signal: AbortSignal): Promise<void> {
  const deployment = await freshDeployment(s, effects, signal);
  if (Number(recordAt(deployment, 'status')['replicas'] ?? 0) > 0)
    throw outdated(`ReplicaSets of Deployment ${s.deployment.name}`);
  if (s.pauseMode === 'on-change') return resumeNatively(s, effects, signal);
  const body = firstReplicaSet(deployment, wantedRevision(s));
  await createOnce(resources.replicaSets, s, body, effects, signal);
}

/** The pod template cannot be read from the slim view. */
async function freshDeployment(
  s: Snapshot,
  effects: Effects,
  signal: AbortSignal,
): Promise<RawObject> {
  const raw = await readDeployment(s, effects, signal);
  const hash = templateHash(recordAt(raw, 'spec')['template']);
  if (hash !== wantedRevision(s)) throw outdated(`Deployment ${s.deployment.name}`);
  return raw;
}

/**
 * Names are fixed by the revision: one that exists is ours from before a crash, and the cache will
 * show it, also if the event that told of it was lost.
 */
async function createOnce(
  resource: Resource,
  s: Snapshot,
  body: object,
  effects: Effects,
  signal: AbortSignal,
): Promise<void> {
  try {
    effects.accept(await effects.client.create(resource, s.deployment.namespace, body, {}, signal));
  } catch (error) {
    if (!isOperatingError(error, 'KUBERNETES_ALREADY_EXISTS')) throw error;
    const { name } = (body as RawObject).metadata;
    const ref = { resource, namespace: s.deployment.namespace, name };
    await readAgain(ref, effects, signal);
  }
}

/**
 * Status updates move a ReplicaSet's resourceVersion all the time, so the precondition is our own
 * last state:
 * whoever wrote another one since has decided something that we have not seen.
 */
async function patchCanary(
  operations: readonly JsonPatchOperation[],
  s: Snapshot,
  effects: Effects,
  signal: AbortSignal,
): Promise<void> {
  const canary = canaryOf(s);
  const seen = canary.annotations[stateAnnotation];
  const test: JsonPatchOperation[] =
    seen === undefined ? [] : [{ op: 'test', path: statePath, value: seen }];
  const ref = replicaSetRef(s, canary.name);
  const { uid } = canary;
  const request = effects.client.jsonPatch(ref, [...test, ...operations], { uid }, signal);
  await written(ref, request, effects, signal);
}

/** JSON Pointer (RFC 6901). */
const stateKey = stateAnnotation.replaceAll('~', '~0').replaceAll('/', '~1');
const statePath = `/metadata/annotations/${stateKey}`;
const stateOperation = (state: RolloutState): JsonPatchOperation => ({
  op: 'add',
  path: statePath,
  value: encodeState(state),
});

function canaryOf(s: Snapshot): ReplicaSetView {
  if (s.canary === undefined) throw outdated('the canary ReplicaSet');
  return s.canary;
}

const replicaSetRef = (s: Snapshot, name: string) => ({
  resource: resources.replicaSets,
  namespace: s.deployment.namespace,
  name,
});
const serviceRef = (s: Snapshot) => ({
  resource: resources.services,
  namespace: s.deployment.namespace,
  name: s.service?.name ?? '',
});
