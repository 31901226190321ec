import { readFileSync } from 'node:fs';
import { Registry } from 'prom-client';
import { parseAllDocuments } from 'yaml';
import { type Assembled, assemble } from '../../src/controller/assembly.ts';
import { watchCluster } from '../../src/controller/cluster.ts';
import { createEmbeddedCluster, type EmbeddedCluster } from '../../src/embedded/cluster.ts';
import type { JsonObject } from '../../src/embedded/json.ts';
import { createClient } from '../../src/kubernetes/client.ts';
import type { KubernetesTransport } from '../../src/kubernetes/transport.ts';
import type { Clock } from '../../src/lib/clock.ts';
import { seededRandom } from '../../src/lib/random.ts';
import { type Millis, millis, seconds } from '../../src/lib/units.ts';
import { compileChecks } from '../../src/metric-sources/template.ts';
import type { Notice } from '../../src/rollout/notice.ts';
import { parseConfig } from '../../src/spec/config-file.ts';
import { createLog } from '../../src/telemetry/log.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import { type VirtualClock, virtualClock } from '../builders/virtual-clock.ts';
import { container, shop } from './shop.ts';
import { createTraffic, type Traffic } from './traffic.ts';

// A whole cluster with the real controller in it, in virtual time: the embedded API server and its
// controllers, a
// sampled data plane, and processes of ours that can die at any write.

const root = new URL('../../', import.meta.url);
const file = (path: string) => readFileSync(new URL(path, root), 'utf8');

/** Read once: many worlds are made of the same files. */
function once<T>(read: () => T): () => T {
  let value: { readonly read: T } | undefined;
  return () => (value ??= { read: read() }).read;
}

const shipped = once(() => {
  const parsed = parseConfig(file('config/haldane.yaml'), 'config/haldane.yaml');
  if (!parsed.ok) throw new Error(parsed.problems.map(({ message }) => message).join('\n'));
  const compiled = compileChecks(parsed.config);
  if (!compiled.ok) throw new Error('the shipped templates compile');
  return { config: parsed.config, checks: compiled.checks };
});

const pausePolicy = once(() =>
  parseAllDocuments(file('manifests/install/pause-on-change.yaml')).map(
    (document) => document.toJS() as JsonObject,
  ),
);

export interface WorldOptions {
  readonly seed?: number;
  readonly rps?: number;
  readonly replicas?: number;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly errorRate?: (version: string) => number;
  readonly propagation?: Millis;
  /** Steps of two seconds: for what is about order and not about time. */
  readonly quick?: boolean;
  /** Whether the API server pauses on change. */
  readonly policy?: boolean;
}

/** What happened to the route, as whoever watched it would tell. */
export interface RouteChange {
  readonly at: number;
  readonly weight: number;
  readonly mark: string | undefined;
}

/** One process of ours. */
export interface Life {
  readonly assembled: Assembled;
  /** Writes it has made, Events and Leases aside. */
  readonly writes: number;
  readonly alive: boolean;
  /** Ends it as kill -9 does. */
  kill(): void;
}

export class World {
  readonly clock: VirtualClock = virtualClock();
  readonly cluster: EmbeddedCluster;
  readonly traffic: Traffic;
  readonly notices: Notice[] = [];
  readonly history: RouteChange[] = [];
  readonly namespace = 'shop';
  readonly #random;
  readonly #config;
  readonly #checks;

