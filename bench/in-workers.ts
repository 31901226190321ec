import { Worker } from 'node:worker_threads';

/** What the threads of one bench have in common. */
export interface Work<Data, Result> {
  /** The file that answers each message, a name, with one result. */
  readonly worker: URL;
  readonly data: Data;
  /** Each thread takes the first that is left. */
  readonly names: readonly string[];
  readonly threads: number;
  /** No name is given out after so many minutes. */
  readonly minutes?: number;
  /** Called with each result, in the order in which they come. */
  take(result: Result): void;
}

/**
 * Resolves when every name has been worked on that there was time for; rejects when a thread fails.
 */
export async function inWorkers<Data, Result>(work: Work<Data, Result>): Promise<void> {
  const left = [...work.names];
  const until = performance.now() + (work.minutes ?? Number.POSITIVE_INFINITY) * 60_000;
  const one = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const worker = new Worker(work.worker, { workerData: work.data });
      const give = () => {
        const name = performance.now() < until ? left.shift() : undefined;
        if (name === undefined) void worker.terminate();
        // oxlint-disable-next-line unicorn/require-post-message-target-origin -- has no origin
        else worker.postMessage(name);
      };
      worker.on('message', (result: Result) => {
        work.take(result);
        give();
      });
      worker.on('error', reject);
      worker.on('exit', () => resolve());
      give();
    });
  await Promise.all(Array.from({ length: Math.min(work.threads, left.length) }, one));
}
