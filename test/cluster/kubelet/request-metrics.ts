/** Upper bounds of the latency buckets, in seconds. */
const bounds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5] as const;

/** The two metrics most applications have: requests by status code, and their duration. */
export class RequestMetrics {
  readonly #byCode = new Map<number, number>();
  readonly #buckets: number[] = bounds.map(() => 0);
  #sum = 0;
  #count = 0;

  count(code: number, seconds: number): void {
    this.#byCode.set(code, (this.#byCode.get(code) ?? 0) + 1);
    this.#sum += seconds;
    this.#count += 1;
    for (const [index, bound] of bounds.entries()) {
      if (seconds <= bound) this.#buckets[index] = (this.#buckets[index] ?? 0) + 1;
    }
  }

  /** Prometheus text format. */
  text(): string {
    const duration = 'http_request_duration_seconds';
    return [
      '# TYPE http_requests_total counter',
      ...[...this.#byCode].map(([code, n]) => `http_requests_total{code="${code}"} ${n}`),
      `# TYPE ${duration} histogram`,
      ...bounds.map((le, index) => `${duration}_bucket{le="${le}"} ${this.#buckets[index]}`),
      `${duration}_bucket{le="+Inf"} ${this.#count}`,
      `${duration}_sum ${this.#sum}`,
      `${duration}_count ${this.#count}`,
      '',
    ].join('\n');
  }
}

/** The gauge that every client library has. */
export const memoryText = (bytes: number): string =>
  `# TYPE process_resident_memory_bytes gauge\nprocess_resident_memory_bytes ${bytes}\n`;
