import { on } from 'node:events';
import { parentPort, workerData } from 'node:worker_threads';
import { disturbed } from '../../test/simulation/placed/run.ts';

/** What came of the plans of one workload. */
export interface Done {
  readonly name: string;
  readonly plans: number;
  readonly failures: number;
  /** Of the first few. */
  readonly reports: readonly string[];
}

// Runs the workloads that it is asked for, one after the other.
const { every } = workerData as { every: number };
const port = parentPort ?? process.exit();
for await (const [name] of on(port, 'message') as AsyncIterable<[string]>) {
  const { plans, failures } = await disturbed(name, every);
  const reports = failures.slice(0, 3);
  const done: Done = { name, plans, failures: failures.length, reports };
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
  port.postMessage(done);
}
