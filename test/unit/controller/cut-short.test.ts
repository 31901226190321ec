import { expect, test } from 'vitest';
import { createController } from '../../../src/controller/controller.ts';
import type { Parts } from '../../../src/controller/parts.ts';
import type { WorkQueue } from '../../../src/controller/work-queue.ts';

/** What the log tells of a pass that rejects so, its signal aborted for this reason: codes. */
async function told(reason: Error, error: Error): Promise<readonly string[]> {
  const lines: string[] = [];
  const say = ({ code }: { readonly code: string }) => lines.push(code);
  const get = () => {
    throw error;
  };
  const parts = {
    clock: { monotonic: () => 0 },
    cluster: { deployments: { get } },
    metrics: { failed: () => undefined, reconciled: () => undefined },
    log: { error: say, warn: say },
  } as unknown as Parts;
  const queue = { retry: () => 0 } as unknown as WorkQueue;
  const signal = AbortSignal.abort(reason);
  await createController(parts, queue).work('shop/web', signal);
  return lines;
}

const reason = new Error('shutting down');

test('a pass that the end of the process cuts short is no bug', async () => {
  expect(await told(reason, reason)).toEqual([]);
});

test('one that fails at the same time is', async () => {
  expect(await told(reason, new TypeError('of undefined'))).toEqual(['BUG']);
});
