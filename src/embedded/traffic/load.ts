import { Agent, request } from 'node:http';
import type { Clock } from '../../lib/clock.ts';
import { millis } from '../../lib/units.ts';

export type LoadParts = {
  readonly clock: Clock;
  /** Where the gateway listens. */
  readonly url: string;
  readonly host: string;
  readonly rate: () => number;
};

export type LoadCounts = { sent: number; answered: number; failed: number; lost: number };

/** Clients that send real requests at a steady rate, on kept connections. */
export class SteadyLoad {
  readonly counts: LoadCounts = { sent: 0, answered: 0, failed: 0, lost: 0 };
  readonly #parts: LoadParts;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 64 });
  #owed = 0;
  #last: number;
  #cancel = () => {};

  constructor(parts: LoadParts) {
    this.#parts = parts;
    this.#last = parts.clock.monotonic();
    this.#arm();
  }

  stop(): void {
    this.#cancel();
    this.#agent.destroy();
  }

  #arm(): void {
    this.#cancel = this.#parts.clock.after(millis(20), () => {
      const now = this.#parts.clock.monotonic();
      // After a pause of the process the clients do not make up for what they missed.
      this.#owed += (this.#parts.rate() * Math.min(now - this.#last, 200)) / 1000;
      this.#last = now;
      for (; this.#owed >= 1; this.#owed -= 1) this.#send();
      this.#arm();
    });
  }

  #send(): void {
    this.counts.sent += 1;
    const { url, host } = this.#parts;
    const outgoing = request(url, { agent: this.#agent, headers: { host } }, (answer) => {
      this.counts.answered += 1;
      if ((answer.statusCode ?? 0) >= 500) this.counts.failed += 1;
      answer.resume();
    });
    outgoing.on('error', () => {
      this.counts.lost += 1;
    });
    outgoing.end();
  }
}
