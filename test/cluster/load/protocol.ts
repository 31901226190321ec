/** What the generator is started with, as JSON in its only argument. */
export interface LoadSettings {
  /** `host:port` to connect to. */
  readonly target: string;
  /** Host header. */
  readonly host: string;
  readonly path: string;
  /** Arrivals per second. They come at this rate whatever the answers do (an open loop). */
  readonly rate: number;
  /** Bounds, whichever comes first. */
  readonly seconds: number;
  readonly count: number;
  /** Milliseconds until a request without an answer has failed. */
  readonly timeout: number;
}

/** sentAt, latency, status, version, pod, error */
export type RequestTuple = readonly [number, number, number, string, string, string];

/** From the generator: requests that have ended, at most a tenth of a second ago. */
export interface LoadMessage {
  readonly requests: readonly RequestTuple[];
  /** Only in the last message. */
  readonly end?: LoadEnd;
}

/** How well the generator itself did. */
export interface LoadEnd {
  readonly sent: number;
  /** The most, in milliseconds, by which a request was sent later than it should have been. */
  readonly worstLag: number;
}
