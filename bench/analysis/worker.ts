import { parentPort, workerData } from 'node:worker_threads';
import { printed, tables } from './tables.ts';

// Makes the tables that it is asked for, one after the other.
const { runs } = workerData as { runs: number };
const port = parentPort;
port?.on('message', (name: string) => {
  const found = tables.find((one) => one.name === name);
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
  if (found !== undefined) port.postMessage({ name, text: printed(found, runs) });
});
