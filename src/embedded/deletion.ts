import { asArray, asObject, type JsonObject } from './json.ts';
import type { ObjectApi } from './object-api.ts';
import type { RequestQuery } from './request.ts';
import type { KubernetesObject, Target } from './resource.ts';
import { badRequest, conflict } from './status.ts';
import { checkPreconditions, isBeingDeleted } from './strategy.ts';

export type Propagation = 'Background' | 'Foreground' | 'Orphan';

export type DeleteOptions = {
  readonly uid?: string | undefined;
  readonly resourceVersion?: string | undefined;
  readonly propagation?: Propagation | undefined;
  readonly gracePeriodSeconds?: number | undefined;
  readonly dryRun?: boolean;
};

export type Deletion = {
  /**
   * Last state: of the removed object, or of the one that still waits for finalizers or its grace
   * period.
   */
  readonly object: KubernetesObject;
  readonly gone: boolean;
};

const finalizerOf: Readonly<Record<Propagation, string | undefined>> = {
  Background: undefined,
  Foreground: 'foregroundDeletion',
  Orphan: 'orphan',
};

/**
 * Deletes an object, or marks it where finalizers, draining or namespace contents must go first.
 * @throws ApiFailure
 */
export function deleteObject(api: ObjectApi, target: Target, options: DeleteOptions): Deletion {
  const current = api.get(target);
  const { resource } = target;
  if (options.uid !== undefined && options.uid !== current.metadata.uid)
    throw conflict(
      resource,
      target.name,
      `Precondition failed: UID in precondition: ${options.uid}, UID in object meta: ` +
        current.metadata.uid,
    );
  if (
    options.resourceVersion !== undefined &&
    options.resourceVersion !== current.metadata.resourceVersion
  )
    throw conflict(
      resource,
      target.name,
      'Precondition failed: ResourceVersion in precondition: ' +
        `${options.resourceVersion}, ResourceVersion in object meta: ` +
        current.metadata.resourceVersion,
    );
  checkPreconditions(resource, current, {});
  const grace = gracePeriod(current, options.gracePeriodSeconds);
  const finalizers = finalizersFor(current, options.propagation);
  const waits = finalizers.length > 0 || grace > 0 || hasContents(current);
  if (options.dryRun === true) return { object: current, gone: !waits };
  if (!waits) return { object: api.store(resource, 'DELETED', current), gone: true };
  if (
    isBeingDeleted(current.metadata) &&
    grace >= (current.metadata.deletionGracePeriodSeconds ?? 0) &&
    finalizers.length === asArray(current.metadata.finalizers).length
  )
    return { object: current, gone: false };
  return {
    object: api.store(resource, 'MODIFIED', marked(api, current, finalizers, grace)),
    gone: false,
  };
}

/** Only pods drain; a pod that never got a node or has ended goes at once. */
function gracePeriod(object: KubernetesObject, asked: number | undefined): number {
  if (object.kind !== 'Pod') return 0;
  const spec = asObject(object.spec);
  const phase = asObject(object.status).phase;
  if (spec.nodeName === undefined || phase === 'Succeeded' || phase === 'Failed') return 0;
  const wanted =
    asked ??
    (typeof spec.terminationGracePeriodSeconds === 'number'
      ? spec.terminationGracePeriodSeconds
      : 30);
  // A later request can shorten the grace period, never lengthen it.
  return Math.max(0, Math.min(wanted, object.metadata.deletionGracePeriodSeconds ?? wanted));
}

function finalizersFor(
  object: KubernetesObject,
  propagation: Propagation | undefined,
): readonly string[] {
  const own = object.metadata.finalizers ?? [];
  if (propagation === undefined) return own;
  const kept = own.filter((name) => name !== 'foregroundDeletion' && name !== 'orphan');
  const added = finalizerOf[propagation];
  return added === undefined ? kept : [...kept, added];
}

const hasContents = (object: KubernetesObject) =>
  object.kind === 'Namespace' && asArray(asObject(object.spec).finalizers).length > 0;

function marked(
  api: ObjectApi,
  object: KubernetesObject,
  finalizers: readonly string[],
  grace: number,
): KubernetesObject {
  const { generation, finalizers: _old, ...rest } = object.metadata;
  const first = !isBeingDeleted(object.metadata);
  const terminating =
    object.kind === 'Namespace'
      ? { status: { ...asObject(object.status), phase: 'Terminating' } }
      : {};
  return {
    ...object,
    ...terminating,
    metadata: {
      ...rest,
      ...(finalizers.length === 0 ? {} : { finalizers }),
      ...(generation === undefined ? {} : { generation: first ? generation + 1 : generation }),
      deletionTimestamp:
        first || grace < (object.metadata.deletionGracePeriodSeconds ?? 0)
          ? api.later(grace)
          : (object.metadata.deletionTimestamp as string),
      deletionGracePeriodSeconds: grace,
    },
  };
}

/** Reads the body and the query parameters of a DELETE. @throws ApiFailure 400 */
export function readDeleteOptions(body: JsonObject, query: RequestQuery): DeleteOptions {
  const preconditions = asObject(body.preconditions);
  const propagation =
    body.propagationPolicy ?? query.get('propagationPolicy') ?? orphanFlag(body.orphanDependents);
  if (propagation !== undefined && !(String(propagation) in finalizerOf))
    throw badRequest(`invalid propagationPolicy: ${String(propagation)}`);
  const grace =
    body.gracePeriodSeconds ??
    (query.has('gracePeriodSeconds') ? Number(query.get('gracePeriodSeconds')) : undefined);
  const dryRun = asArray(body.dryRun).includes('All') || query.get('dryRun') === 'All';
  return {
    uid: text(preconditions.uid),
    resourceVersion: text(preconditions.resourceVersion),
    propagation: propagation as Propagation | undefined,
    gracePeriodSeconds: typeof grace === 'number' ? grace : undefined,
    dryRun,
  };
}

const text = (value: unknown) => (typeof value === 'string' ? value : undefined);
const orphanFlag = (value: unknown) =>
  value === undefined ? undefined : value === true ? 'Orphan' : 'Background';
