/** What went wrong in the outside world. The code is the log word and the metric label. */
export type ErrorCode =
  | 'KUBERNETES_CONFLICT' // 409 on a write: the object has changed since it was read
  | 'KUBERNETES_ALREADY_EXISTS' // 409 on a create
  | 'KUBERNETES_NOT_FOUND'
  | 'KUBERNETES_GONE' // 410: the resourceVersion is too old
  | 'KUBERNETES_INVALID' // 400, 422: refused by validation or a failed precondition of a patch
  | 'KUBERNETES_FORBIDDEN' // 401, 403
  | 'KUBERNETES_THROTTLED' // 429, carries retryAfter
  | 'KUBERNETES_UNAVAILABLE' // 5xx, connection lost, time-out: the outcome of a write is unknown
  | 'ROUTE_CHANGED'
  | 'METRICS_UNAVAILABLE'
  | 'METRICS_REFUSED'
  | 'NOTIFY_FAILED'
  | 'NOTIFY_THROTTLED'
  | 'CONFIG_INVALID';

export interface OperatingErrorOptions {
  readonly retry?: 'backoff' | 'never';
  /** The other side asked for this pause, in milliseconds, before the next try. */
  readonly retryAfterMillis?: number;
  readonly cause?: unknown;
}

/** Expected in production: raised by an adapter, handled once in `controller/worker.ts`. */
export class OperatingError extends Error {
  override readonly name = 'OperatingError';
  readonly code: ErrorCode;
  readonly retry: 'backoff' | 'never';
  readonly retryAfterMillis: number | undefined;

  constructor(code: ErrorCode, message: string, options: OperatingErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.retry = options.retry ?? 'backoff';
    this.retryAfterMillis = options.retryAfterMillis;
  }
}

/** Our own bug: the rollout concerned is held and counted; the others go on. */
export class InvariantError extends Error {
  override readonly name = 'InvariantError';
}

/** Throws {@link InvariantError} unless `condition` holds. */
export function invariant(condition: boolean, message: string): asserts condition {
  if (!condition) throw new InvariantError(message);
}

export const isOperatingError = (error: unknown, code?: ErrorCode): error is OperatingError =>
  error instanceof OperatingError && (code === undefined || error.code === code);

/** One line for logs and statuses; never the body of an answer. */
export const describeError = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);
