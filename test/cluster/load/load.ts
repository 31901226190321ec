import { fork } from 'node:child_process';
import { join } from 'node:path';
import { endpoints } from '../components.ts';
import { prefer } from '../priority.ts';
import type { LoadEnd, LoadMessage, LoadSettings } from './protocol.ts';
import { type LoadedRequest, RequestLog } from './request-log.ts';

export type LoadOptions = Partial<LoadSettings> &
  Pick<LoadSettings, 'host' | 'rate'> & {
    /** Called with each request when it has ended. */
    readonly onRequest?: (request: LoadedRequest) => void;
  };

/** A load under way. It has a process of its own, so that a busy test delays no request. */
export interface Load {
  /** Grows while the load runs; answers appear after at most a tenth of a second. */
  readonly log: RequestLog;
  /**
   * Resolves when the load has ended by its bounds or by `stop`, and every answer is in the log.
   */
  readonly ended: Promise<LoadEnd>;
  /** No more requests; those under way are waited for. */
  stop(): Promise<LoadEnd>;
}

/** Nobody's load runs for ever. */
const defaults = {
  target: endpoints.gateway,
  path: '/',
  seconds: 900,
  count: 2_000_000,
  timeout: 10_000,
};

/** Starts a constant rate of requests through the gateway. */
export function startLoad({ onRequest, ...options }: LoadOptions): Load {
  const settings: LoadSettings = { ...defaults, ...options };
  const log = new RequestLog();
  const child = fork(join(import.meta.dirname, 'main.ts'), [JSON.stringify(settings)], {
    execArgv: [],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    detached: true, // a session of its own, and so its own share of the processor
  });
  if (child.pid !== undefined) prefer(child.pid);
  const ended = new Promise<LoadEnd>((resolve, reject) => {
    child.on('message', (message) => {
      const { requests, end } = message as LoadMessage;
      for (const [sentAt, latency, status, version, pod, error] of requests) {
        const request = { sentAt, latency, status, version, pod, error };
        log.all.push(request);
        onRequest?.(request);
      }
      if (end !== undefined) resolve(end);
    });
    child.on('error', reject);
    // Not `exit`, which may come before its last message.
    child.on('close', (code) => reject(new Error(`the load generator ended with ${code}`)));
  });
  ended.catch(() => {}); // told to whoever waits for it; nobody waiting must not end the process
  return {
    log,
    ended,
    stop: () => {
      if (child.connected) child.send({ stop: true });
      return ended;
    },
  };
}
