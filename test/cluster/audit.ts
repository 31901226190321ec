import { readFile } from 'node:fs/promises';
import type { Cluster } from './cluster.ts';

/** One request of a ServiceAccount, as the API server's audit log has it. */
export interface AuditedRequest {
  /** Milliseconds since 1970 at which it arrived. */
  readonly at: number;
  readonly user: string;
  readonly verb: string;
  readonly uri: string;
  readonly status: number;
  readonly userAgent: string;
}

interface AuditEvent {
  readonly stage: string;
  readonly verb: string;
  readonly requestURI: string;
  readonly user: { readonly username: string };
  readonly userAgent?: string;
  readonly requestReceivedTimestamp: string;
  readonly responseStatus?: { readonly code?: number };
}

export interface AuditFilter {
  /** `NAMESPACE/NAME` of a ServiceAccount. */
  readonly account: string;
  /** Milliseconds since 1970. */
  readonly since?: number;
  readonly until?: number;
}

/**
 * What a ServiceAccount asked of the API server, watches included (once each, when they began).
 * The log is written at once when a request has been answered.
 */
export async function auditedRequests(
  cluster: Cluster,
  filter: AuditFilter,
): Promise<readonly AuditedRequest[]> {
  const user = `system:serviceaccount:${filter.account.replace('/', ':')}`;
  const { since = 0, until = Number.POSITIVE_INFINITY } = filter;
  const text = await readFile(cluster.files.auditLog, 'utf8').catch(() => '');
  return text
    .split('\n')
    .filter((line) => line.includes(user))
    .flatMap(parseEvent)
    .filter((event) => (event.verb === 'watch') === (event.stage === 'ResponseStarted'))
    .map((event) => ({
      at: Date.parse(event.requestReceivedTimestamp),
      user: event.user.username,
      verb: event.verb,
      uri: event.requestURI,
      status: event.responseStatus?.code ?? 0,
      userAgent: event.userAgent ?? '',
    }))
    .filter((request) => request.user === user && request.at >= since && request.at < until);
}

/** The last line may be half written. */
function parseEvent(line: string): readonly AuditEvent[] {
  try {
    return [JSON.parse(line) as AuditEvent];
  } catch {
    return [];
  }
}
