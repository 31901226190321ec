import type { KubernetesTransport } from '../kubernetes/transport.ts';
import type { Clock } from '../lib/clock.ts';
import type { Random } from '../lib/random.ts';
import { ApiServer } from './api-server.ts';
import { administrator } from './authorization.ts';
import { bootstrap } from './bootstrap.ts';
import { type AutoscalerOptions, startAutoscaler } from './controllers/autoscaler.ts';
import type { Controller, ControllerContext } from './controllers/context.ts';
import { DeploymentController } from './controllers/deployment.ts';
import { EndpointSliceController } from './controllers/endpoint-slice.ts';
import { createEventRecorder, silentRecorder } from './controllers/event-recorder.ts';
import { GarbageCollector } from './controllers/garbage-collector.ts';
import { GatewayController, type RouteRefusal } from './controllers/gateway.ts';
import { Kubelet, type PodRuntime } from './controllers/kubelet.ts';
import { startNamespaceController } from './controllers/namespace.ts';
import { ReplicaSetController } from './controllers/replica-set.ts';
import { createInProcessTransport, type InProcessParts } from './in-process-transport.ts';
import type { JsonObject } from './json.ts';
import { type KubernetesObject, storageKey } from './resource.ts';
import { sharingTimers } from './shared-timers.ts';
import type { StoreImage } from './store.ts';

export type EmbeddedClusterOptions = {
  readonly clock: Clock;
  readonly random: Random;
  /** From an event to the pass of a controller that sees it; 5 if absent. */
  readonly controllerDelayMillis?: number;
  /** From a change of a route to its new status; 20 if absent. */
  readonly gatewayDelayMillis?: number;
  /** A gateway that takes no route for a while. */
  readonly routeRefusal?: RouteRefusal;
  /** Events of the controllers (not those of clients); on if absent. */
  readonly events?: boolean;
  readonly historyLimit?: number;
  /** Of another cluster: this one goes on from there, as after a restart of all but the pods. */
  readonly image?: StoreImage;
  readonly runtime?: PodRuntime;
  readonly autoscaler?: AutoscalerOptions;
};

export type EmbeddedCluster = {
  readonly server: ApiServer;
  readonly kubelet: Kubelet;
  /** A client of its own, with its own lag and faults; the administrator unless told. */
  transport(options?: Omit<InProcessParts, 'server' | 'clock'>): KubernetesTransport;
  /**
   * Creates or replaces an object as the administrator: for setting up a scene. @throws
   * ApiFailure
   */
  apply(object: JsonObject): KubernetesObject;
  /** An object by `apps/v1`, `deployments`, namespace and name. */
  find(
    groupVersion: string,
    plural: string,
    namespace: string,
    name: string,
  ): KubernetesObject | undefined;
  list(groupVersion: string, plural: string, namespace?: string): readonly KubernetesObject[];
  stop(): void;
};

/**
 * A Kubernetes cluster in this process: API server, controllers and one node, driven by the given
 * clock alone.
 */
export function createEmbeddedCluster(options: EmbeddedClusterOptions): EmbeddedCluster {
  const { random, historyLimit, image } = options;
  const clock = sharingTimers(options.clock);
  const server = new ApiServer({
    clock,
    random,
    ...(historyLimit === undefined ? {} : { historyLimit }),
    ...(image === undefined ? {} : { image }),
  });
  const context: ControllerContext = {
    server,
    clock,
    random,
    delayMillis: options.controllerDelayMillis ?? 5,
    events: options.events === false ? silentRecorder : createEventRecorder(server),
  };
  if (image === undefined) bootstrap(server);
  const kubelet = new Kubelet(context, options.runtime);
  const controllers: Controller[] = [
    kubelet,
    new DeploymentController(context),
    new ReplicaSetController(context),
    new EndpointSliceController(context),
    new GarbageCollector(context),
    startNamespaceController(context),
    new GatewayController(context, options.gatewayDelayMillis ?? 20, options.routeRefusal),
  ];
  if (options.autoscaler !== undefined)
    controllers.push(startAutoscaler(context, options.autoscaler));
  if (image !== undefined) server.store.announce();
  return {
    server,
    kubelet,
    transport: (own = {}) => createInProcessTransport({ server, clock, ...own }),
    apply: (object) => apply(server, object),
    find: (groupVersion, plural, namespace, name) =>
      server.store.read(storageKey(server.resource(groupVersion, plural)), namespace, name),
    list: (groupVersion, plural, namespace) =>
      server.store.list(storageKey(server.resource(groupVersion, plural)), namespace),
    stop: () => {
      for (const controller of controllers) controller.stop();
      server.watches.endAll();
    },
  };
}

function apply(server: ApiServer, object: JsonObject): KubernetesObject {
  const { apiVersion, kind, metadata } = object as unknown as KubernetesObject;
  const resource = server.resources.find(
    (r) =>
      r.kind === kind && (r.group === '' ? r.version : `${r.group}/${r.version}`) === apiVersion,
  );
  if (resource === undefined)
    throw new Error(`the embedded cluster does not know ${apiVersion} ${kind}`);
  const namespace = resource.namespaced ? (metadata.namespace ?? 'default') : '';
  const target = { resource, namespace, name: metadata.name };
  const options = { manager: administrator.name };
  const current = server.objects.find(target);
  if (current === undefined) return server.objects.create(resource, namespace, object, options);
  const { resourceVersion } = current.metadata;
  return server.objects.update(
    target,
    { ...object, metadata: { ...metadata, resourceVersion } },
    options,
  );
}
