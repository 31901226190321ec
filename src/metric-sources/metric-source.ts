import type { Instant, Millis } from '../lib/units.ts';
import type { CompiledCheck } from './template.ts';

/** The two sides of a comparison. */
export type Arm = 'stable' | 'canary';

/** Names that tell the arms of one rollout apart in the labels of a source. */
export interface EvidenceNames {
  readonly namespace: string;
  readonly deployment: string;
  /** Name of the route, without its kind. */
  readonly route: string;
  readonly port: string | undefined;
  readonly stable: ArmNames;
  readonly canary: ArmNames;
}

export interface ArmNames {
  readonly service: string;
  readonly replicaSet: string;
}

/** One check of one rollout, asked of one source. */
export interface EvidenceRequest {
  /** Key of the answer; unique among the requests of one call. */
  readonly id: string;
  readonly check: CompiledCheck;
  readonly names: EvidenceNames;
  /** How far back from `at` raw samples are wanted. */
  readonly window: Millis;
  /**
   * Histograms: only the buckets with these bounds, in seconds, and that of all requests. Absent:
   * all.
   */
  readonly bounds?: readonly number[];
  /** Thins long histories to one value per so much time; absent = every raw sample. */
  readonly resolution?: Millis;
}

export type Labels = Readonly<Record<string, string>>;

/** The raw samples of one counter, or one gauge, oldest first. */
export interface Series {
  /** Labels in one canonical text: the identity of the series. */
  readonly key: string;
  readonly arm: Arm;
  /** Counts failed requests only. Error checks. */
  readonly bad: boolean;
  /** Its requests are counted by another series too, so that it adds none. */
  readonly apart?: true;
  /** Upper bound of a histogram bucket, `Infinity` for all requests. Latency checks. */
  readonly bound: number | undefined;
  /** The pod that counts, '' where the template names no label for it. */
  readonly pod: string;
  /** Milliseconds since the Unix epoch, rising; as long as `values`. */
  readonly times: readonly number[];
  /** Finite, and of counters not negative. */
  readonly values: readonly number[];
}

/** What a source answered about both arms, all of it from one evaluation. */
export interface SeriesSet {
  readonly kind: 'series';
  /** Samples lie in (from, at]. */
  readonly from: Instant;
  readonly at: Instant;
  readonly series: readonly Series[];
}

/** Why an answer is no evidence. Each holds a rollout; none of them ever judges it. */
export type UnusableCode =
  | 'unreachable' // refused, DNS, TLS, connection lost
  | 'timeout'
  | 'cancelled' // the caller's signal
  | 'secret-unreadable' // a token or certificate file
  | 'http-error' // any status but 200, or a redirect
  | 'query-error' // the source's own errorType
  | 'too-large' // over 1 MiB or 50,000 samples
  | 'malformed' // not the JSON of the query API
  | 'wrong-type' // not a matrix
  | 'partial' // warnings
  | 'clock-skew' // the source's clock and ours differ by more than 5 s
  | 'not-finite' // NaN or an infinity
  | 'negative'
  | 'duplicate-series' // copies that differ only by a replica label
  | 'native-histogram' // where plain samples were expected, or the other way about
  | 'total-absent' // an arm has failed requests but no requests
  | 'pod-label-absent' // a gauge without the label that names the pod
  | 'bad-label-absent' // no series carries the label that tells failed requests
  | 'bounds-absent' // histogram without le="+Inf"
  | 'names-missing' // the template needs a name that this rollout lacks
  | 'arms-not-separable' // both arms would select the same series
  | 'no-stable-data' // no series of stable
  | 'too-few-samples' // stable has been seen less than three times
  | 'stale' // stable's last sample is too old
  | 'history-lost'; // the answer does not reach back to the last poll

export interface Unusable {
  readonly kind: 'unusable';
  readonly code: UnusableCode;
  /** For people: at most 120 characters of foreign text, never the body of an answer. */
  readonly detail: string;
}

export const unusable = (code: UnusableCode, detail: string): Unusable => ({
  kind: 'unusable',
  code,
  detail,
});

export type Reading = SeriesSet | Unusable;

/**
 * Gives the raw samples of both arms. `test/contract/metric-source.test.ts` checks that it
 *  - answers every request of the call exactly once, and never throws for what the outside does
 *  - gives the same series whether requests come alone or together
 *  - ends within its time-out, and at once when `signal` is aborted
 *  - remembers nothing that changes an answer
 */
export interface MetricSource {
  read(
    requests: readonly EvidenceRequest[],
    at: Instant,
    signal: AbortSignal,
  ): Promise<ReadonlyMap<string, Reading>>;
  /** Queries sent since the start, by outcome; for telemetry. */
  readonly queries: () => ReadonlyMap<'ok' | UnusableCode, number>;
  close(): void;
}
