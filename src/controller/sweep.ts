import { resources } from '../kubernetes/resources.ts';
import { pinAnnotation, pinKey } from '../rollout/snapshot.ts';
import { recordedUids } from '../traffic-providers/route-record.ts';
import { unlessGone } from './outdated.ts';
import type { Parts } from './parts.ts';
import { written } from './write-object.ts';

/**
 * Takes our marks off routes and Services whose Deployment no longer exists. The garbage collector
 * removes what the
 * Deployment owned; these are the user's own objects, which it leaves alone.
 */
export async function sweep(namespace: string, parts: Parts, signal: AbortSignal): Promise<void> {
  const { cluster, effects } = parts;
  const isGone = (uid: string) => cluster.deployments.by('uid', uid).length === 0;
  for (const route of cluster.routes.inNamespace(namespace)) {
    for (const uid of recordedUids(route.raw).filter(isGone)) {
      const patch = effects.providers[route.kind].restore(route.raw, uid);
      const ref = { resource: resources.httpRoutes, namespace, name: route.name };
      const request = effects.client.mergePatch(ref, patch, {}, signal);
      await unlessGone(written(ref, request, effects, signal));
    }
  }
  for (const service of cluster.services.inNamespace(namespace)) {
    const uid = service.annotations[pinAnnotation];
    if (uid === undefined || !isGone(uid)) continue;
    const patch = {
      metadata: { annotations: { [pinAnnotation]: null } },
      spec: { selector: { [pinKey]: null } },
    };
    const ref = { resource: resources.services, namespace, name: service.name };
    const { resourceVersion } = service;
    const request = effects.client.mergePatch(ref, patch, { resourceVersion }, signal);
    await unlessGone(written(ref, request, effects, signal));
  }
}
