import { NativeBuckets } from './native-buckets.ts';
import { delimited, double, message, text, unsigned } from './protobuf.ts';

/** Upper bounds of the latency buckets, in seconds. */
const bounds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5] as const;

const requests = 'http_requests_total';
const duration = 'http_request_duration_seconds';
/** The gauge that every client library has. */
const memory = 'process_resident_memory_bytes';

/** Numbers of `io.prometheus.client.MetricType`. */
const types = { counter: 0, gauge: 1, histogram: 4 } as const;

/**
 * What most applications tell: requests by status code, their duration, and the memory they take.
 */
export class RequestMetrics {
  readonly #byCode = new Map<number, number>();
  readonly #buckets: number[] = bounds.map(() => 0);
  readonly #native = new NativeBuckets();
  #sum = 0;
  #count = 0;

  count(code: number, seconds: number): void {
    this.#byCode.set(code, (this.#byCode.get(code) ?? 0) + 1);
    this.#sum += seconds;
    this.#count += 1;
    for (const [index, bound] of bounds.entries()) {
      if (seconds <= bound) this.#buckets[index] = (this.#buckets[index] ?? 0) + 1;
    }
    this.#native.count(seconds);
  }

  /** Prometheus text format, which has no native histograms. */
  text(memoryBytes: number): string {
    return [
      `# TYPE ${requests} counter`,
      ...[...this.#byCode].map(([code, n]) => `${requests}{code="${code}"} ${n}`),
      `# TYPE ${duration} histogram`,
      ...bounds.map((le, index) => `${duration}_bucket{le="${le}"} ${this.#buckets[index]}`),
      `${duration}_bucket{le="+Inf"} ${this.#count}`,
      `${duration}_sum ${this.#sum}`,
      `${duration}_count ${this.#count}`,
      `# TYPE ${memory} gauge`,
      `${memory} ${memoryBytes}`,
      '',
    ].join('\n');
  }

  /**
   * `io.prometheus.client.MetricFamily` messages, each with its length before it. The histogram is
   * both a classic and a native one, as client libraries tell it; Prometheus takes the native one
   * where it was told to read them.
   */
  protobuf(memoryBytes: number, schema: number): Buffer {
    const byCode = [...this.#byCode].map(([code, n]) =>
      metric(message(1, text(1, 'code'), text(2, String(code))), message(3, double(1, n))),
    );
    const histogram = message(
      7,
      unsigned(1, this.#count),
      double(2, this.#sum),
      ...bounds.map((le, i) => message(3, unsigned(1, this.#buckets[i] ?? 0), double(2, le))),
      ...this.#native.fields(schema),
    );
    return Buffer.concat([
      ...(byCode.length > 0 ? [family(requests, types.counter, ...byCode)] : []),
      family(duration, types.histogram, metric(histogram)),
      family(memory, types.gauge, metric(message(2, double(1, memoryBytes)))),
    ]);
  }
}

const metric = (...fields: readonly Buffer[]): Buffer => message(4, ...fields);

const family = (name: string, type: number, ...metrics: readonly Buffer[]): Buffer =>
  delimited(text(1, name), unsigned(3, type), ...metrics);
