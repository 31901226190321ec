import { readFileSync } from 'node:fs';
import { Registry } from 'prom-client';
import { parseAllDocuments } from 'yaml';
import { type Assembled, assemble, type Outside } from '../../src/controller/assembly.ts';
import { watchCluster } from '../../src/controller/cluster.ts';
import { createEmbeddedCluster, type EmbeddedCluster } from '../../src/embedded/cluster.ts';
import type { ClientFaults } from '../../src/embedded/faults.ts';
import type { JsonObject } from '../../src/embedded/json.ts';
import type { KubernetesObject } from '../../src/embedded/resource.ts';
import type { StoreImage } from '../../src/embedded/store.ts';
import { createClient, type KubernetesClient } from '../../src/kubernetes/client.ts';
import { fencedTransport } from '../../src/kubernetes/fenced-transport.ts';
import {
  createLeaderElection,
  type LeaderElection,
  type Leadership,
} from '../../src/kubernetes/lease.ts';
import type { Clock } from '../../src/lib/clock.ts';
import { linked } from '../../src/lib/linked.ts';
import { seededRandom } from '../../src/lib/random.ts';
import { type Millis, millis, seconds } from '../../src/lib/units.ts';
import { compileChecks } from '../../src/metric-sources/template.ts';
import type { Notice, NoticeKind } from '../../src/rollout/notice.ts';
import { pinAnnotation } from '../../src/rollout/snapshot.ts';
import { parseConfig } from '../../src/spec/config-file.ts';
import { createLog, type LogFields } from '../../src/telemetry/log.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import { type VirtualClock, virtualClock } from '../builders/virtual-clock.ts';
import { measuredUsage } from './autoscaled.ts';
import { routeTruth, setTruth, versionOf } from './oracle-view.ts';
import { type KillAt, Process } from './process.ts';
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
  /** Kinds of notices that people want to hear; the configuration's default unless told. */
  readonly hears?: readonly NoticeKind[];
  readonly seed?: number;
  readonly rps?: number;
  readonly replicas?: number;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly errorRate?: (version: string) => number;
  /** Share of bad answers by pod instead; the source then tells pods apart. */
  readonly podErrorRate?: (pod: string, version: string) => number;
  /** The source does not tell pods apart, whatever they do. */
  readonly blind?: boolean;
  /** Share of answers that take longer than half a second. */
  readonly slowRate?: (version: string) => number;
  readonly propagation?: Millis;
  /** Steps of two seconds: for what is about order and not about time. */
  readonly quick?: boolean;
  /** Whether the API server pauses on change. */
  readonly policy?: boolean;
  /** Autoscalers are served, which look at the load of the pods now and then. */
  readonly autoscaled?: boolean;
  /** Hears what people are told, and every line of the controllers' logs. */
  readonly onNotice?: (notice: Notice) => void;
  readonly onLogLine?: (line: LogFields) => void;
}

/** So long pods take to start, and gateways to say that they take the route. */
const setUp = seconds(3);

const images = new Map<string, StoreImage>();

/** One for all processes: each of pino's own would outlive its story for long. */
const output = { write: (line: string) => void process.stdout.write(line) };

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
  writes(): number;
  isAlive(): boolean;
  /** Ends it as kill -9 does. */
  kill(): void;
  /** Stops it as kill -STOP does; the returned function lets it go on. */
  stall(): () => void;
  leads(): boolean;
}

export interface ProcessOptions {
  readonly faults?: ClientFaults;
  /** Stands for election under this name; leads at once, without a Lease, if absent. */
  readonly identity?: string;
  /** It has ended by itself, having lost its term. */
  readonly onExit?: () => void;
  /** It has died at the write that was named. */
  readonly onKill?: () => void;
}

/** As `main.ts` does it: a term that was lost is the end of the process. */
async function lead(
  election: LeaderElection,
  assembled: Assembled,
  signal: AbortSignal,
): Promise<void> {
  const life = linked(signal);
  const work = async (term: Leadership) => {
    await assembled.run(term.signal);
    life.abort();
  };
  await election.run(work, life.signal);
}

export class World {
  readonly clock: VirtualClock = virtualClock();
  readonly cluster: EmbeddedCluster;
  readonly traffic: Traffic;
  readonly notices: Notice[] = [];
  readonly history: RouteChange[] = [];
  readonly namespace = 'shop';
  readonly #random;
  readonly #hears: readonly NoticeKind[];
  readonly #config;
  readonly #checks;
  readonly #options: WorldOptions;
  /** Whether it is at rest, at the revision that was asked of last. */
  #rest: { readonly revision: number; readonly holds: boolean } | undefined;
  #refused: 'Accepted' | 'ResolvedRefs' | undefined;

