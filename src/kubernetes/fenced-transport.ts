import { OperatingError } from '../lib/errors.ts';
import { type Millis, millis, seconds } from '../lib/units.ts';
import type { Leadership } from './lease.ts';
import type { KubernetesTransport } from './transport.ts';

/** A write needs this long at least; what is left of a term may be too short to begin one. */
const shortest: Millis = millis(500);
const usual: Millis = seconds(10);

/**
 * Lets writes through only while we lead, and none may wait for its answer beyond the term: a
 * process that was stopped and wakes as no longer the leader sends nothing, whatever was about to
 * be sent. Reads pass always.
 */
export function fencedTransport(options: {
  readonly transport: KubernetesTransport;
  /** The current term, e.g. `() => election.leadership`. */
  readonly leadership: () => Pick<Leadership, 'remaining'> | undefined;
}): KubernetesTransport {
  const { transport, leadership } = options;
  return {
    request: async (request, signal) => {
      if (request.method === 'GET') return transport.request(request, signal);
      const left = leadership()?.remaining() ?? 0;
      if (left < shortest) {
        throw new OperatingError('KUBERNETES_UNAVAILABLE', 'not the leader: nothing was written');
      }
      const timeout = millis(Math.min(request.timeout ?? usual, left));
      return transport.request({ ...request, timeout }, signal);
    },
    stream: (path, query, signal) => transport.stream(path, query, signal),
  };
}
