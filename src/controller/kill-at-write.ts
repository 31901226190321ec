import type { KubernetesTransport } from '../kubernetes/transport.ts';

/**
 * For crash tests alone: ends the process without a goodbye at its n-th write, `n:before` it is
 * sent or `n:after` it
 * was answered. Without the setting the transport is returned as it is.
 */
export function killAtWrite(
  transport: KubernetesTransport,
  setting: string | undefined,
): KubernetesTransport {
  const match = /^(\d{1,6}):(before|after)$/.exec(setting ?? '');
  if (match === null) return transport;
  const [, number, moment] = match;
  let writes = 0;
  return {
    stream: (path, query, signal) => transport.stream(path, query, signal),
    request: async (request, signal) => {
      const counts = isWrite(request.method, request.path, request.query);
      if (counts) writes += 1;
      const due = counts && writes === Number(number);
      if (due && moment === 'before') process.kill(process.pid, 'SIGKILL');
      const answer = await transport.request(request, signal);
      if (due) process.kill(process.pid, 'SIGKILL');
      return answer;
    },
  };
}

/** Events, Leases and dry runs change nothing that a rollout depends on. */
const isWrite = (method: string, path: string, query: object | undefined): boolean =>
  method !== 'GET' &&
  !/\/(events|leases)(\/|$)/.test(path) &&
  !('dryRun' in (query ?? {}) && (query as { dryRun?: string }).dryRun !== undefined);
