import { waitUntil } from '../api.ts';

/** One request and what became of it. */
export interface LoadedRequest {
  /** Milliseconds since 1970 at which it was sent. */
  readonly sentAt: number;
  /** Milliseconds to the end of the answer, or to the error. */
  readonly latency: number;
  /** HTTP status; 0 when no answer came. */
  readonly status: number;
  /** `x-version` and `x-pod` of the answer; empty when the proxy answered by itself. */
  readonly version: string;
  readonly pod: string;
  /** Why no answer came; empty when one did. */
  readonly error: string;
}

/** Every request of a load, in the order in which the answers came, while it grows. */
export class RequestLog {
  readonly all: LoadedRequest[] = [];

  /** Requests that a user would call failed: no answer, or a status of 400 and above. */
  failed(): readonly LoadedRequest[] {
    return this.all.filter(isFailed);
  }

  /** The failed request that was sent first. */
  firstFailure(): LoadedRequest | undefined {
    let first: LoadedRequest | undefined;
    for (const one of this.all) {
      if (isFailed(one) && (first === undefined || one.sentAt < first.sentAt)) first = one;
    }
    return first;
  }

  /** Requests sent from `from` until before `to` (milliseconds since 1970). */
  between(from: number, to: number): readonly LoadedRequest[] {
    return this.all.filter(({ sentAt }) => sentAt >= from && sentAt < to);
  }

  /** Answered requests by version; those that no pod answered are under ''. */
  byVersion(requests: readonly LoadedRequest[] = this.all): Readonly<Record<string, number>> {
    const counts: Record<string, number> = {};
    for (const { version } of requests) counts[version] = (counts[version] ?? 0) + 1;
    return counts;
  }

  /** Share, 0–1, of the requests sent in the last `window` milliseconds that a version answered. */
  share(version: string, window: number): number {
    const end = this.all.at(-1)?.sentAt ?? 0;
    const recent = this.between(end - window, end + 1);
    return recent.filter((one) => one.version === version).length / Math.max(1, recent.length);
  }

  /** Share of a version in each whole second since the first request: what a graph would show. */
  shareBySecond(version: string): readonly number[] {
    const start = Math.min(...this.all.slice(0, 1000).map(({ sentAt }) => sentAt));
    const totals: number[] = [];
    const hits: number[] = [];
    for (const one of this.all) {
      const second = Math.max(0, Math.floor((one.sentAt - start) / 1000));
      totals[second] = (totals[second] ?? 0) + 1;
      if (one.version === version) hits[second] = (hits[second] ?? 0) + 1;
    }
    return Array.from(totals.keys(), (second) => (hits[second] ?? 0) / (totals[second] ?? 1));
  }

  /**
   * Latency, in milliseconds, that the given share (0–1) of the answered requests did not exceed.
   */
  quantile(share: number): number {
    const sorted = this.all.filter(({ status }) => status > 0).map(({ latency }) => latency);
    sorted.sort((a, b) => a - b);
    return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
  }

  /** Waits until the log shows something. */
  until(what: string, condition: (log: RequestLog) => boolean, timeout = 30_000): Promise<void> {
    const told = () =>
      `${what}; requests so far ${this.all.length}, failed ${this.failed().length}`;
    return waitUntil(() => condition(this), { what: told, timeout, every: 50 });
  }
}

export function isFailed({ status }: LoadedRequest): boolean {
  return status === 0 || status >= 400;
}
