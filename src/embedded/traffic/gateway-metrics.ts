import type { RouteRule } from './routing-table.ts';

export type Labels = Readonly<Record<string, string>>;
export type Sample = { readonly labels: Labels; readonly value: number };

/** Upper bounds of the duration histogram, in seconds. */
export const durationBounds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5] as const;

type Counters = {
  readonly byCode: Map<string, { requests: number; seconds: number; buckets: number[] }>;
  /** Counted since the last scrape. */
  fresh: boolean;
};

/** Requests per backend and code, in the form and with the names of Traefik's metrics. */
export class GatewayMetrics {
  readonly #services = new Map<string, Counters>();

  /** @param count  how many requests this stands for */
  record(service: string, code: number, seconds: number, count = 1): void {
    const counters = this.#services.get(service) ?? { byCode: new Map(), fresh: true };
    this.#services.set(service, counters);
    counters.fresh = true;
    const key = String(code);
    const known = counters.byCode.get(key) ?? {
      requests: 0,
      seconds: 0,
      buckets: durationBounds.map(() => 0),
    };
    counters.byCode.set(key, known);
    known.requests += count;
    known.seconds += seconds * count;
    durationBounds.forEach((bound, i) => {
      if (seconds <= bound) known.buckets[i] = (known.buckets[i] ?? 0) + count;
    });
  }

  /**
   * Everything as one scrape sees it. A backend that no rule names any more is shown once after its
   * last request and then forgotten.
   */
  scrape(rules: readonly RouteRule[]): readonly Sample[] {
    const named = new Set(rules.flatMap(({ backends }) => backends.map(({ label }) => label)));
    const samples: Sample[] = [];
    for (const [service, counters] of this.#services) {
      if (!named.has(service) && !counters.fresh) {
        this.#services.delete(service);
        continue;
      }
      counters.fresh = false;
      for (const [code, counts] of counters.byCode) {
        const labels = { code, method: 'GET', protocol: 'http', service };
        samples.push(...samplesOf(labels, counts));
      }
    }
    return samples;
  }
}

function samplesOf(
  labels: Labels,
  counts: {
    readonly requests: number;
    readonly seconds: number;
    readonly buckets: readonly number[];
  },
): Sample[] {
  const duration = 'traefik_service_request_duration_seconds';
  const bucket = (le: string, value: number) => ({
    labels: { ...labels, __name__: `${duration}_bucket`, le },
    value,
  });
  return [
    { labels: { ...labels, __name__: 'traefik_service_requests_total' }, value: counts.requests },
    ...durationBounds.map((bound, i) => bucket(String(bound), counts.buckets[i] ?? 0)),
    bucket('+Inf', counts.requests),
    { labels: { ...labels, __name__: `${duration}_sum` }, value: counts.seconds },
    { labels: { ...labels, __name__: `${duration}_count` }, value: counts.requests },
  ];
}
