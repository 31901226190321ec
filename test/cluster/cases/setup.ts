// What the cases about releases share: a controller with the rights it ships with, shops that are
// opted in, and the things to wait for.
import { setTimeout as sleep } from 'node:timers/promises';
import { type KubernetesObject, waitUntil } from '../api.ts';
import { type Cluster, openCluster } from '../cluster.ts';
import {
  type Controller,
  type ControllerOptions,
  installController,
  type ShippedConfig,
  startController,
  writeControllerConfig,
} from '../controller.ts';
import { type Load, startLoad } from '../load/load.ts';
import type { LoadedRequest } from '../load/request-log.ts';
import { disturbances, unexcused } from '../load/witness.ts';
import { namespaced } from '../resources.ts';
import {
  applyShop,
  type Deployment,
  type HttpRoute,
  type Shop,
  type ShopOptions,
} from '../shop.ts';
import type { Slack } from '../slack.ts';

/** The ServiceAccount under which every controller of the suite acts. */
export const account = 'haldane/haldane';

const manifests = ['namespace', 'service-account', 'rbac', 'pause-on-change'].map(
  (name) => `manifests/install/${name}.yaml`,
);

/** Installs what is shipped and waits until the API server pauses on change. */
export async function install(cluster: Cluster): Promise<string> {
  const kubeconfig = await installController(cluster, { manifests, account });
  await untilPausedOnChange(cluster);
  return kubeconfig;
}

let probes = 0;

/** A policy acts some time after it was accepted: a dry run tells. */
async function untilPausedOnChange({ api }: Cluster): Promise<void> {
  // Two controllers may be started at once, and each waits for the policy by itself.
  probes += 1;
  const name = `probe-${process.pid}-${probes}`;
  const path = namespaced('deployments', 'haldane', name);
  const labels = { app: name };
  await api.patch(path, 'apply', {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace: 'haldane', annotations: { 'haldane.dev/enabled': 'true' } },
    spec: {
      replicas: 1,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: { containers: [{ name: 'web', image: 'shop/web:v1' }] },
      },
    },
  });
  const change = { spec: { template: { metadata: { annotations: { probe: 'dry-run' } } } } };
  await waitUntil(
    async () =>
      (await api.patch<Deployment>(`${path}?dryRun=All`, 'merge', change)).spec.paused === true,
    { what: 'the admission policy to act' },
  );
  await api.remove(path, { propagationPolicy: 'Background' });
}

/**
 * A cluster whose gateway follows its routes sooner than a hurried controller trusts it to. Closing
 * it gives the gateway its usual throttle back.
 */
export async function openHurriedCluster(): Promise<Cluster> {
  const cluster = await openCluster();
  await cluster.components.restart('traefik', { settings: { throttle: '100ms' } });
  return {
    ...cluster,
    close: async () => {
      await cluster.components.repair();
      await cluster.close();
    },
  };
}

/**
 * For cases about order and not about time: every wait of the mechanism is short, and evidence is
 * enough after a few requests. Needs {@link openHurriedCluster}.
 */
export function hurried(config: ShippedConfig): void {
  config['limits'] = { propagation: '2s', drain: '2s' };
  config['profiles'] = {
    default: {
      minStep: '1s',
      bake: '0s',
      errors: {
        rollback: { ratio: 2, points: '25%' },
        promotion: { ratio: 4, points: '40%' },
      },
      limit: '50%',
    },
  };
}

export interface StartOptions extends Partial<ControllerOptions> {
  readonly slack?: Slack;
  readonly edit?: (config: ShippedConfig) => void;
}

/** Installs and starts a controller; `edit` changes the shipped configuration. */
export async function startHaldane(
  cluster: Cluster,
  { slack, edit, ...options }: StartOptions = {},
): Promise<Controller> {
  const kubeconfig = options.kubeconfig ?? (await install(cluster));
  const config = await writeControllerConfig(cluster, {
    ...(options.name === undefined ? {} : { name: options.name }),
    ...(slack === undefined ? {} : { slack }),
    ...(edit === undefined ? {} : { edit }),
  });
  const entry = process.env['HALDANE_TEST_ENTRY'];
  return startController(cluster, {
    ...(entry === undefined ? {} : { entry }),
    ...options,
    config,
    kubeconfig,
  });
}

/** A shop under load. */
export interface BusyShop {
  readonly shop: Shop;
  readonly load: Load;
}

export interface BusyShopOptions extends ShopOptions {
  /** Requests per second; 100 unless told. */
  readonly rate?: number;
  /** Whether the Deployment is opted in from its beginning; true unless told. */
  readonly optIn?: boolean;
}

/** A shop with requests coming in. */
export async function busyShop(
  cluster: Cluster,
  namespace: string,
  { rate = 100, optIn = true, ...options }: BusyShopOptions = {},
): Promise<BusyShop> {
  const enabled = optIn ? { 'haldane.dev/enabled': 'true' } : {};
  const annotations = { ...enabled, ...options.annotations };
  const shop = await applyShop(cluster, namespace, { ...options, annotations });
  return { shop, load: startLoad({ host: shop.host, rate }) };
}

