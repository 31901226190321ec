import { binomial } from '../../src/analysis/variates.ts';
import type { EmbeddedCluster } from '../../src/embedded/cluster.ts';
import type { KubernetesObject } from '../../src/embedded/resource.ts';
import type { Clock } from '../../src/lib/clock.ts';
import type { Random } from '../../src/lib/random.ts';
import { type Instant, instant, type Millis, millis } from '../../src/lib/units.ts';
import {
  type Arm,
  type EvidenceRequest,
  type MetricSource,
  type Reading,
  type Series,
  type UnusableCode,
  unusable,
} from '../../src/metric-sources/metric-source.ts';

export interface TrafficOptions {
  readonly cluster: EmbeddedCluster;
  readonly clock: Clock;
  readonly random: Random;
  readonly namespace: string;
  readonly rps: number;
  /** From a route's change to the moment the data plane follows it. */
  readonly propagation: Millis;
  /** Share of bad answers by version, read whenever requests are counted. */
  readonly errorRate: (version: string) => number;
  /** Share of bad answers by pod instead; the source then tells pods apart. */
  readonly podErrorRate?: ((pod: string, version: string) => number) | undefined;
  /** The source does not tell pods apart, whatever they do. */
  readonly blind?: boolean;
  /** Share of answers that take longer than half a second; 1 % if absent. */
  readonly slowRate?: (version: string) => number;
}

/** Clients, a weighted data plane, and what a Prometheus would have scraped from it each second. */
export interface Traffic {
  readonly source: MetricSource;
  /** Requests that no pod answered: whoever moves traffic is to blame. */
  readonly lost: number;
  readonly answered: ReadonlyMap<string, { readonly total: number; readonly bad: number }>;
  /** The source gives no evidence while this is set. */
  outage: boolean | UnusableCode;
  /** From a route's change to the moment the data plane follows it. */
  propagation: Millis;
  /** Requests per second from now on. */
  rps: number;
  start(): () => void;
}

/** Counters of one backend. */
interface Counted {
  readonly total: number;
  readonly bad: number;
  readonly slow: number;
}
interface Sample extends Counted {
  readonly time: number;
}
interface Backend {
  readonly name: string;
  readonly weight: number;
}
/** One backend with those who answer for it; without any, its requests are lost. */
interface Target {
  readonly name: string;
  readonly share: number;
  readonly versions: readonly Answering[];
}
/** Pods that answer alike: those of a version, or one that is told apart. */
interface Answering {
  readonly version: string;
  readonly pods: number;
  readonly pod?: string;
}

const scrape = millis(1000);
const usuallySlow = 0.01;
const nothing: Counted = { total: 0, bad: 0, slow: 0 };

/**
 * Requests are drawn for whole spans in which neither the data plane nor the endpoints change: a
 * gap of a single millisecond loses what a client would have lost in it, on average.
 */
class SampledTraffic implements Traffic {
  readonly source: MetricSource;
  outage: boolean | UnusableCode = false;
  propagation: Millis;
  readonly #options: TrafficOptions;
  readonly #books: Books;
  readonly #samples = new Map<string, Sample[]>();
  #running = false;
  /** Requests are counted up to here, ms. */
  #since = 0;
  #served: readonly Backend[] = [];
  #targets: readonly Target[] | undefined;
  /** When the data plane follows the last change of the route, ms. */
  #followed = 0;