  /**
   * A world whose shop is up, three seconds after its beginning. Of worlds that are alike so far
   * only the first is set up; the others go on from its image.
   */
  static async settled(options: WorldOptions): Promise<World> {
    const { replicas = 3, annotations = {}, policy = true } = options;
    const setting = { replicas, annotations, policy };
    const key = JSON.stringify(setting);
    let image = images.get(key);
    if (image === undefined) {
      // No seed is 0: the uids of both must not come from the same numbers.
      const first = new World({ ...setting, seed: 0 });
      await first.clock.advance(setUp);
      image = first.cluster.server.store.image();
      images.set(key, image);
      first.stop();
    }
    return new World(options, image);
  }

  constructor(options: WorldOptions = {}, image?: StoreImage) {
    if (image !== undefined) this.clock.stall(setUp);
    this.#options = options;
    this.#hears = options.hears ?? ['promotion', 'rollback', 'hold', 'paused', 'invalid'];
    this.#random = seededRandom(options.seed ?? 1);
    const random = this.#random;
    const usage = measuredUsage(this.clock, () => this.#answered());
    this.cluster = createEmbeddedCluster({
      clock: this.clock,
      random,
      events: false,
      routeRefusal: () => this.#refused,
      ...(image === undefined ? {} : { image }),
      ...(options.autoscaled === true ? { autoscaler: { usage, everyMillis: 5000 } } : {}),
    });
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
    if (image === undefined) this.#build(options);
    this.traffic = createTraffic({
      cluster: this.cluster,
      clock: this.clock,
      random,
      namespace: this.namespace,
      rps: options.rps ?? 100,
      propagation: options.propagation ?? millis(500),
      errorRate: options.errorRate ?? (() => 0),
      podErrorRate: options.podErrorRate,
      blind: options.blind === true,
      ...(options.slowRate === undefined ? {} : { slowRate: options.slowRate }),
    });
    this.#watchRoute();
  }

  #build(options: WorldOptions): void {
    if (options.policy !== false) for (const one of pausePolicy()) this.cluster.apply(one);
    for (const object of shop(this.namespace, options)) this.cluster.apply(object);
  }

