import { on } from 'node:events';
import { parentPort, workerData } from 'node:worker_threads';
import { disturbed } from '../../test/simulation/placed/run.ts';

/** What came of a part of the plans of one workload. */
export interface Done {
  readonly name: string;
  readonly plans: number;
  readonly failures: number;
  /** Of the first few. */
  readonly reports: readonly string[];
}

export interface Asked {
  /** Into how many parts the plans of each workload are dealt out. */
  readonly parts: number;
}

// Runs the parts that it is asked for, `PART/WORKLOAD` each, one after the other.
const { parts } = workerData as Asked;
const port = parentPort ?? process.exit();
for await (const [asked] of on(port, 'message') as AsyncIterable<[string]>) {
  const slash = asked.indexOf('/');
  const name = asked.slice(slash + 1);
  const { plans, failures } = await disturbed(name, parts, Number(asked.slice(0, slash)));
  const done: Done = { name, plans, failures: failures.length, reports: failures.slice(0, 3) };
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
  port.postMessage(done);
}