  constructor(options: TrafficOptions) {
    this.#options = options;
    this.#books = {
      options,
      rps: options.rps,
      counters: new Map(),
      answered: new Map(),
      lost: 0,
      carry: 0,
    };
    this.propagation = options.propagation;
    this.source = sourceOver(this.#samples, () => this.outage, options.blind === true);
    const { cluster } = options;
    cluster.server.store.onCommit(({ object: { kind } }) => {
      if (!this.#running) return;
      if (kind === 'EndpointSlice' || kind === 'Pod') this.#change();
      if (kind === 'HTTPRoute') this.#follow(backendsOf(cluster, options.namespace));
    });
  }

  get answered(): ReadonlyMap<string, Counted> {
    this.#account();
    return this.#books.answered;
  }

  get lost(): number {
    this.#account();
    return Math.max(0, Math.ceil(this.#books.lost - 1e-6));
  }

  get rps(): number {
    return this.#books.rps;
  }

  set rps(value: number) {
    this.#account();
    this.#books.rps = value;
  }

  start(): () => void {
    const { cluster, clock, namespace } = this.#options;
    this.#since = clock.monotonic();
    this.#running = true;
    this.#change(backendsOf(cluster, namespace));
    clock.after(scrape, () => this.#collect());
    return () => {
      this.#account();
      this.#running = false;
    };
  }

  /** Counts the requests since the last change. */
  #account(): void {
    const now = this.#options.clock.monotonic();
    const span = now - this.#since;
    this.#since = now;
    if (!this.#running || span <= 0) return;
    this.#targets ??= targetsOf(this.#served, this.#options);
    serve(this.#books, this.#targets, span);
  }

  #change(to?: readonly Backend[]): void {
    this.#account();
    this.#served = to ?? this.#served;
    this.#targets = undefined;
  }

  #follow(wanted: readonly Backend[]): void {
    const { clock } = this.#options;
    // In order, also when the data plane has become faster in between.
    this.#followed = Math.max(this.#followed, clock.monotonic() + this.propagation);
    clock.after(millis(this.#followed - clock.monotonic()), () => this.#change(wanted));
  }

  #collect(): void {
    if (!this.#running) return;
    this.#account();
    const { clock } = this.#options;
    const time = clock.now();
    for (const [name, { total, bad, slow }] of this.#books.counters) {
      const row = { time, total, bad, slow };
      const rows = this.#samples.get(name);
      if (rows === undefined) this.#samples.set(name, [row]);
      else rows.push(row);
    }
    clock.after(scrape, () => this.#collect());
  }
}

export const createTraffic = (options: TrafficOptions): Traffic => new SampledTraffic(options);

interface Books {
  readonly options: TrafficOptions;
  /** Requests per second. */
  rps: number;
  /** By backend. */
  readonly counters: Map<string, Counted>;
  /** By version. */
  readonly answered: Map<string, Counted>;
  /** Expected number, so that no gap is missed by chance. */
  lost: number;
  /** Part of a request left over from the span before. */
  carry: number;
}

/** Requests of `span` ms. */
function serve(books: Books, targets: readonly Target[], span: number): void {
  const { random } = books.options;
  const mean = (books.rps * span) / 1000;
  const count = Math.floor(mean + books.carry);
  books.carry += mean - count;
  let left = count;
  let rest = 1;
  for (const { name, share, versions } of targets) {
    const requests = binomial(left, Math.min(1, share / rest), random);
    left -= requests;
    rest -= share;
    const pods = versions.reduce((sum, one) => sum + one.pods, 0);
    if (pods === 0) books.lost += mean * share;
    else answer(books, name, versions, requests, pods);
  }
  if (targets.length === 0) books.lost += mean;
}

function answer(
  books: Books,
  backend: string,
  versions: Target['versions'],
  requests: number,
  pods: number,
): void {
  const { random, errorRate, podErrorRate, slowRate } = books.options;
  let left = requests;
  let rest = pods;
  for (const one of versions) {
    const total = binomial(left, one.pods / rest, random);
    left -= total;
    rest -= one.pods;
    if (total === 0) continue;
    const own = one.pod === undefined ? undefined : podErrorRate?.(one.pod, one.version);
    const bad = binomial(total, own ?? errorRate(one.version), random);
    const slow = binomial(total, slowRate?.(one.version) ?? usuallySlow, random);
    for (const [map, key] of [
      [books.counters, one.pod === undefined ? backend : `${backend}/${one.pod}`],
      [books.answered, one.version],
    ] as const) {
      const { total: t, bad: b, slow: s } = map.get(key) ?? nothing;
      map.set(key, { total: t + total, bad: b + bad, slow: s + slow });
    }
  }
}

function targetsOf(
  served: readonly Backend[],
  { cluster, namespace, podErrorRate }: TrafficOptions,
): readonly Target[] {
  const sum = served.reduce((total, { weight }) => total + weight, 0);
  return served
    .filter(({ weight }) => weight > 0)
    .map(({ name, weight }) => {
      const pods = podsBehind(cluster, namespace, name);
      const each = pods.map((pod) => ({
        version: versionOf(pod),
        pods: 1,
        pod: pod.metadata.name ?? '',
      }));
      const versions = podErrorRate === undefined ? byVersion(pods) : each;
      return { name, share: weight / sum, versions };
    });
}

function byVersion(pods: readonly KubernetesObject[]): readonly Answering[] {
  const versions = new Map<string, number>();
  for (const pod of pods) {
    const version = versionOf(pod);
    versions.set(version, (versions.get(version) ?? 0) + 1);
  }
  return [...versions].map(([version, count]) => ({ version, pods: count }));
}

function sourceOver(
  samples: ReadonlyMap<string, readonly Sample[]>,
  outage: () => boolean | UnusableCode,
  blind: boolean,
): MetricSource {
  const read = (requests: readonly EvidenceRequest[], at: Instant) => {
    const readings = new Map<string, Reading>();
    for (const { id, names, window, check } of requests) {
      const from = instant(at - window);
      const series = (['stable', 'canary'] as const).flatMap((arm): readonly Series[] => {
        const { service } = names[arm];
        return [...samples].flatMap(([name, all]) => {
          const [backend, pod = ''] = name.split('/');
          const rows = backend === service ? within(all, from, at) : [];
          if (rows.length === 0) return [];
          return check.kind === 'histogram'
            ? histogramOf(arm, name, rows)
            : errorsOf(arm, name, blind ? '' : pod, rows);
        });
      });
      const fault = outage();
      const code = fault === true ? 'unreachable' : fault;
      readings.set(
        id,
        code === false ? { kind: 'series', from, at, series } : unusable(code, 'injected'),
      );
    }
    return Promise.resolve(readings);
  };
  return { read, queries: () => new Map(), close: () => undefined };
}

/** Rows in (from, at]: a few of the last ones, as a rule. */
function within(rows: readonly Sample[], from: number, at: number): readonly Sample[] {
  let end = rows.length;
  while (end > 0 && (rows[end - 1] as Sample).time > at) end -= 1;
  let begin = end;
  while (begin > 0 && (rows[begin - 1] as Sample).time > from) begin -= 1;
  return rows.slice(begin, end);
}

function errorsOf(arm: Arm, name: string, pod: string, rows: readonly Sample[]): readonly Series[] {
  const times = rows.map(({ time }) => time);
  const good = rows.map(({ total, bad }) => total - bad);
  const bad = rows.map((row) => row.bad);
  const bound = undefined;
  return [
    { arm, bound, pod, times, key: `${name} good`, bad: false, values: good },
    { arm, bound, pod, times, key: `${name} bad`, bad: true, values: bad },
  ];
}

/** Nine of ten answers that are not slow take less than a tenth of a second. */
function histogramOf(arm: Arm, name: string, rows: readonly Sample[]): readonly Series[] {
  const times = rows.map(({ time }) => time);
  const below: readonly (readonly [number, (row: Sample) => number])[] = [
    [0.1, ({ total, slow }) => Math.floor((total - slow) * 0.9)],
    [0.5, ({ total, slow }) => total - slow],
    [2, ({ total }) => total],
    [Number.POSITIVE_INFINITY, ({ total }) => total],
  ];
  return below.map(([bound, count]) => {
    const values = rows.map(count);
    return { arm, bound, pod: '', times, key: `${name} le=${bound}`, bad: false, values };
  });
}

interface RouteSpec {
  readonly rules?: readonly { readonly backendRefs?: readonly Partial<Backend>[] }[];
}

function backendsOf(cluster: EmbeddedCluster, namespace: string): readonly Backend[] {
  const [route] = cluster.list('gateway.networking.k8s.io/v1', 'httproutes', namespace);
  const refs = (route?.spec as RouteSpec | undefined)?.rules?.[0]?.backendRefs ?? [];
  return refs.map(({ name = '', weight = 1 }) => ({ name, weight }));
}

interface SliceEndpoints {
  readonly endpoints?: readonly {
    readonly conditions?: { readonly ready?: boolean };
    readonly targetRef?: { readonly name?: string };
  }[];
}

/** Pods that the endpoints of a Service name as ready. */
function podsBehind(
  cluster: EmbeddedCluster,
  namespace: string,
  service: string,
): readonly KubernetesObject[] {
  return cluster
    .list('discovery.k8s.io/v1', 'endpointslices', namespace)
    .filter(({ metadata }) => metadata.labels?.['kubernetes.io/service-name'] === service)
    .flatMap((found) => (found as unknown as SliceEndpoints).endpoints ?? [])
    .filter(({ conditions }) => conditions?.ready !== false)
    .flatMap(({ targetRef }) => cluster.find('v1', 'pods', namespace, targetRef?.name ?? '') ?? []);
}

const versionOf = (pod: KubernetesObject): string => {
  const spec = pod.spec as { readonly containers?: readonly { readonly image?: string }[] };
  return spec.containers?.[0]?.image?.split(':').at(-1) ?? '';
};
