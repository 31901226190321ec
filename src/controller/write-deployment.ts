import type { JsonPatchOperation } from '../kubernetes/client.ts';
import { recordAt } from '../kubernetes/raw-object.ts';
import { resources } from '../kubernetes/resources.ts';
import { withoutHash } from '../kubernetes/template.ts';
import { toRfc3339 } from '../lib/units.ts';
import type { ProgressingCondition } from '../rollout/action.ts';
import { neverPassed } from '../rollout/opt-out.ts';
import { endlessDeadline } from '../rollout/rest.ts';
import {
  markKeys,
  marks,
  type Rejection,
  type Snapshot,
  wantedRevision,
} from '../rollout/snapshot.ts';
import type { Effects } from './effects.ts';
import { outdated } from './outdated.ts';
import { written } from './write-object.ts';

/** Rejections remembered on the Deployment; the oldest are forgotten. */
const rememberedRejections = 5;

export const markRollout = (
  action: { readonly revision: string; readonly attempt: number },
  s: Snapshot,
  effects: Effects,
  signal: AbortSignal,
) =>
  annotate(
    {
      [marks.rollout]: rolloutMark(action.revision, action.attempt),
      [marks.stable]: s.stable?.podHash ?? null,
      // What was asked of another revision is over.
      ...(s.request === undefined || s.request.revision === action.revision
        ? {}
        : { [marks.request]: null }),
    },
    s,
    effects,
    signal,
  );

const rolloutMark = (revision: string, attempt: number): string =>
  attempt === 1 ? revision : `${revision} attempt=${attempt}`;

export const markRejected = (
  rejection: Rejection,
  s: Snapshot,
  effects: Effects,
  signal: AbortSignal,
) =>
  annotate({ [marks.rejected]: rejectionsMark([...s.rejections, rejection]) }, s, effects, signal);

export const forgetRejection = (
  attempt: number,
  s: Snapshot,
  effects: Effects,
  signal: AbortSignal,
) => {
  const kept = s.rejections.filter((rejection) => rejection.revision !== wantedRevision(s));
  return annotate(
    {
      [marks.rejected]: rejectionsMark(kept),
      [marks.rollout]: rolloutMark(wantedRevision(s), attempt),
      [marks.request]: null,
    },
    s,
    effects,
    signal,
  );
};

const rejectionsMark = (rejections: readonly Rejection[]): string | null =>
  rejections.length === 0 ? null : JSON.stringify(rejections.slice(-rememberedRejections));

export const markNotified = (
  id: string | null,
  s: Snapshot,
  effects: Effects,
  signal: AbortSignal,
) => annotate({ [marks.notified]: id }, s, effects, signal);

/**
 * Ends a rollout in one patch: marker and pause go together, for the admission policy holds one
 * while the other is there.
 */
export async function finishRollout(
  s: Snapshot,
  effects: Effects,
  signal: AbortSignal,
): Promise<void> {
  const annotations = {
    [marks.rollout]: null,
    [marks.stable]: null,
    [marks.request]: null,
  };
  if (s.pauseMode === 'at-rest') {
    await patchDeployment({ metadata: { annotations } }, s, effects, signal, false);
    return;
  }
  await patchDeployment({ metadata: { annotations }, spec: { paused: null } }, s, effects, signal);
}

/** Lets the Deployment controller bring the template up itself. */
export const resumeNatively = (s: Snapshot, effects: Effects, signal: AbortSignal) =>
  patchDeployment(
    {
      metadata: { annotations: { [marks.rollout]: null, [marks.stable]: null } },
      spec: { paused: null },
    },
    s,
    effects,
    signal,
  );

export const pauseAtRest = (s: Snapshot, effects: Effects, signal: AbortSignal) =>
  patchDeployment(
    {
      metadata: {
        annotations: {
          [marks.originalProgressDeadline]: String(
            s.deployment.progressDeadlineSeconds ?? 'default',
          ),
          [marks.stable]: s.stable?.podHash ?? null,
        },
      },
      spec: { paused: true, progressDeadlineSeconds: endlessDeadline },
    },
    s,
    effects,
    signal,
  );

/**
 * `Progressing` as `kubectl rollout status`, Helm and Flux read it; the Deployment controller keeps
 * it while paused.
 */
