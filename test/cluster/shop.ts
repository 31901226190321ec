import { request } from 'undici';
import { type KubernetesObject, waitUntil } from './api.ts';
import type { Cluster } from './cluster.ts';
import { endpoints } from './components.ts';
import { gatewayClass } from './gateway.ts';
import type { Pod } from './kubelet/pod-object.ts';
import { namespaced } from './resources.ts';

export interface ShopOptions {
  /** Name of the Deployment, the Service and the HTTPRoute; `web` unless told. */
  readonly name?: string;
  /** 3 unless told. */
  readonly replicas?: number;
  /** The tag is the version the pods answer with; `shop/web:v1` unless told. */
  readonly image?: string;
  /** Behaviour of the pods: see `kubelet/behaviour.ts`. */
  readonly env?: Readonly<Record<string, string>>;
  /** Annotations of the Deployment. */
  readonly annotations?: Readonly<Record<string, string>>;
  /** Annotations of its pods; `prometheus.io/scrape: "true"` is there unless overridden. */
  readonly podAnnotations?: Readonly<Record<string, string>>;
  /** Merged over the Deployment's spec (not deeply). */
  readonly spec?: Readonly<Record<string, unknown>>;
  /** Whether to wait until requests through the gateway are answered by pods; true unless told. */
  readonly wait?: boolean;
}

export interface BackendRef {
  readonly name: string;
  readonly port: number;
  readonly weight?: number;
}

export interface HttpRoute extends KubernetesObject {
  readonly spec: {
    readonly hostnames?: readonly string[];
    readonly rules: readonly {
      readonly backendRefs: readonly BackendRef[];
      readonly filters?: readonly unknown[];
      readonly matches?: readonly unknown[];
    }[];
  };
}

export interface Deployment extends KubernetesObject {
  readonly spec: {
    readonly replicas: number;
    readonly paused?: boolean;
    readonly progressDeadlineSeconds?: number;
    readonly selector: { readonly matchLabels?: Readonly<Record<string, string>> };
    readonly template: {
      readonly metadata: { readonly annotations?: Readonly<Record<string, string>> };
      readonly spec: Pod['spec'];
    };
  };
  readonly status?: {
    readonly observedGeneration?: number;
    readonly replicas?: number;
    readonly updatedReplicas?: number;
    readonly availableReplicas?: number;
    readonly conditions?: readonly {
      readonly type: string;
      readonly status: string;
      readonly reason?: string;
      readonly message?: string;
    }[];
  };
}

/** One answer through the gateway. */
export interface Visit {
  readonly status: number;
  readonly version: string;
  readonly pod: string;
}

/**
 * An ordinary application: Deployment, Service, Gateway and HTTPRoute in a namespace of its own.
 */
export interface Shop {
  readonly namespace: string;
  readonly name: string;
  /** Host header that leads to it. */
  readonly host: string;
  readonly paths: {
    readonly deployment: string;
    readonly service: string;
    readonly route: string;
  };
  deployment(): Promise<Deployment>;
  route(): Promise<HttpRoute>;
  /** Pods with the shop's label, those that are ending included. */
  pods(): Promise<readonly Pod[]>;
  /** Weight of each backend of the route's first rule. */
  weights(): Promise<Readonly<Record<string, number>>>;
  visit(): Promise<Visit>;
  /** Changes the template: the image, and the environment (replaced as a whole when given). */
  release(image: string, env?: Readonly<Record<string, string>>): Promise<void>;
  /** Changes living pods' behaviour at once, e.g. `{ 'error-rate': '1' }`; '' takes it back. */
  behave(pods: readonly Pod[], behaviour: Readonly<Record<string, string>>): Promise<void>;
  /** Adds or (with null) removes annotations of the Deployment. */
  annotate(annotations: Readonly<Record<string, string | null>>): Promise<void>;
  /**
   * Deletes the namespace; what is in it goes in the next ten seconds. With `true`, waits for that.
   */
  remove(wait?: boolean): Promise<void>;
}

/** Makes a shop and waits until its pods answer through the gateway. */
export async function applyShop(
  cluster: Cluster,
  namespace: string,
  options: ShopOptions = {},
): Promise<Shop> {
  const shop = openShop(cluster, namespace, options.name);
  for (const object of shopObjects(namespace, options)) {
    await cluster.apply(JSON.stringify(object));
  }
  if (options.wait ?? true) await untilServing(shop, options.replicas ?? 3);
  return shop;
}

