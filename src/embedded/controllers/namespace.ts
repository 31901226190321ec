import { deleteObject } from '../deletion.ts';
import { asObject } from '../json.ts';
import { type KubernetesObject, storageKey } from '../resource.ts';
import {
  type Controller,
  type ControllerContext,
  managerOptions,
  onChanges,
  targetOf,
} from './context.ts';
import { ControlLoop } from './control-loop.ts';
import { asJson } from './objects.ts';

const recheckMillis = 50;

/** Gives every namespace its default ServiceAccount, and empties those that are being deleted. */
export function startNamespaceController(context: ControllerContext): Controller {
  const { server } = context;
  const namespaces = server.resource('v1', 'namespaces');
  const accounts = server.resource('v1', 'serviceaccounts');
  const sync = (name: string) => {
    const namespace = server.store.read('/namespaces', '', name);
    if (namespace === undefined) return;
    if (namespace.metadata.deletionTimestamp === undefined) {
      if (server.store.read('/serviceaccounts', name, 'default') === undefined)
        server.objects.create(accounts, name, { metadata: { name: 'default' } }, managerOptions);
      return;
    }
    const contents = server.resources
      .filter((r) => r.namespaced && r.storedAs === undefined)
      .flatMap((resource) =>
        server.store.list(storageKey(resource), name).map((object) => targetOf(resource, object)),
      );
    for (const target of contents)
      deleteObject(server.objects, target, { propagation: 'Background' });
    if (contents.length > 0) return loop.enqueue(name, recheckMillis);
    server.objects.store(
      namespaces,
      'DELETED',
      asJson({ ...namespace, spec: { ...asObject(namespace.spec), finalizers: [] } }) as never,
    );
  };
  const loop = new ControlLoop(context, sync);
  const look = ({ metadata: { name, deletionTimestamp } }: KubernetesObject) => {
    const settled =
      deletionTimestamp === undefined &&
      server.store.read('/serviceaccounts', name, 'default') !== undefined;
    if (!settled) loop.enqueue(name);
  };
  const unsubscribe = onChanges(context, {
    '/namespaces': ({ object }) => look(object),
    '/serviceaccounts': ({ object, type }) =>
      type === 'DELETED' && loop.enqueue(object.metadata.namespace ?? ''),
  });
  server.store.list('/namespaces').forEach(look);
  return {
    stop: () => {
      unsubscribe();
      loop.stop();
    },
  };
}