/** Ends the load and removes the shop; returns how many requests it had, and those that failed. */
export async function endShop({ shop, load }: BusyShop) {
  const { sent } = await load.stop();
  await shop.remove();
  return { sent, failed: await blamed(load.log.failed()) };
}

/** Failed requests of moments in which a service that nobody touched had its answers. */
export async function blamed(failed: readonly LoadedRequest[]): Promise<readonly LoadedRequest[]> {
  if (failed.length === 0) return [];
  await sleep(1000); // the witness may still wait for its own answer
  const left = unexcused(failed, disturbances());
  const excused = failed.length - left.length;
  if (excused > 0) figure('failed while the untouched service failed too', `${excused} requests`);
  return left;
}

/**
 * Percent of the route's requests that go to the canary, as the route says; 0 when it names none.
 */
export async function canaryWeight(shop: Shop): Promise<number> {
  const weights = Object.entries(await shop.weights());
  const total = weights.reduce((sum, [, weight]) => sum + weight, 0);
  const canary = weights.find(([name]) => name.startsWith(`${shop.name}-canary-`));
  return canary === undefined ? 0 : Math.round((100 * canary[1]) / total);
}

export const untilWeight = (shop: Shop, weight: number, timeout = 60_000): Promise<void> => {
  let seen = -1;
  return waitUntil(
    async () => {
      seen = await canaryWeight(shop);
      return seen === weight;
    },
    {
      what: () => `${shop.namespace}: ${weight} % for the canary; last seen ${seen} %`,
      timeout,
      every: 50,
    },
  );
};

/**
 * Waits until the gateway has nothing to change but what a case itself does: while it follows the
 * removal of an earlier shop, a cut would wait for its throttle.
 */
export async function untilGatewayIsCalm({ api }: Cluster): Promise<void> {
  await waitUntil(
    async () => {
      const all = await api.list<KubernetesObject>('/api/v1/namespaces');
      return all.every(({ metadata }) => metadata.deletionTimestamp === undefined);
    },
    { what: 'removed namespaces to be gone', timeout: 90_000 },
  );
  await sleep(4000); // twice the throttle
}

interface ReplicaSet {
  readonly metadata: {
    readonly name: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly ownerReferences?: readonly { readonly name: string }[];
  };
  readonly spec: {
    readonly replicas: number;
    readonly template: { readonly spec: { readonly containers: readonly { image: string }[] } };
  };
}

/** ReplicaSets of the shop's Deployment, canaries included. */
export async function replicaSets(cluster: Cluster, shop: Shop): Promise<readonly ReplicaSet[]> {
  const all = await cluster.api.list<ReplicaSet>(namespaced('replicasets', shop.namespace));
  return all.filter(({ metadata }) =>
    metadata.ownerReferences?.some(({ name }) => name === shop.name),
  );
}

/** Whatever of ours is still on or beside the user's objects; empty at rest. */
export async function tracesOf(cluster: Cluster, shop: Shop): Promise<readonly string[]> {
  const { api } = cluster;
  const traces: string[] = [];
  const deployment = await api.find<Deployment>(shop.paths.deployment);
  const annotations = deployment?.metadata.annotations ?? {};
  if ('haldane.dev/rollout' in annotations) traces.push('Deployment is marked');
  for (const set of await replicaSets(cluster, shop)) {
    const { name, labels = {}, annotations: kept = {} } = set.metadata;
    if ('haldane.dev/canary-for' in labels) traces.push(`canary ReplicaSet ${name}`);
    if ('haldane.dev/state' in kept) traces.push(`state on ReplicaSet ${name}`);
  }
  type Service = Deployment & { readonly spec: { readonly selector: Record<string, string> } };
  for (const service of await api.list<Service>(namespaced('services', shop.namespace))) {
    const { name, annotations: kept = {} } = service.metadata;
    if (name.includes('-canary-')) traces.push(`Service ${name}`);
    if ('pod-template-hash' in (service.spec.selector ?? {})) traces.push(`Service ${name} pinned`);
    if (Object.keys(kept).some((key) => key.startsWith('haldane.dev/')))
      traces.push(`Service ${name} is annotated`);
  }
  const route = await shop.route();
  if (Object.keys(route.metadata.annotations ?? {}).some((key) => key.startsWith('haldane.dev/')))
    traces.push('route is annotated');
  if (route.spec.rules.some((rule) => rule.backendRefs.some((ref) => /-canary-/.test(ref.name))))
    traces.push('route names a canary');
  return traces;
}

/** Waits until nothing of a rollout is left and one image serves. */
export async function untilRest(
  cluster: Cluster,
  shop: Shop,
  image: string,
  timeout = 90_000,
): Promise<void> {
  let seen = '';
  await waitUntil(
    async () => {
      const active = (await replicaSets(cluster, shop)).filter((set) => set.spec.replicas > 0);
      const images = active.map((set) => set.spec.template.spec.containers[0]?.image);
      const traces = await tracesOf(cluster, shop);
      seen = JSON.stringify({ images, traces });
      return images.length === 1 && images[0] === image && traces.length === 0;
    },
    { what: () => `${shop.namespace} at rest with ${image}; last seen ${seen}`, timeout },
  );
}

