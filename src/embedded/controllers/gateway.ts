import { asArray, asObject, asString, equalJson, type JsonObject } from '../json.ts';
import type { KubernetesObject, Resource } from '../resource.ts';
import {
  type Controller,
  type ControllerContext,
  isMoreThanStatus,
  onChanges,
  targetOf,
} from './context.ts';
import { ControlLoop } from './control-loop.ts';
import { asJson, keyOf, splitKey } from './objects.ts';

/** `controllerName` of the GatewayClasses that this gateway serves. */
export const gatewayController = 'haldane.dev/embedded-gateway';
const group = 'gateway.networking.k8s.io';
const manager = 'embedded-gateway';
const keys = {
  classes: `${group}/gatewayclasses`,
  gateways: `${group}/gateways`,
  routes: `${group}/httproutes`,
  grants: `${group}/referencegrants`,
};

type Condition = {
  readonly type: string;
  readonly status: 'True' | 'False';
  readonly reason: string;
  readonly message: string;
};

/** What a gateway does not take of a route, whatever it says; undefined: as its rules are. */
export type RouteRefusal = () => 'Accepted' | 'ResolvedRefs' | undefined;

/**
 * Writes the status of GatewayClasses, Gateways and HTTPRoutes, as a gateway's control plane
 * does.
 */