export async function setProgressing(
  condition: ProgressingCondition,
  s: Snapshot,
  effects: Effects,
  signal: AbortSignal,
): Promise<void> {
  const { conditions, uid, resourceVersion } = s.deployment;
  const index = conditions.findIndex((c) => c.type === 'Progressing');
  const time = `${toRfc3339(effects.clock.now()).slice(0, 19)}Z`;
  const value = {
    type: 'Progressing',
    ...condition,
    lastUpdateTime: time,
    lastTransitionTime: time,
  };
  const operation: JsonPatchOperation =
    index < 0
      ? { op: 'add', path: `/status/conditions/${conditions.length === 0 ? '' : '-'}`, value }
      : { op: 'replace', path: `/status/conditions/${index}`, value };
  const whole: JsonPatchOperation = { op: 'add', path: '/status/conditions', value: [value] };
  const ref = deploymentRef(s);
  const preconditions = { uid, resourceVersion, subresource: 'status' } as const;
  const operations = [conditions.length === 0 ? whole : operation];
  const request = effects.client.jsonPatch(ref, operations, preconditions, signal);
  await written(ref, request, effects, signal);
}

/**
 * Writes the stable template back; the admission policy and the pause stay until the rollout is
 * over.
 */
export async function revertTemplate(
  s: Snapshot,
  effects: Effects,
  signal: AbortSignal,
): Promise<void> {
  const value = await stableTemplate(s, effects, signal);
  await jsonPatch([{ op: 'replace', path: '/spec/template', value }], s, effects, signal);
}

/**
 * One patch: the template that serves instead of one that never passed, no pause, the deadline as
 * it was, none of our marks.
 */
export async function optOut(s: Snapshot, effects: Effects, signal: AbortSignal): Promise<void> {
  const operations: JsonPatchOperation[] = [];
  const { deployment } = s;
  if (s.stable !== undefined && neverPassed(s)) {
    const value = await stableTemplate(s, effects, signal);
    operations.push({ op: 'replace', path: '/spec/template', value });
  }
  if (deployment.paused) operations.push({ op: 'remove', path: '/spec/paused' });
  const original = deployment.annotations[marks.originalProgressDeadline];
  if (original !== undefined && deployment.progressDeadlineSeconds === endlessDeadline) {
    // The API server fills in 600 where there is none (apps/v1 defaults).
    const value = Number(original) || 600;
    operations.push({ op: 'replace', path: '/spec/progressDeadlineSeconds', value });
  }
  for (const key of markKeys) {
    if (deployment.annotations[key] === undefined) continue;
    operations.push({ op: 'remove', path: `/metadata/annotations/${key.replace('/', '~1')}` });
  }
  await jsonPatch(operations, s, effects, signal);
}

async function stableTemplate(
  s: Snapshot,
  effects: Effects,
  signal: AbortSignal,
): Promise<unknown> {
  if (s.stable === undefined) throw outdated('the stable ReplicaSet');
  const { namespace, name } = s.stable;
  const raw = await effects.client.get(
    { resource: resources.replicaSets, namespace, name },
    signal,
  );
  return withoutHash(recordAt(raw, 'spec')['template']);
}

const annotate = (
  annotations: Readonly<Record<string, string | null>>,
  s: Snapshot,
  effects: Effects,
  signal: AbortSignal,
) => patchDeployment({ metadata: { annotations } }, s, effects, signal);

async function patchDeployment(
  patch: object,
  s: Snapshot,
  effects: Effects,
  signal: AbortSignal,
  atVersion = true,
): Promise<void> {
  const { uid, resourceVersion } = s.deployment;
  const preconditions = atVersion ? { uid, resourceVersion } : { uid };
  const ref = deploymentRef(s);
  const request = effects.client.mergePatch(ref, patch, preconditions, signal);
  await written(ref, request, effects, signal);
}

async function jsonPatch(
  operations: readonly JsonPatchOperation[],
  s: Snapshot,
  effects: Effects,
  signal: AbortSignal,
): Promise<void> {
  const { uid, resourceVersion } = s.deployment;
  const ref = deploymentRef(s);
  const request = effects.client.jsonPatch(ref, operations, { uid, resourceVersion }, signal);
  await written(ref, request, effects, signal);
}

const deploymentRef = (s: Snapshot) => ({
  resource: resources.deployments,
  namespace: s.deployment.namespace,
  name: s.deployment.name,
});
