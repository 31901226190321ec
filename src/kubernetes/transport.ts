import { OperatingError } from '../lib/errors.ts';
import type { Millis } from '../lib/units.ts';

export type Method = 'GET' | 'POST' | 'PATCH' | 'DELETE';

/** `undefined` leaves the parameter out. */
export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

export interface KubernetesRequest {
  readonly method: Method;
  /** Made by `api-path.ts` only: absolute, already encoded, without a query. */
  readonly path: string;
  readonly query?: Query;
  /** Sent as JSON. */
  readonly body?: unknown;
  readonly contentType?: string;
  /** From the call to the last byte of the answer; the transport has a default. */
  readonly timeout?: Millis;
}

export interface KubernetesResponse {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** The parsed body; `undefined` when it is empty or no JSON. */
  readonly json: unknown;
}

/** One whole line, by its value: within one process nothing need be written out and read again. */
export interface ParsedLine {
  readonly parsed: unknown;
}

export type StreamPiece = Uint8Array | string | ParsedLine;

export const isParsedLine = (piece: StreamPiece): piece is ParsedLine =>
  typeof piece === 'object' && 'parsed' in piece;

export interface KubernetesStream {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /**
   * Pieces of the body as they arrive, cut anywhere. Ends when the server ends it, throws when it
   * breaks.
   */
  readonly chunks: AsyncIterable<StreamPiece>;
}

/**
 * The one way to an API server: raw JSON in, raw JSON out, any status. Contract:
 *  - resolves with whatever the server answered, 4xx and 5xx included
 *  - rejects with `OperatingError` KUBERNETES_UNAVAILABLE when no complete answer came (network,
 *    deadline, size): the outcome of a write is then unknown; rejects with the signal's reason when
 *    the caller aborted
 *  - never retries
 */
export interface KubernetesTransport {
  request(request: KubernetesRequest, signal: AbortSignal): Promise<KubernetesResponse>;
  /** A long GET. Resolves with the headers; there is no deadline after them. */
  stream(path: string, query: Query, signal: AbortSignal): Promise<KubernetesStream>;
}

/**
 * The answer is larger than the transport is willing to hold; a list asks again with a smaller
 * page.
 */
export class OversizedAnswer extends OperatingError {
  constructor(limit: number) {
    super('KUBERNETES_UNAVAILABLE', `the answer exceeds ${limit} bytes`);
  }
}