/** A shop that exists already. */
export function openShop({ api }: Cluster, namespace: string, name = 'web'): Shop {
  const paths = {
    deployment: namespaced('deployments', namespace, name),
    service: namespaced('services', namespace, name),
    route: namespaced('httproutes', namespace, name),
  };
  const host = shopHost(namespace, name);
  const route = () => api.get<HttpRoute>(paths.route);
  return {
    namespace,
    name,
    host,
    paths,
    route,
    deployment: () => api.get<Deployment>(paths.deployment),
    pods: () => api.list<Pod>(`${namespaced('pods', namespace)}?labelSelector=app%3D${name}`),
    weights: async () => {
      const refs = (await route()).spec.rules[0]?.backendRefs ?? [];
      return Object.fromEntries(refs.map(({ name, weight = 1 }) => [name, weight]));
    },
    visit: () => visit(host),
    release: async (image, env) => {
      const container = {
        name: 'web',
        image,
        ...(env === undefined ? {} : environment(env, true)),
      };
      const template = { spec: { containers: [container] } };
      await api.patch(paths.deployment, 'strategic', { spec: { template } });
    },
    behave: async (pods, behaviour) => {
      const annotations = Object.fromEntries(
        Object.entries(behaviour).map(([key, value]) => [
          `sim.test/${key}`,
          value === '' ? null : value,
        ]),
      );
      for (const pod of pods) {
        const path = namespaced('pods', namespace, pod.metadata.name);
        await api.patch(path, 'merge', { metadata: { annotations } });
      }
    },
    annotate: async (annotations) => {
      await api.patch(paths.deployment, 'merge', { metadata: { annotations } });
    },
    remove: async (wait = false) => {
      const path = `/api/v1/namespaces/${namespace}`;
      await api.remove(path);
      if (wait) await api.until(path, (seen) => seen === undefined, { timeout: 60_000 });
    },
  };
}

/** The Host under which a shop is reached. */
export function shopHost(namespace: string, name = 'web'): string {
  return `${name}.${namespace}.test`;
}

async function visit(host: string): Promise<Visit> {
  const { statusCode, headers, body } = await request(`http://${endpoints.gateway}/`, {
    headers: { host },
  });
  await body.dump();
  return {
    status: statusCode,
    version: String(headers['x-version'] ?? ''),
    pod: String(headers['x-pod'] ?? ''),
  };
}

async function untilServing(shop: Shop, replicas: number): Promise<void> {
  let last: unknown;
  // Every pod must have answered: a shop with half its endpoints is not the same start for every
  // case.
  const seen = new Set<string>();
  await waitUntil(
    async () => {
      for (let i = 0; i < replicas; i += 1) {
        const answer = await shop.visit();
        last = answer;
        if (answer.pod === '') return false;
        seen.add(answer.pod);
      }
      return seen.size >= replicas;
    },
    { what: () => `traffic to ${shop.host}; last ${JSON.stringify(last)}`, timeout: 60_000 },
  );
}

function environment(env: Readonly<Record<string, string>>, replace = false) {
  const entries = Object.entries(env).map(([name, value]) => ({ name, value }));
  return { env: replace ? [...entries, { $patch: 'replace' }] : entries };
}

/** The Deployment of a shop, to be written to a file or changed by a case. */
export function shopDeployment(namespace: string, options: ShopOptions = {}) {
  const { name = 'web', replicas = 3, image = 'shop/web:v1', env = {} } = options;
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace, annotations: options.annotations ?? {} },
    spec: {
      replicas,
      selector: { matchLabels: { app: name } },
      template: {
        metadata: {
          labels: { app: name },
          annotations: { 'prometheus.io/scrape': 'true', ...options.podAnnotations },
        },
        spec: {
          terminationGracePeriodSeconds: 10,
          containers: [
            { name: 'web', image, ports: [{ containerPort: 8080 }], ...environment(env) },
          ],
        },
      },
      ...options.spec,
    },
  };
}

/** Every object of a shop, in the order in which to make them. */
export function shopObjects(namespace: string, options: ShopOptions = {}) {
  const { name = 'web' } = options;
  const gatewayGroup = 'gateway.networking.k8s.io/v1';
  return [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } },
    shopDeployment(namespace, options),
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name, namespace },
      spec: { selector: { app: name }, ports: [{ port: 80, targetPort: 8080 }] },
    },
    {
      apiVersion: gatewayGroup,
      kind: 'Gateway',
      metadata: { name: 'gw', namespace },
      spec: {
        gatewayClassName: gatewayClass,
        listeners: [{ name: 'web', protocol: 'HTTP', port: 8000 }],
      },
    },
    {
      apiVersion: gatewayGroup,
      kind: 'HTTPRoute',
      metadata: { name, namespace },
      spec: {
        parentRefs: [{ name: 'gw' }],
        hostnames: [shopHost(namespace, name)],
        rules: [{ backendRefs: [{ name, port: 80 }] }],
      },
    },
  ];
}
