import type { EmbeddedCluster } from '../../src/embedded/cluster.ts';
import type { KubernetesObject } from '../../src/embedded/resource.ts';
import type { Clock } from '../../src/lib/clock.ts';
import type { Random } from '../../src/lib/random.ts';
import { type Instant, instant, type Millis, millis } from '../../src/lib/units.ts';
import type {
  EvidenceRequest,
  MetricSource,
  Reading,
  Series,
} from '../../src/metric-sources/metric-source.ts';

export interface TrafficOptions {
  readonly cluster: EmbeddedCluster;
  readonly clock: Clock;
  readonly random: Random;
  readonly namespace: string;
  readonly rps: number;
  /** From a route's change to the moment the data plane follows it. */
  readonly propagation: Millis;
  /** Share of bad answers by version, read at each request. */
  readonly errorRate: (version: string) => number;
}

/** Clients, a weighted data plane, and what a Prometheus would have scraped from it each second. */
export interface Traffic {
  readonly source: MetricSource;
  /** Requests that no pod answered: whoever moves traffic is to blame. */
  readonly lost: number;
  readonly answered: ReadonlyMap<string, { readonly total: number; readonly bad: number }>;
  /** The source answers nothing while this is set. */
  outage: boolean;
  start(): () => void;
}

interface Sample {
  readonly time: number;
  readonly total: number;
  readonly bad: number;
}
interface Backend {
  readonly name: string;
  readonly weight: number;
}

const scrape = millis(1000);
const slice = millis(100);

export function createTraffic(options: TrafficOptions): Traffic {
  const { clock, cluster, namespace, random, rps } = options;
  const counters = new Map<string, { total: number; bad: number }>();
  const samples = new Map<string, Sample[]>();
  const answered = new Map<string, { total: number; bad: number }>();
  let served: readonly Backend[] = [];
  const pending: { at: number; backends: readonly Backend[] }[] = [];
  const traffic = { lost: 0, outage: false };

  const follow = () => {
    const now = clock.now();
    const wanted = backendsOf(cluster, namespace);
    const last = pending.at(-1)?.backends ?? served;
    if (JSON.stringify(last) !== JSON.stringify(wanted)) {
      pending.push({ at: now + options.propagation, backends: wanted });
    }
    while ((pending[0]?.at ?? Number.POSITIVE_INFINITY) <= now) {
      served = pending.shift()?.backends ?? served;
    }
  };
  const send = () => {
    const backend = pick(served, random());
    const pods = backend === undefined ? [] : podsBehind(cluster, namespace, backend.name);
    const pod = pods[Math.floor(random() * pods.length)];
    if (backend === undefined || pod === undefined) {
      traffic.lost += 1;
      return;
    }
    const version = versionOf(pod);
    const bad = random() < options.errorRate(version) ? 1 : 0;
    for (const [map, key] of [
      [counters, backend.name],
      [answered, version],
    ] as const) {
      const counted = map.get(key) ?? { total: 0, bad: 0 };
      map.set(key, { total: counted.total + 1, bad: counted.bad + bad });
    }
  };
  const collect = () => {
    for (const [name, { total, bad }] of counters) {
      const rows = samples.get(name) ?? [];
      samples.set(name, [...rows, { time: clock.now(), total, bad }]);
    }
  };
  return {
    answered,
    get lost() {
      return traffic.lost;
    },
    get outage() {
      return traffic.outage;
    },
    set outage(value: boolean) {
      traffic.outage = value;
    },
    source: sourceOver(samples, () => traffic.outage),
    start: () => {
      let running = true;
      served = backendsOf(cluster, namespace);
      const each = (span: Millis, act: () => void) => {
        const again = () => {
          if (!running) return;
          act();
          clock.after(span, again);
        };
        clock.after(span, again);
      };
      each(slice, () => {
        follow();
        const count = Math.floor((rps * slice) / 1000 + random());
        for (let i = 0; i < count; i += 1) send();
      });
      each(scrape, collect);
      return () => {
        running = false;
      };
    },
  };
}

function sourceOver(
  samples: ReadonlyMap<string, readonly Sample[]>,
  outage: () => boolean,
): MetricSource {
  const read = (requests: readonly EvidenceRequest[], at: Instant) => {
    const readings = new Map<string, Reading>();
    for (const { id, names, window } of requests) {
      const from = instant(at - window);
      const series = (['stable', 'canary'] as const).flatMap((arm): Series[] => {
        const rows = (samples.get(names[arm].service) ?? []).filter(
          ({ time }) => time > from && time <= at,
        );
        if (rows.length === 0) return [];
        const times = rows.map(({ time }) => time);
        const one = { arm, bound: undefined, pod: '', times };
        const good = rows.map(({ total, bad }) => total - bad);
        return [
          { ...one, key: `${names[arm].service} good`, bad: false, values: good },
          { ...one, key: `${names[arm].service} bad`, bad: true, values: rows.map((r) => r.bad) },
        ];
      });
      readings.set(
        id,
        outage()
          ? { kind: 'unusable', code: 'unreachable', detail: 'connection refused' }
          : { kind: 'series', from, at, series },
      );
    }
    return Promise.resolve(readings);
  };
  return { read, queries: () => new Map(), close: () => undefined };
}

interface RouteSpec {
  readonly rules?: readonly { readonly backendRefs?: readonly Partial<Backend>[] }[];
}

function backendsOf(cluster: EmbeddedCluster, namespace: string): readonly Backend[] {
  const [route] = cluster.list('gateway.networking.k8s.io/v1', 'httproutes', namespace);
  const refs = (route?.spec as RouteSpec | undefined)?.rules?.[0]?.backendRefs ?? [];
  return refs.map(({ name = '', weight = 1 }) => ({ name, weight }));
}

function pick(backends: readonly Backend[], draw: number): Backend | undefined {
  let left = draw * backends.reduce((sum, { weight }) => sum + weight, 0);
  for (const backend of backends) {
    left -= backend.weight;
    if (left < 0) return backend;
  }
  return undefined;
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
