import type { Clock } from '../../lib/clock.ts';
import type { Random } from '../../lib/random.ts';
import { millis } from '../../lib/units.ts';
import type { GatewayMetrics } from './gateway-metrics.ts';
import type { ModelledPods } from './modelled-pods.ts';
import type { Backend, RouteRule, RoutingTable } from './routing-table.ts';
import { WeightedChoice } from './weighted-choice.ts';

/** What became of one request. Everything but `served` and `failed` was lost by the data plane. */
export type Outcome = 'served' | 'failed' | 'no-route' | 'no-backend' | 'no-endpoint' | 'refused';

export type ModelledRequest = {
  readonly at: number;
  readonly rule: RouteRule | undefined;
  readonly backend: Backend | undefined;
  readonly pod: string | undefined;
  readonly outcome: Outcome;
  readonly seconds: number;
};

export type ModelledTrafficParts = {
  readonly clock: Clock;
  readonly random: Random;
  readonly table: RoutingTable;
  readonly pods: ModelledPods;
  readonly metrics: GatewayMetrics;
  readonly host: string;
  /** Requests per second; may be changed while running. */
  readonly rate: () => number;
  readonly everyMillis?: number;
  readonly onRequest?: (request: ModelledRequest) => void;
};

const statusOf: Readonly<Record<Outcome, number>> = {
  served: 200,
  failed: 500,
  'no-route': 404,
  'no-backend': 500,
  'no-endpoint': 503,
  refused: 502,
};

/**
 * Clients that send steadily to one host: every request is routed, answered and counted, none is
 * sent.
 */
export class ModelledTraffic {
  readonly #parts: ModelledTrafficParts;
  readonly #choice = new WeightedChoice();
  readonly #turns = new Map<string, number>();
  #owed = 0;
  #cancel = () => {};

  constructor(parts: ModelledTrafficParts) {
    this.#parts = parts;
    this.#arm();
  }

  stop(): void {
    this.#cancel();
  }

  #arm(): void {
    const every = this.#parts.everyMillis ?? 100;
    this.#cancel = this.#parts.clock.after(millis(every), () => {
      this.#owed += (this.#parts.rate() * every) / 1000;
      const rule = this.#parts.table.find(this.#parts.host, '/');
      for (; this.#owed >= 1; this.#owed -= 1) this.#send(rule);
      this.#arm();
    });
  }

  #send(rule: RouteRule | undefined): void {
    const backend = rule === undefined ? undefined : this.#choice.choose(rule.backends);
    const answer = this.#answer(rule, backend);
    const { clock, metrics, onRequest } = this.#parts;
    if (backend !== undefined)
      metrics.record(backend.label, statusOf[answer.outcome], answer.seconds);
    onRequest?.({ at: clock.now(), rule, backend, ...answer });
  }

  #answer(
    rule: RouteRule | undefined,
    backend: Backend | undefined,
  ): { readonly outcome: Outcome; readonly pod: string | undefined; readonly seconds: number } {
    const lost = (outcome: Outcome, pod?: string) => ({ outcome, pod, seconds: 0.001 });
    if (rule === undefined) return lost('no-route');
    if (backend === undefined) return lost('no-endpoint');
    if (!backend.exists) return lost('no-backend');
    const turn = this.#turns.get(backend.label) ?? 0;
    this.#turns.set(backend.label, turn + 1);
    const endpoint = backend.endpoints[turn % backend.endpoints.length];
    if (endpoint === undefined) return lost('no-endpoint');
    const behaviour = this.#parts.pods.at(endpoint.ip);
    if (behaviour === undefined) return lost('refused', endpoint.pod);
    const { random } = this.#parts;
    const spent = behaviour.latencyMillis + random() * behaviour.latencyJitterMillis;
    const failed = behaviour.errorRate > 0 && random() < behaviour.errorRate;
    return {
      outcome: failed ? 'failed' : 'served',
      pod: endpoint.pod,
      seconds: 0.002 + spent / 1000,
    };
  }
}
