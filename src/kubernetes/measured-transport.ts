import type { Clock } from '../lib/clock.ts';
import { type Millis, millis } from '../lib/units.ts';
import type { KubernetesTransport } from './transport.ts';

export interface RequestSeen {
  readonly verb: 'get' | 'list' | 'watch' | 'create' | 'patch' | 'delete';
  /** Plural with its subresource, e.g. `deployments/status`. */
  readonly resource: string;
  /** HTTP status; 0 when no answer came. */
  readonly status: number;
  /** Until the last byte; for a watch until its headers. */
  readonly millis: Millis;
}

/** Tells `onRequest` about every request that goes through, whatever the transport below. */
export function measuredTransport(options: {
  readonly transport: KubernetesTransport;
  readonly clock: Clock;
  readonly onRequest: (seen: RequestSeen) => void;
}): KubernetesTransport {
  const { transport, clock, onRequest } = options;
  const timed = async <A extends { readonly status: number }>(
    what: { readonly verb: RequestSeen['verb']; readonly resource: string },
    call: () => Promise<A>,
  ): Promise<A> => {
    const start = clock.monotonic();
    let status = 0;
    try {
      const answer = await call();
      status = answer.status;
      return answer;
    } finally {
      onRequest({ ...what, status, millis: millis(clock.monotonic() - start) });
    }
  };
  return {
    request: (request, signal) => {
      const { resource, named } = partsOf(request.path);
      const verb = verbOf[request.method] ?? (named ? 'get' : 'list');
      return timed({ verb, resource }, () => transport.request(request, signal));
    },
    stream: (path, query, signal) =>
      timed({ verb: 'watch', resource: partsOf(path).resource }, () =>
        transport.stream(path, query, signal),
      ),
  };
}

const verbOf: Partial<Record<string, RequestSeen['verb']>> = {
  POST: 'create',
  PATCH: 'patch',
  DELETE: 'delete',
};

/** Plural, subresource and whether one object is meant, read off an API path. */
function partsOf(path: string): { readonly resource: string; readonly named: boolean } {
  const parts = path.split('/').slice(path.startsWith('/apis/') ? 4 : 3);
  const inNamespace = parts[0] === 'namespaces' && parts.length > 2;
  const [plural = '', name, subresource] = inNamespace ? parts.slice(2) : parts;
  return {
    resource: subresource === undefined ? plural : `${plural}/${subresource}`,
    named: name !== undefined,
  };
}