  /** Requests that pods have answered, over all versions. */
  #answered(): number {
    return [...this.traffic.answered.values()].reduce((sum, { total }) => sum + total, 0);
  }

  #watchRoute(): void {
    this.cluster.server.store.onCommit(({ object, type }) => {
      if (object.kind !== 'HTTPRoute' || type === 'DELETED') return;
      this.history.push({ at: this.clock.now(), ...carried(object) });
    });
  }

  /** Starts a process; `killAt` ends it before or after its n-th write. */
  start(killAt?: KillAt, options: ProcessOptions = {}): Life {
    const stop = new AbortController();
    const process = new Process(() => stop.abort());
    const clock = process.clock(this.clock);
    const { faults } = options;
    const inner = this.cluster.transport(faults === undefined ? {} : { faults });
    const transport = process.transport(inner, killAt, options.onKill);
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
    const election =
      options.identity === undefined ? undefined : this.#elect(client, clock, options);
    const fenced =
      election === undefined
        ? client
        : createClient(fencedTransport({ transport, leadership: () => election.leadership }));
    const assembled = assemble({
      ...this.#parts(clock, options.identity ?? 'simulated'),
      client: fenced,
      watched,
    });
    for (const reflector of watched.reflectors) void reflector.run(stop.signal);
    void Promise.all(watched.reflectors.map((reflector) => reflector.synced)).then(async () => {
      if (!process.alive) return;
      if (election === undefined) return assembled.run(stop.signal);
      await lead(election, assembled, stop.signal);
      if (!process.alive) return;
      process.kill();
      options.onExit?.();
    });
    return {
      assembled,
      kill: () => process.kill(),
      stall: () => process.stall(),
      leads: () => (election?.leadership?.remaining() ?? 0) > 0,
      writes: () => process.writes,
      isAlive: () => process.alive,
    };
  }

  #elect(client: KubernetesClient, clock: Clock, { identity = '' }: ProcessOptions) {
    const lease = { namespace: 'default', name: 'haldane' };
    return createLeaderElection({ client, clock, random: this.#random, ...lease, identity });
  }

  #parts(clock: Clock, instance: string): Omit<Outside, 'client' | 'watched'> {
    const registry = new Registry();
    const build = { version: '0', revision: '' };
    return {
      config: this.#config,
      checks: this.#checks,
      clock,
      random: this.#random,
      log: this.#log(clock),
      metrics: createMetrics({ registry, clock, build, nodeVersion: '' }),
      sources: new Map([['default', this.traffic.source]]),
      notifiers: [{ name: 'ear', events: this.#hears, send: (notice) => this.#hear(notice) }],
      instance,
    };
  }

  #log(clock: Clock) {
    const { onLogLine } = this.#options;
    if (onLogLine === undefined) return createLog({ level: 'error', clock, destination: output });
    const write = (line: string) => onLogLine(JSON.parse(line) as LogFields);
    return createLog({ level: 'info', clock, destination: { write } });
  }

  #hear(notice: Notice): Promise<void> {
    this.notices.push(notice);
    this.#options.onNotice?.(notice);
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

  /** As an autoscaler does. */
  async scale(replicas: number): Promise<void> {
    const body = { spec: { replicas } };
    await this.#send('PATCH', 'application/merge-patch+json', body, '/scale');
  }

  async deleteDeployment(): Promise<void> {
    await this.#send('DELETE', 'application/json', { propagationPolicy: 'Background' });
  }

  /** As `kubectl delete pod` does. */
  async deletePod(name: string): Promise<void> {
    const path = `/api/v1/namespaces/${this.namespace}/pods/${name}`;
    await this.#request('DELETE', path, 'application/json', {});
  }

  /** As `kubectl delete replicaset` does. */
  async deleteReplicaSet(name: string): Promise<void> {
    const path = `/apis/apps/v1/namespaces/${this.namespace}/replicasets/${name}`;
    await this.#request('DELETE', path, 'application/json', { propagationPolicy: 'Background' });
  }

  async #send(
    method: 'PATCH' | 'DELETE',
    contentType: string,
    body: object,
    subresource = '',
  ): Promise<void> {
    const path = `/apis/apps/v1/namespaces/${this.namespace}/deployments/web${subresource}`;
    await this.#request(method, path, contentType, body);
  }

  async #request(
    method: 'PATCH' | 'DELETE',
    path: string,
    contentType: string,
    body: object,
  ): Promise<void> {
    const request = { method, path, contentType, body };
    const { signal } = new AbortController();
    // Under a name of its own: who has written last is what oracles go by.
    const person = this.cluster.transport({ userAgent: 'kubectl' });
    const answer = await person.request(request, signal);
    if (answer.status !== 200) throw new Error(JSON.stringify(answer.json));
  }

  /** What the gateway refuses of every route from now on; it says so at once. */
  set refused(value: 'Accepted' | 'ResolvedRefs' | undefined) {
    this.#refused = value;
    const group = 'gateway.networking.k8s.io/v1';
    const gateway = this.cluster.find(group, 'gateways', this.namespace, 'gw');
    if (gateway === undefined) return;
    const annotations = { 'example.com/refuses': value ?? 'nothing' };
    this.cluster.apply({ ...gateway, metadata: { ...gateway.metadata, annotations } });
  }

  /** The weight that the route gives to a canary. */
  get weight(): number {
    return this.history.at(-1)?.weight ?? 0;
  }

  /** Nothing of a rollout is left on any object. Asked at every timer, and most change nothing. */
  isAtRest(): boolean {
    const { revision } = this.cluster.server.store;
    if (this.#rest?.revision !== revision) this.#rest = { revision, holds: this.#looksAtRest() };
    return this.#rest.holds;
  }

  #looksAtRest(): boolean {
    const marks = Object.keys(this.deployment()?.metadata.annotations ?? {});
    const [route] = this.cluster.list('gateway.networking.k8s.io/v1', 'httproutes', this.namespace);
    const sets = this.cluster.list('apps/v1', 'replicasets', this.namespace);
    const services = this.cluster.list('v1', 'services', this.namespace);
    // What was rejected stays asked for, unless the template is what serves again; an opt-out takes
    // every mark off.
    const isRejected = ['rejected', 'enabled'].every((key) => marks.includes(`haldane.dev/${key}`));
    const rests = isRejected && !this.#servesTemplate();
    const rolling = marks.includes('haldane.dev/rollout') && !rests;
    return (
      !rolling &&
      services.length === 1 &&
      services.every(({ metadata }) => metadata.annotations?.[pinAnnotation] === undefined) &&
      Object.keys(route?.metadata.annotations ?? {}).length === 0 &&
      sets.every(({ metadata }) => metadata.annotations?.['haldane.dev/state'] === undefined)
    );
  }

  /** A ReplicaSet with pods is of the Deployment's image. */
  #servesTemplate(): boolean {
    return this.serves(versionOf(this.deployment()?.spec.template));
  }

  /** A ReplicaSet of this version has pods. */
  serves(wanted: string): boolean {
    const sets = this.cluster.list('apps/v1', 'replicasets', this.namespace);
    return sets.map(setTruth).some(({ replicas, version }) => replicas > 0 && version === wanted);
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

function carried(route: KubernetesObject): Omit<RouteChange, 'at'> {
  const { refs, total, record } = routeTruth(route);
  const canary = refs.find(({ name }) => name.includes('-canary-'));
  return { weight: ((canary?.weight ?? 0) / total) * 100, mark: record?.mark?.kind };
}
