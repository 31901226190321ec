import { deleteObject } from '../deletion.ts';
import {
  asArray,
  asNumber,
  asObject,
  asString,
  equalJson,
  type Json,
  type JsonObject,
} from '../json.ts';
import type { KubernetesObject, Resource } from '../resource.ts';
import { mapSelectorMatch } from '../selectors.ts';
import {
  type Controller,
  type ControllerContext,
  managerOptions,
  onChanges,
  targetOf,
} from './context.ts';
import { ControlLoop } from './control-loop.ts';
import { asJson, byCreation, isPodReady, keyOf, podPhase, splitKey } from './objects.ts';
import { controlledBy } from './ownership.ts';

/** Endpoints in one slice. */
const sliceLimit = 100;
const serviceLabel = 'kubernetes.io/service-name';
const managedBy = 'endpointslice.kubernetes.io/managed-by';
const self = 'endpointslice-controller.k8s.io';

/** The EndpointSlice controller: the addresses of the pods that a Service selects. */
export class EndpointSliceController implements Controller {
  readonly #context: ControllerContext;
  readonly #slices: Resource;
  readonly #loop: ControlLoop;
  readonly #unsubscribe: () => void;

  constructor(context: ControllerContext) {
    this.#context = context;
    this.#slices = context.server.resource('discovery.k8s.io/v1', 'endpointslices');
    this.#loop = new ControlLoop(context, (key) => this.#sync(key));
    this.#unsubscribe = onChanges(context, {
      '/services': ({ object, previous, type }) => {
        if (type !== 'DELETED' && object.spec !== previous?.spec) this.#loop.enqueue(keyOf(object));
      },
      '/pods': ({ object, previous, type }) => {
        const listed =
          type === 'MODIFIED' && previous !== undefined
            ? isListedOtherwise(previous, object)
            : hasEndpoint(object);
        if (listed) this.#onPod(object, previous);
      },
      'discovery.k8s.io/endpointslices': ({ object }) => {
        const { namespace = '', labels } = object.metadata;
        const service = labels?.[serviceLabel];
        if (service === undefined || labels?.[managedBy] !== self) return;
        // The slices of a Service that is gone go with it.
        if (context.server.store.read('/services', namespace, service) !== undefined)
          this.#loop.enqueue(`${namespace}/${service}`);
      },
    });
  }

  stop(): void {
    this.#unsubscribe();
    this.#loop.stop();
  }

  #onPod(pod: KubernetesObject, previous: KubernetesObject | undefined): void {
    for (const service of this.#context.server.store.list('/services', pod.metadata.namespace)) {
      const matches = mapSelectorMatch(asObject(service.spec).selector);
      if (
        matches(pod.metadata.labels) ||
        (previous !== undefined && matches(previous.metadata.labels))
      )
        this.#loop.enqueue(keyOf(service));
    }
  }

  #sync(key: string): void {
    const { store, objects } = this.#context.server;
    const { namespace, name } = splitKey(key);
    const service = store.read('/services', namespace, name);
    if (service === undefined || service.metadata.deletionTimestamp !== undefined) return;
    const spec = asObject(service.spec);
    if (spec.selector === undefined || spec.type === 'ExternalName') return;
    const matches = mapSelectorMatch(spec.selector);
    const pods = store
      .list('/pods', namespace)
      .filter((pod) => matches(pod.metadata.labels) && hasEndpoint(pod))
      .sort(byCreation);
    const slices = store
      .list('discovery.k8s.io/endpointslices', namespace)
      .filter(
        (slice) =>
          slice.metadata.labels?.[serviceLabel] === name &&
          slice.metadata.labels[managedBy] === self &&
          slice.metadata.deletionTimestamp === undefined,
      );
    const groups = assign(pods, slices, spec.publishNotReadyAddresses === true);
    this.#loop.settle(() =>
      groups.forEach((endpoints, i) => {
        const slice = slices[i];
        const ports = portsOf(service, pods[0]);
        if (slice === undefined) this.#create(service, endpoints, ports);
        else if (endpoints.length === 0 && i > 0)
          deleteObject(objects, targetOf(this.#slices, slice), {});
        else this.#update(slice, endpoints, ports);
      }),
    );
  }

  #create(
    service: KubernetesObject,
    endpoints: readonly JsonObject[],
    ports: readonly JsonObject[],
  ): void {
    const { name, namespace = '', labels } = service.metadata;
    const headless =
      asObject(service.spec).clusterIP === 'None' ? { 'service.kubernetes.io/headless': '' } : {};
    this.#context.server.objects.create(
      this.#slices,
      namespace,
      asJson({
        metadata: {
          generateName: `${name}-`,
          labels: { ...labels, ...headless, [managedBy]: self, [serviceLabel]: name },
          ownerReferences: [controlledBy(service)],
        },
        addressType: 'IPv4',
        endpoints,
        ports,
      }),
      managerOptions,
    );
  }

  #update(
    slice: KubernetesObject,
    endpoints: readonly JsonObject[],
    ports: readonly JsonObject[],
  ): void {
    const stored = asJson(slice);
    if (equalJson(asArray(stored.endpoints), endpoints) && equalJson(asArray(stored.ports), ports))
      return;
    this.#context.server.objects.update(
      targetOf(this.#slices, slice),
      { ...stored, endpoints, ports },
      managerOptions,
    );
  }
}