export class GatewayController implements Controller {
  readonly #context: ControllerContext;
  readonly #refusal: RouteRefusal;
  readonly #resources: {
    readonly classes: Resource;
    readonly gateways: Resource;
    readonly routes: Resource;
  };
  readonly #loop: ControlLoop;
  readonly #unsubscribe: () => void;

  constructor(context: ControllerContext, statusDelayMillis: number, refusal?: RouteRefusal) {
    this.#context = context;
    this.#refusal = refusal ?? (() => undefined);
    const named = (plural: string) => context.server.resource(`${group}/v1`, plural);
    this.#resources = {
      classes: named('gatewayclasses'),
      gateways: named('gateways'),
      routes: named('httproutes'),
    };
    const timing = { clock: context.clock, delayMillis: statusDelayMillis };
    this.#loop = new ControlLoop(timing, (place) => this.#sync(place));
    const wakeRoutes = (wanted: (route: KubernetesObject) => boolean = () => true) => {
      for (const route of context.server.store.list(keys.routes))
        if (wanted(route)) this.#loop.enqueue(`route ${keyOf(route)}`);
    };
    this.#unsubscribe = onChanges(context, {
      [keys.classes]: (change) => {
        this.#loop.enqueue(`class ${keyOf(change.object)}`);
        if (!isMoreThanStatus(change)) return;
        for (const gateway of context.server.store.list(keys.gateways))
          this.#loop.enqueue(`gateway ${keyOf(gateway)}`);
      },
      [keys.gateways]: (change) => {
        this.#loop.enqueue(`gateway ${keyOf(change.object)}`);
        if (isMoreThanStatus(change)) wakeRoutes();
      },
      [keys.routes]: ({ object, previous }) => {
        if (object.spec !== previous?.spec || object.status !== previous?.status)
          this.#loop.enqueue(`route ${keyOf(object)}`);
      },
      [keys.grants]: () => wakeRoutes(),
      '/services': ({ type, object }) =>
        type !== 'MODIFIED' && wakeRoutes((route) => leadsTo(route, object)),
    });
  }

  stop(): void {
    this.#unsubscribe();
    this.#loop.stop();
  }

  #sync(place: string): void {
    const [what = '', path = ''] = place.split(' ');
    const { namespace, name } = splitKey(path);
    const { store } = this.#context.server;
    const key = what === 'class' ? keys.classes : what === 'gateway' ? keys.gateways : keys.routes;
    const object = store.read(key, namespace, name);
    if (object === undefined || object.metadata.deletionTimestamp !== undefined) return;
    if (what === 'class') this.#syncClass(object);
    else if (what === 'gateway') this.#syncGateway(object);
    else this.#syncRoute(object);
  }

  #syncClass(object: KubernetesObject): void {
    if (asObject(object.spec).controllerName !== gatewayController) return;
    this.#write(this.#resources.classes, object, {
      conditions: this.#conditions(object, asObject(object.status), [
        {
          type: 'Accepted',
          status: 'True',
          reason: 'Accepted',
          message: 'Handled by the embedded gateway',
        },
      ]),
    });
  }

  #serves(gateway: KubernetesObject): boolean {
    const found = this.#context.server.store.read(
      keys.classes,
      '',
      asString(asObject(gateway.spec).gatewayClassName),
    );
    return found !== undefined && asObject(found.spec).controllerName === gatewayController;
  }

  #syncGateway(gateway: KubernetesObject): void {
    if (!this.#serves(gateway)) return;
    const old = asObject(gateway.status);
    const ready: readonly Condition[] = [
      {
        type: 'Accepted',
        status: 'True',
        reason: 'Accepted',
        message: 'Gateway successfully scheduled',
      },
      {
        type: 'Programmed',
        status: 'True',
        reason: 'Programmed',
        message: 'Gateway successfully scheduled',
      },
    ];
    const listeners = asArray(asObject(gateway.spec).listeners)
      .map(asObject)
      .map((listener) => {
        const before =
          asArray(old.listeners)
            .map(asObject)
            .find((l) => l.name === listener.name) ?? {};
        return {
          name: listener.name,
          attachedRoutes: this.#attachedRoutes(gateway),
          supportedKinds: [{ group, kind: 'HTTPRoute' }],
          conditions: this.#conditions(gateway, before, [
            ...ready,
            {
              type: 'ResolvedRefs',
              status: 'True',
              reason: 'ResolvedRefs',
              message: 'All references are resolved',
            },
          ]),
        };
      });
    this.#write(this.#resources.gateways, gateway, {
      addresses: [{ type: 'IPAddress', value: '10.244.255.10' }],
      conditions: this.#conditions(gateway, old, ready),
      listeners,
    });
  }

  #attachedRoutes(gateway: KubernetesObject): number {
    return this.#context.server.store
      .list(keys.routes)
      .filter((route) =>
        asArray(asObject(route.spec).parentRefs).some(
          (ref) => this.#gatewayOf(route, asObject(ref)) === gateway,
        ),
      ).length;
  }

  #gatewayOf(route: KubernetesObject, ref: JsonObject): KubernetesObject | undefined {
    if (ref.kind !== 'Gateway' || ref.group !== group) return undefined;
    return this.#context.server.store.read(
      keys.gateways,
      asString(ref.namespace) || (route.metadata.namespace ?? ''),
      asString(ref.name),
    );
  }

  #syncRoute(route: KubernetesObject): void {
    const old = asArray(asObject(route.status).parents).map(asObject);
    const refused = this.#refusal();
    const foreign = old.filter((parent) => parent.controllerName !== gatewayController);
    const own = asArray(asObject(route.spec).parentRefs)
      .map(asObject)
      .flatMap((ref) => {
        const gateway = this.#gatewayOf(route, ref);
        if (gateway === undefined || !this.#serves(gateway)) return [];
        const before =
          old.find(
            (parent) =>
              parent.controllerName === gatewayController && equalJson(parent.parentRef, ref),
          ) ?? {};
        return [
          {
            parentRef: ref,
            controllerName: gatewayController,
            conditions: this.#conditions(
              route,
              before,
              [acceptance(gateway, ref), this.#resolution(route)].map((condition) =>
                condition.type === refused ? refusedFor(condition) : condition,
              ),
            ),
          },
        ];
      });
    if (own.length + foreign.length === 0 && old.length === 0) return;
    this.#write(this.#resources.routes, route, { parents: [...foreign, ...own] });
  }

  /** Whether every backend exists and may be used. */
  #resolution(route: KubernetesObject): Condition {
    const { namespace = '' } = route.metadata;
    const refused = (reason: string, message: string): Condition => ({
      type: 'ResolvedRefs',
      status: 'False',
      reason,
      message,
    });
    for (const rule of asArray(asObject(route.spec).rules).map(asObject)) {
      for (const ref of asArray(rule.backendRefs).map(asObject)) {
        const name = asString(ref.name);
        const where = asString(ref.namespace) || namespace;
        if (ref.kind !== 'Service' || ref.group !== '')
          return refused('InvalidKind', `Cannot use a ${asString(ref.kind)} as a backend`);
        if (where !== namespace && !this.#granted(namespace, where, name))
          return refused(
            'RefNotPermitted',
            `Cannot use Service ${where}/${name}: missing ReferenceGrant`,
          );
        const service = this.#context.server.store.read('/services', where, name);
        if (service === undefined)
          return refused('BackendNotFound', `Cannot find Service ${where}/${name}`);
        if (!asArray(asObject(service.spec).ports).some((port) => asObject(port).port === ref.port))
          return refused(
            'BackendNotFound',
            `Service ${where}/${name} has no port ${String(ref.port)}`,
          );
      }
    }
    return {
      type: 'ResolvedRefs',
      status: 'True',
      reason: 'ResolvedRefs',
      message: 'All references are resolved',
    };
  }

  #granted(from: string, to: string, service: string): boolean {
    return this.#context.server.store
      .list(keys.grants, to)
      .map((grant) => asObject(grant.spec))
      .some(
        (spec) =>
          asArray(spec.from)
            .map(asObject)
            .some((f) => f.kind === 'HTTPRoute' && f.group === group && f.namespace === from) &&
          asArray(spec.to)
            .map(asObject)
            .some((t) => t.kind === 'Service' && (t.name === undefined || t.name === service)),
      );
  }

  #conditions(
    object: KubernetesObject,
    before: JsonObject,
    wanted: readonly Condition[],
  ): readonly JsonObject[] {
    const now = this.#context.server.objects.now();
    return wanted.map((condition) => {
      const old = asArray(before.conditions)
        .map(asObject)
        .find((c) => c.type === condition.type);
      const lastTransitionTime =
        old?.status === condition.status ? asString(old.lastTransitionTime) : now;
      return {
        ...condition,
        observedGeneration: object.metadata.generation ?? 0,
        lastTransitionTime,
      };
    });
  }

  #write(resource: Resource, object: KubernetesObject, status: JsonObject): void {
    if (equalJson(object.status, status)) return;
    const target = targetOf(resource, object, 'status');
    const { objects } = this.#context.server;
    this.#loop.settle(() => objects.update(target, { ...asJson(object), status }, { manager }));
  }
}

/** Whether a Service is one of the backends that a route names. */
function leadsTo(route: KubernetesObject, { metadata }: KubernetesObject): boolean {
  const home = route.metadata.namespace ?? '';
  return asArray(asObject(route.spec).rules)
    .flatMap((rule) => asArray(asObject(rule).backendRefs).map(asObject))
    .some(
      (ref) =>
        ref.name === metadata.name && (asString(ref.namespace) || home) === metadata.namespace,
    );
}

const refusedFor = (condition: Condition): Condition => ({
  ...condition,
  status: 'False',
  reason: 'Pending',
  message: 'The gateway does not take the route',
});

function acceptance(gateway: KubernetesObject, ref: JsonObject): Condition {
  const listeners = asArray(asObject(gateway.spec).listeners).map(asObject);
  const section = ref.sectionName;
  const attached = listeners.some(
    (listener) =>
      (section === undefined || listener.name === section) &&
      (ref.port === undefined || listener.port === ref.port),
  );
  return attached
    ? { type: 'Accepted', status: 'True', reason: 'Accepted', message: 'Route is accepted' }
    : {
        type: 'Accepted',
        status: 'False',
        reason: 'NoMatchingParent',
        message: 'No listener matches the parent reference',
      };
}