/** Annotation of the Deployment that a person or the command line writes. */
export async function ask(
  shop: Shop,
  verb: string,
  fields: Readonly<Record<string, string | number>>,
): Promise<void> {
  const given = Object.entries(fields).map(([key, value]) => ` ${key}=${value}`);
  const id = 'id' in fields ? '' : ` id=${Date.now().toString(36)}`;
  await shop.annotate({ 'haldane.dev/request': `${verb}${given.join('')}${id}` });
}

/** Name of the revision under way, as the mark on the Deployment has it. */
export async function revisionOf(shop: Shop): Promise<string> {
  const mark = (await shop.deployment()).metadata.annotations?.['haldane.dev/rollout'] ?? '';
  return mark.split(' ')[0] ?? '';
}

export interface SeenEvent {
  readonly type: string;
  readonly reason: string;
  readonly message: string;
  readonly count: number;
}

/** Events about one object, oldest first, as `kubectl get events` shows them. */
export async function eventsOf(
  cluster: Cluster,
  namespace: string,
  name: string,
): Promise<readonly SeenEvent[]> {
  const args = ['-n', namespace, 'get', 'events', '-o', 'json', '--field-selector'];
  const { stdout, stderr } = await cluster.kubectl([...args, `involvedObject.name=${name}`]);
  if (stdout === '') throw new Error(stderr);
  const { items } = JSON.parse(stdout) as {
    readonly items: readonly (SeenEvent & { readonly source?: { component?: string } })[];
  };
  return items.filter(({ reason }) => /^(Canary|Request|Haldane)/.test(reason));
}

/** Every weight the route carried, in order, from a watch; `stop` ends it. */
export interface RouteHistory {
  readonly seen: readonly { readonly at: number; readonly weight: number }[];
  stop(): void;
}

export function watchRoute(cluster: Cluster, shop: Shop): RouteHistory {
  const seen: { at: number; weight: number }[] = [];
  const stop = new AbortController();
  const only = `fieldSelector=metadata.name%3D${shop.name}`;
  const path = `${namespaced('httproutes', shop.namespace)}?${only}`;
  void follow(cluster, path, stop.signal, (object) => {
    const weight = weightIn(object as HttpRoute, shop.name);
    if (seen.at(-1)?.weight !== weight) seen.push({ at: Date.now(), weight });
  });
  return { seen, stop: () => stop.abort() };
}

/** Every state of the objects under a path, the present one first, until the signal. */
export async function follow(
  cluster: Cluster,
  path: string,
  signal: AbortSignal,
  take: (object: KubernetesObject) => void,
): Promise<void> {
  while (!signal.aborted) {
    try {
      const { items, metadata } = await cluster.api.get<{
        readonly items: readonly KubernetesObject[];
        readonly metadata: { readonly resourceVersion: string };
      }>(path);
      for (const item of items) take(item);
      const more = path.includes('?') ? '&' : '?';
      const from = `${path}${more}resourceVersion=${metadata.resourceVersion}`;
      for await (const { type, object } of cluster.api.watch(from, signal)) {
        if (type === 'ERROR') break;
        if (type === 'ADDED' || type === 'MODIFIED') take(object);
      }
    } catch {
      // A watch ends now and then; the next one begins with what is there.
    }
    await sleep(100);
  }
}

function weightIn(route: HttpRoute, name: string): number {
  const refs = route.spec.rules[0]?.backendRefs ?? [];
  const weightOf = (found: (typeof refs)[number] | undefined) =>
    found === undefined ? 0 : (found.weight ?? 1);
  const canary = weightOf(refs.find((ref) => ref.name.startsWith(`${name}-canary-`)));
  const stable = weightOf(refs.find((ref) => ref.name === name));
  return canary === 0 ? 0 : Math.round((100 * canary) / (canary + stable));
}

/** One line of figures, to be collected from the log of a run. */
export const figure = (name: string, said: string): void => {
  console.log(`FIGURE ${name}: ${said}`);
};

/** ReplicaSets that came to be, in order, and whether each began as a canary of ours. */
export interface ReplicaSetRecord {
  all(): readonly { readonly name: string; readonly canary: boolean }[];
  stop(): void;
}

export async function recordReplicaSets(cluster: Cluster, shop: Shop): Promise<ReplicaSetRecord> {
  // By uid: a revision that comes again has the name it had before.
  const seen = new Map<string, { readonly name: string; readonly canary: boolean }>();
  const stop = new AbortController();
  void follow(cluster, namespaced('replicasets', shop.namespace), stop.signal, ({ metadata }) => {
    const { uid, name, labels = {} } = metadata;
    if (!seen.has(uid)) seen.set(uid, { name, canary: 'haldane.dev/canary-for' in labels });
  });
  await waitUntil(() => seen.size > 0, { what: 'the first ReplicaSet', every: 20 });
  return {
    all: () => [...seen.values()],
    stop: () => stop.abort(),
  };
}
