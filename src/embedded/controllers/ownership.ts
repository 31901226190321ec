import type { KubernetesObject, OwnerReference, Resource, StringMap } from '../resource.ts';
import { type ControllerContext, managerOptions, targetOf } from './context.ts';
import { asJson, controllerOf } from './objects.ts';

/**
 * The objects that belong to an owner: its own whose labels match. Matching objects of nobody
 * are adopted,
 * its own that match no longer are let go. What somebody else controls is left alone.
 */
export function claim(
  { server }: ControllerContext,
  owner: KubernetesObject,
  resource: Resource,
  candidates: readonly KubernetesObject[],
  matches: (labels: StringMap | undefined) => boolean,
): readonly KubernetesObject[] {
  const dying = owner.metadata.deletionTimestamp !== undefined;
  return candidates.flatMap((object) => {
    const controller = controllerOf(object);
    const match = matches(object.metadata.labels);
    if (controller !== undefined) {
      if (controller.uid !== owner.metadata.uid) return [];
      if (match) return [object];
      if (!dying) release(object);
      return [];
    }
    if (dying || !match || object.metadata.deletionTimestamp !== undefined) return [];
    return [adopt(object)];
  });

  function adopt(object: KubernetesObject): KubernetesObject {
    const { apiVersion, kind, metadata } = owner;
    const reference: OwnerReference = {
      apiVersion,
      kind,
      name: metadata.name,
      uid: metadata.uid,
      controller: true,
      blockOwnerDeletion: true,
    };
    const patch = { metadata: { uid: object.metadata.uid, ownerReferences: [reference] } };
    return server.objects.patch(
      targetOf(resource, object),
      'strategic',
      asJson(patch),
      managerOptions,
    );
  }

  function release(object: KubernetesObject): void {
    const patch = {
      metadata: {
        uid: object.metadata.uid,
        ownerReferences: [{ $patch: 'delete', uid: owner.metadata.uid }],
      },
    };
    server.objects.patch(targetOf(resource, object), 'strategic', asJson(patch), managerOptions);
  }
}

/** A reference that makes `owner` the controller. */
export const controlledBy = ({ apiVersion, kind, metadata }: KubernetesObject): OwnerReference => ({
  apiVersion,
  kind,
  name: metadata.name,
  uid: metadata.uid,
  controller: true,
  blockOwnerDeletion: true,
});