const hasEndpoint = (pod: KubernetesObject): boolean =>
  asString(asObject(pod.status).podIP) !== '' &&
  podPhase(pod) !== 'Failed' &&
  podPhase(pod) !== 'Succeeded';

function endpointOf(pod: KubernetesObject, publishAll: boolean): JsonObject {
  const terminating = pod.metadata.deletionTimestamp !== undefined;
  const serving = publishAll || isPodReady(pod);
  return {
    addresses: [asString(asObject(pod.status).podIP)],
    conditions: { ready: publishAll || (serving && !terminating), serving, terminating },
    nodeName: asObject(pod.spec).nodeName,
    targetRef: {
      kind: 'Pod',
      name: pod.metadata.name,
      namespace: pod.metadata.namespace,
      uid: pod.metadata.uid,
    },
  };
}

/** Whether slices say something else of a pod, or other Services may select it. */
const isListedOtherwise = (before: KubernetesObject, after: KubernetesObject): boolean =>
  hasEndpoint(before) !== hasEndpoint(after) ||
  (hasEndpoint(after) &&
    (before.metadata.labels !== after.metadata.labels ||
      !equalJson(endpointOf(before, false), endpointOf(after, false))));

const uidOf = (endpoint: Json): string => asString(asObject(asObject(endpoint).targetRef).uid);

/**
 * Endpoints slice by slice: those already somewhere stay there, new ones fill free places, then
 * new slices.
 */
function assign(
  pods: readonly KubernetesObject[],
  slices: readonly KubernetesObject[],
  publishAll: boolean,
): readonly (readonly JsonObject[])[] {
  const wanted = new Map(pods.map((pod) => [pod.metadata.uid, endpointOf(pod, publishAll)]));
  const groups: JsonObject[][] = slices.map((slice) =>
    asArray(asJson(slice).endpoints).flatMap((endpoint) => {
      const kept = wanted.get(uidOf(endpoint));
      wanted.delete(uidOf(endpoint));
      return kept === undefined ? [] : [kept];
    }),
  );
  for (const endpoint of wanted.values()) {
    let group = groups.find((candidate) => candidate.length < sliceLimit);
    if (group === undefined) groups.push((group = []));
    group.push(endpoint);
  }
  return groups.length === 0 ? [[]] : groups;
}

function portsOf(
  service: KubernetesObject,
  pod: KubernetesObject | undefined,
): readonly JsonObject[] {
  return asArray(asObject(service.spec).ports)
    .map(asObject)
    .flatMap((port) => {
      const number = targetPort(port, pod);
      if (number === undefined) return [];
      const appProtocol = port.appProtocol === undefined ? {} : { appProtocol: port.appProtocol };
      return [
        {
          name: asString(port.name),
          port: number,
          protocol: asString(port.protocol),
          ...appProtocol,
        },
      ];
    });
}

/** A named target port is looked up in the pod's containers. */
function targetPort(port: JsonObject, pod: KubernetesObject | undefined): number | undefined {
  if (typeof port.targetPort !== 'string') return asNumber(port.targetPort, asNumber(port.port));
  const ports = asArray(asObject(pod?.spec).containers)
    .flatMap((container) => asArray(asObject(container).ports))
    .map(asObject);
  const named = ports.find((candidate) => candidate.name === port.targetPort);
  return named === undefined ? undefined : asNumber(named.containerPort);
}