  constructor(options: WorldOptions = {}) {
    this.#random = seededRandom(options.seed ?? 1);
    const random = this.#random;
    this.cluster = createEmbeddedCluster({ clock: this.clock, random, events: false });
    const { config, checks } = shipped();
    const { defaults, profiles } = config;
    const quick = [...profiles].map(([name, profile]) => {
      return [name, { ...profile, minStep: seconds(2), bake: seconds(0) }] as const;
    });
    this.#config = {
      ...config,
      profiles: new Map(options.quick === true ? quick : profiles),
      defaults: { ...defaults, notify: ['ear'] },
    };
    this.#checks = checks;
    if (options.policy !== false) for (const one of pausePolicy()) this.cluster.apply(one);
    for (const object of shop(this.namespace, options)) this.cluster.apply(object);
    this.traffic = createTraffic({
      cluster: this.cluster,
      clock: this.clock,
      random,
      namespace: this.namespace,
      rps: options.rps ?? 100,
      propagation: options.propagation ?? millis(500),
      errorRate: options.errorRate ?? (() => 0),
    });
    this.#watchRoute();
  }

  #watchRoute(): void {
    this.cluster.server.store.onCommit(({ object, type }) => {
      if (object.kind !== 'HTTPRoute' || type === 'DELETED') return;
      this.history.push({ at: this.clock.now(), ...carried(object as unknown as RouteObject) });
    });
  }

  /** Starts a process; `killAt` ends it before or after its n-th write. */
  start(killAt?: { readonly write: number; readonly moment: 'before' | 'after' }): Life {
    const stop = new AbortController();
    const life = { alive: true, writes: 0 };
    const kill = () => {
      life.alive = false;
      stop.abort();
    };
    const clock = mortalClock(this.clock, life);
    const transport = mortalTransport(this.cluster.transport(), life, kill, killAt);
    const client = createClient(transport);
    const random = this.#random;
    const watched = watchCluster({
      client,
      transport,
      clock,
      random,
      namespaces: [],
      onNotice: () => undefined,
      onProblem: ({ message }) => {
        throw new Error(message);
      },
    });
    const assembled = assemble({
      config: this.#config,
      checks: this.#checks,
      clock,
      random,
      log: createLog({ level: 'error', clock }),
      metrics: createMetrics({
        registry: new Registry(),
        clock,
        build: { version: '0', revision: '' },
        nodeVersion: '',
      }),
      client,
      watched,
      sources: new Map([['default', this.traffic.source]]),
      notifiers: [{ name: 'ear', send: (notice) => this.#hear(notice) }],
      instance: 'simulated',
    });
    for (const reflector of watched.reflectors) void reflector.run(stop.signal);
    void Promise.all(watched.reflectors.map((reflector) => reflector.synced)).then(() => {
      if (life.alive) void assembled.run(stop.signal);
    });
    return {
      assembled,
      kill,
      get writes() {
        return life.writes;
      },
      get alive() {
        return life.alive;
      },
    };
  }

  #hear(notice: Notice): Promise<void> {
    this.notices.push(notice);
    return Promise.resolve();
  }

  /** Undefined once it was deleted. */
  deployment(): DeploymentObject | undefined {
    return this.cluster.find('apps/v1', 'deployments', this.namespace, 'web') as never;
  }

  /** Changes the image, as `kubectl set image` does. */
  async release(version: string): Promise<void> {
    await this.patch({ spec: { template: { spec: { containers: [container(version)] } } } });
  }

  /** A merge patch of the Deployment by its user. */
  async patch(body: object): Promise<void> {
    await this.#send('PATCH', 'application/merge-patch+json', body);
  }

  async deleteDeployment(): Promise<void> {
    await this.#send('DELETE', 'application/json', { propagationPolicy: 'Background' });
  }

  async #send(method: 'PATCH' | 'DELETE', contentType: string, body: object): Promise<void> {
    const path = `/apis/apps/v1/namespaces/${this.namespace}/deployments/web`;
    const request = { method, path, contentType, body };
    const answer = await this.cluster.transport().request(request, AbortSignal.timeout(10_000));
    if (answer.status !== 200) throw new Error(JSON.stringify(answer.json));
  }

  /** The weight that the route gives to a canary. */
  get weight(): number {
    return this.history.at(-1)?.weight ?? 0;
  }

  /** Nothing of a rollout is left on any object. */
  isAtRest(): boolean {
    const marks = Object.keys(this.deployment()?.metadata.annotations ?? {});
    const [route] = this.cluster.list(
      'gateway.networking.k8s.io/v1',
      'httproutes',
      this.namespace,
    ) as unknown as RouteObject[];
    const sets = this.cluster.list('apps/v1', 'replicasets', this.namespace);
    const rolling =
      marks.includes('haldane.dev/rollout') && !marks.includes('haldane.dev/rejected');
    return (
      !rolling &&
      this.cluster.list('v1', 'services', this.namespace).length === 1 &&
      Object.keys(route?.metadata.annotations ?? {}).length === 0 &&
      sets.every(({ metadata }) => metadata.annotations?.['haldane.dev/state'] === undefined)
    );
  }

  /** Runs until a release has been noticed. */
  async begin(): Promise<void> {
    await this.clock.runUntil(() => !this.isAtRest(), seconds(10));
  }

  /** Runs until nothing is left to do, at most `span` of virtual time. */
  async settle(span: Millis = seconds(900)): Promise<void> {
    await this.clock.runUntil(() => this.isAtRest(), span);
    await this.clock.advance(seconds(15));
  }

  /** What is left in the cluster, without what differs from run to run. */
  endState(): object {
    const at = (groupVersion: string, plural: string) =>
      this.cluster.list(groupVersion, plural, this.namespace);
    const sets = at('apps/v1', 'replicasets') as unknown as readonly {
      readonly metadata: { readonly name: string };
      readonly spec: { readonly replicas: number };
    }[];
    const deployment = this.deployment();
    const annotations = Object.keys(deployment?.metadata.annotations ?? {}).sort();
    return {
      deployment: { annotations, spec: deployment?.spec },
      sets: sets.map(({ metadata, spec }) => `${metadata.name} ${spec.replicas}`).sort(),
      services: at('v1', 'services').map(({ metadata, spec }) => [metadata.name, spec]),
      routes: at('gateway.networking.k8s.io/v1', 'httproutes').map(({ spec }) => spec),
    };
  }

  stop(): void {
    this.cluster.stop();
  }
}

