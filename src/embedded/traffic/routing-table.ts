import type { Clock } from '../../lib/clock.ts';
import { millis } from '../../lib/units.ts';
import type { ApiServer } from '../api-server.ts';
import { asArray, asNumber, asObject, asString, type JsonObject } from '../json.ts';
import { shortHash } from '../naming.ts';
import type { KubernetesObject } from '../resource.ts';

export type Endpoint = { readonly ip: string; readonly port: number; readonly pod: string };

export type Backend = {
  /** The `service` label of the gateway's metrics; the position in the rule is part of it. */
  readonly label: string;
  readonly namespace: string;
  readonly service: string;
  readonly weight: number;
  /** A backend that cannot be resolved answers 500 for its share. */
  readonly exists: boolean;
  readonly endpoints: readonly Endpoint[];
};

export type RouteRule = {
  readonly namespace: string;
  readonly route: string;
  readonly hostnames: readonly string[];
  readonly prefixes: readonly string[];
  readonly backends: readonly Backend[];
};

export type RoutingTableParts = {
  readonly server: ApiServer;
  readonly clock: Clock;
  /** From a change in the cluster to the data plane acting on it. */
  readonly propagationMillis: number;
};

const group = 'gateway.networking.k8s.io';
const watched = new Set([
  `${group}/httproutes`,
  `${group}/gateways`,
  '/services',
  'discovery.k8s.io/endpointslices',
]);

/**
 * What the data plane believes: a picture of routes and endpoints that lags behind the API
 * server.
 */
export class RoutingTable {
  readonly #parts: RoutingTableParts;
  readonly #unsubscribe: () => void;
  #rules: readonly RouteRule[] = [];
  #planned: (() => void) | undefined;

  constructor(parts: RoutingTableParts) {
    this.#parts = parts;
    this.#unsubscribe = parts.server.store.onCommit(({ key }) => {
      if (watched.has(key)) this.#plan();
    });
    this.#rules = buildRules(parts.server);
  }

  get rules(): readonly RouteRule[] {
    return this.#rules;
  }

  /** The first rule for a host and path; the longest prefix wins. */
  find(host: string, path: string): RouteRule | undefined {
    return this.#rules
      .filter((rule) => rule.hostnames.length === 0 || rule.hostnames.includes(host))
      .flatMap((rule) =>
        rule.prefixes
          .filter((prefix) => path === prefix || path.startsWith(withSlash(prefix)))
          .map((prefix) => ({ rule, length: prefix.length })),
      )
      .sort((a, b) => b.length - a.length)[0]?.rule;
  }

  stop(): void {
    this.#unsubscribe();
    this.#planned?.();
  }

  /** Changes that come together take effect together. */
  #plan(): void {
    if (this.#planned !== undefined) return;
    const { clock, server, propagationMillis } = this.#parts;
    this.#planned = clock.after(millis(propagationMillis), () => {
      this.#planned = undefined;
      this.#rules = buildRules(server);
    });
  }
}

const withSlash = (prefix: string) => (prefix.endsWith('/') ? prefix : `${prefix}/`);

function buildRules(server: ApiServer): readonly RouteRule[] {
  return server.store
    .list(`${group}/httproutes`)
    .flatMap((route) =>
      asArray(asObject(route.spec).rules).map((rule, index) =>
        buildRule(server, route, asObject(rule), index),
      ),
    );
}

function buildRule(
  server: ApiServer,
  route: KubernetesObject,
  rule: JsonObject,
  index: number,
): RouteRule {
  const { namespace = '', name, uid } = route.metadata;
  const spec = asObject(route.spec);
  const parent = asObject(asArray(spec.parentRefs)[0]);
  const gateway = `${asString(parent.namespace) || namespace}-${asString(parent.name)}`;
  const prefix =
    `httproute-${namespace}-${name}-gw-${gateway}-ep-web-${index}-` + hexHash(`${uid}/${index}`);
  const backends = asArray(rule.backendRefs).map((ref, position) =>
    buildBackend(
      server,
      asObject(ref),
      namespace,
      (target) => `${prefix}-svc-${target}-${position}`,
    ),
  );
  const matches = asArray(rule.matches).map((match) => asObject(asObject(match).path));
  return {
    namespace,
    route: name,
    hostnames: asArray(spec.hostnames).map(asString),
    prefixes: matches.length === 0 ? ['/'] : matches.map((path) => asString(path.value) || '/'),
    backends,
  };
}

/** 20 hexadecimal digits that stay the same for one rule of one route. */
function hexHash(text: string): string {
  let hex = '';
  for (let part = 0; hex.length < 20; part += 1) {
    const digits = shortHash(`${text}#${part}`);
    for (const char of digits) hex += (char.charCodeAt(0) & 15).toString(16);
  }
  return hex.slice(0, 20);
}

function buildBackend(
  server: ApiServer,
  ref: JsonObject,
  ownNamespace: string,
  labelOf: (target: string) => string,
): Backend {
  const namespace = asString(ref.namespace) || ownNamespace;
  const service = asString(ref.name);
  const found = server.store.read('/services', namespace, service);
  const exists =
    found !== undefined &&
    asArray(asObject(found.spec).ports).some((port) => asObject(port).port === ref.port);
  return {
    label: `${labelOf(`${namespace}-${service}`)}@kubernetesgateway`,
    namespace,
    service,
    weight: asNumber(ref.weight, 1),
    exists,
    endpoints: exists ? readyEndpoints(server, namespace, service) : [],
  };
}

function readyEndpoints(server: ApiServer, namespace: string, service: string): Endpoint[] {
  return server.store
    .list('discovery.k8s.io/endpointslices', namespace)
    .filter((slice) => slice.metadata.labels?.['kubernetes.io/service-name'] === service)
    .flatMap((slice) => {
      const stored = slice as JsonObject;
      const port = asNumber(asObject(asArray(stored.ports)[0]).port);
      return asArray(stored.endpoints)
        .map(asObject)
        .filter((endpoint) => asObject(endpoint.conditions).ready === true)
        .map((endpoint) => ({
          ip: asString(asArray(endpoint.addresses)[0]),
          port,
          pod: asString(asObject(endpoint.targetRef).name),
        }));
    });
}
