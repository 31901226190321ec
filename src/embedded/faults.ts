import type { ApiRequest } from './request.ts';
import type { Change } from './store.ts';
import type { EventFault } from './subscription.ts';

/** What happens to one request of one client. */
export type RequestFault =
  /** Refused before it is performed: 429 and 503 may carry Retry-After. */
  | { readonly kind: 'answer'; readonly status: number; readonly retryAfterSeconds?: number }
  /** Never arrives. */
  | { readonly kind: 'lose-request' }
  /** Performed; the client never learns. */
  | { readonly kind: 'lose-answer' }
  /** Performed at once, answered later. */
  | { readonly kind: 'slow-answer'; readonly millis: number }
  /** Performed later. */
  | { readonly kind: 'slow-request'; readonly millis: number }
  /** A read that is served from an older revision. */
  | { readonly kind: 'stale'; readonly revision: number };

/** Decides, request by request and event by event, what goes wrong for one client. */
export type ClientFaults = {
  readonly onRequest?: (request: ApiRequest) => RequestFault | undefined;
  readonly onEvent?: (change: Change) => EventFault | undefined;
};

const reasons: Readonly<Record<number, string>> = {
  409: 'Conflict',
  410: 'Expired',
  429: 'TooManyRequests',
  500: 'InternalError',
  503: 'ServiceUnavailable',
  504: 'Timeout',
};

/** The body that goes with an injected status. */
export const faultBody = (status: number) => ({
  kind: 'Status',
  apiVersion: 'v1',
  metadata: {},
  status: 'Failure',
  message: 'injected fault',
  reason: reasons[status] ?? 'InternalError',
  code: status,
});