interface DeploymentObject {
  readonly metadata: { readonly annotations?: Readonly<Record<string, string>> };
  readonly spec: { readonly paused?: boolean; readonly template: unknown };
}

interface RouteObject {
  readonly metadata: { readonly annotations?: Readonly<Record<string, string>> };
  readonly spec: {
    readonly rules: readonly {
      readonly backendRefs: readonly { readonly name: string; readonly weight?: number }[];
    }[];
  };
}

function carried(route: RouteObject): Omit<RouteChange, 'at'> {
  const refs = route.spec.rules[0]?.backendRefs ?? [];
  const total = refs.reduce((sum, { weight = 1 }) => sum + weight, 0);
  const canary = refs.find(({ name }) => name.includes('-canary-'));
  const [text] = Object.values(route.metadata.annotations ?? {});
  const record = text === undefined ? {} : (JSON.parse(text) as { mark?: { kind: string } });
  return { weight: ((canary?.weight ?? 0) / total) * 100, mark: record.mark?.kind };
}

/** A dead process hears no clock. */
const mortalClock = (clock: Clock, life: { readonly alive: boolean }): Clock => ({
  now: () => clock.now(),
  monotonic: () => clock.monotonic(),
  after: (span, callback) => clock.after(span, () => life.alive && callback()),
});

const never = new Promise<never>(() => undefined);

/** A dead process hears no answer either, and what it was about to send is not sent. */
function mortalTransport(
  transport: KubernetesTransport,
  life: { alive: boolean; writes: number },
  kill: () => void,
  killAt: { readonly write: number; readonly moment: 'before' | 'after' } | undefined,
): KubernetesTransport {
  return {
    stream: (path, query, signal) => (life.alive ? transport.stream(path, query, signal) : never),
    request: async (request, signal) => {
      if (!life.alive) return never;
      const isWrite =
        request.method !== 'GET' &&
        request.query?.['dryRun'] === undefined &&
        !/\/(events|leases)(\/|$)/.test(request.path);
      if (isWrite) life.writes += 1;
      const due = isWrite && life.writes === killAt?.write;
      if (due && killAt?.moment === 'before') {
        kill();
        return never;
      }
      const answer = await transport.request(request, signal);
      if (due) kill();
      return life.alive ? answer : never;
    },
  };
}
