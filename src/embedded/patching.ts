import { asArray, asObject, isArray, isObject, type Json, type JsonObject } from './json.ts';
import { jsonPatch, PatchRefused } from './json-patch.ts';
import { planApply, resettable, type Writer } from './managed-fields.ts';
import { mergePatch } from './merge-patch.ts';
import type { KubernetesObject, ManagedFieldsEntry, Resource, Target } from './resource.ts';
import { type Shape, untyped } from './schema.ts';
import { applyMerge, removeAbandoned } from './server-side-apply.ts';
import { ApiFailure, badRequest, conflict, unsupportedMediaType } from './status.ts';
import { strategicMerge } from './strategic-merge.ts';

export type PatchType = 'json' | 'merge' | 'strategic' | 'apply';

const mediaTypes: Readonly<Record<string, PatchType>> = {
  'application/json-patch+json': 'json',
  'application/merge-patch+json': 'merge',
  'application/strategic-merge-patch+json': 'strategic',
  'application/apply-patch+yaml': 'apply',
};

/** The kind of patch that a Content-Type stands for. @throws ApiFailure 415 */
export function patchTypeOf(contentType: string | undefined, resource: Resource): PatchType {
  const type = mediaTypes[(contentType ?? '').split(';')[0]?.trim() ?? ''];
  const refused = type === undefined || (type === 'strategic' && resource.custom);
  if (refused)
    throw unsupportedMediaType(
      Object.keys(mediaTypes).filter((t) => !resource.custom || !t.includes('strategic')),
    );
  return type;
}

/** The object after a JSON, merge or strategic merge patch. @throws ApiFailure 400, 422 */
export function applyPatch(
  resource: Resource,
  shape: Shape | undefined,
  type: Exclude<PatchType, 'apply'>,
  before: KubernetesObject,
  patch: Json,
): JsonObject {
  const target = before as JsonObject;
  if (type === 'json') {
    if (!isArray(patch))
      throw badRequest('json: cannot unmarshal object into Go value of type jsonpatch.Patch');
    try {
      return asObject(jsonPatch(target, patch));
    } catch (error) {
      if (!(error instanceof PatchRefused)) throw error;
      throw new ApiFailure(
        422,
        'Invalid',
        `the server rejected our request due to an error in our request: ${error.message}`,
        { details: {} },
      );
    }
  }
  if (!isObject(patch))
    throw badRequest('json: cannot unmarshal array into Go value of type map[string]interface {}');
  const named = { ...patch, apiVersion: before.apiVersion, kind: before.kind };
  if (type === 'merge' || shape === undefined || resource.custom)
    return asObject(mergePatch(target, named));
  return asObject(strategicMerge(shape, target, named));
}

type Plan = {
  readonly resource: Resource;
  readonly shape: Shape | undefined;
  readonly before: KubernetesObject | undefined;
  readonly config: JsonObject;
  readonly writer: Writer;
  readonly target: Target;
  readonly force: boolean;
};

/** Server-side apply: the object to store and who owns what in it. @throws ApiFailure 400, 409 */
export function planned(plan: Plan): {
  candidate: JsonObject;
  managedFields: readonly ManagedFieldsEntry[];
} {
  const { resource, before, writer, target } = plan;
  const shape = plan.shape ?? untyped;
  const sent = asObject(plan.config.metadata);
  if (asArray(sent.managedFields).length > 0)
    throw badRequest('metadata.managedFields must be nil');
  if (sent.name !== undefined && sent.name !== target.name)
    throw badRequest(
      `the name of the object (${String(sent.name)}) does not match the name on the ` +
        `URL (${target.name})`,
    );
  const { resourceVersion, uid: _uid, managedFields: _none, ...metadata } = sent;
  if (typeof resourceVersion === 'string' && resourceVersion !== before?.metadata.resourceVersion)
    throw conflict(resource, target.name);
  const config = {
    ...resettable(plan.config, writer.subresource),
    metadata: { ...metadata, name: target.name },
  };
  const live = before as JsonObject | undefined;
  const merged = live === undefined ? config : asObject(applyMerge(shape, live, config));
  const { conflicts, abandoned, managedFields } = planApply(
    shape,
    before,
    merged as unknown as KubernetesObject,
    config,
    writer,
  );
  if (conflicts.length > 0 && !plan.force) throw applyConflict(conflicts);
  return { candidate: removeAbandoned(shape, merged, abandoned), managedFields };
}

function applyConflict(conflicts: readonly { manager: string; field: string }[]): ApiFailure {
  const first = conflicts[0] as { manager: string; field: string };
  const text =
    conflicts.length === 1
      ? `conflict with ${first.manager}: ${first.field}`
      : `conflicts with ${first.manager}:\n${conflicts.map((c) => `- ${c.field}`).join('\n')}`;
  return new ApiFailure(
    409,
    'Conflict',
    `Apply failed with ${conflicts.length} conflict${conflicts.length === 1 ? '' : 's'}: ${text}`,
    {
      details: {
        causes: conflicts.map(({ manager, field }) => ({
          reason: 'FieldManagerConflict',
          message: `conflict with ${manager}`,
          field,
        })),
      },
    },
  );
}
