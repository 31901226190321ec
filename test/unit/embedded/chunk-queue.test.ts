import { expect, test } from 'vitest';
import { ChunkQueue } from '../../../src/embedded/chunk-queue.ts';

function aQueue() {
  let returns = 0;
  const queue = new ChunkQueue(() => (returns += 1));
  return { queue, returns: () => returns };
}

async function consumed(queue: ChunkQueue, most = Number.POSITIVE_INFINITY) {
  const pieces: unknown[] = [];
  for await (const piece of queue) if (pieces.push(piece) >= most) break;
  return pieces;
}

test('what comes before and while somebody waits is told in order, then the end', async () => {
  const { queue, returns } = aQueue();
  queue.push('1');
  queue.push('2');
  const told = consumed(queue);
  await new Promise(setImmediate);
  queue.push('3');
  queue.push('4');
  queue.end();
  expect(await told).toEqual(['1', '2', '3', '4']);
  expect(returns()).toBe(1);
});

test('a failure is told after what came before it', async () => {
  const { queue, returns } = aQueue();
  const pieces: unknown[] = [];
  const told = (async () => {
    for await (const piece of queue) pieces.push(piece);
  })();
  queue.push('1');
  queue.push('2');
  queue.fail(new Error('lost'));
  await expect(told).rejects.toThrow('lost');
  expect(pieces).toEqual(['1', '2']);
  expect(returns()).toBe(1);
});

test('a failure ends a wait', async () => {
  const { queue, returns } = aQueue();
  const told = consumed(queue);
  await new Promise(setImmediate);
  queue.fail(new Error('lost'));
  await expect(told).rejects.toThrow('lost');
  expect(returns()).toBe(1);
});

test('who stops early is heard of once', async () => {
  const { queue, returns } = aQueue();
  for (const piece of ['1', '2', '3']) queue.push(piece);
  expect(await consumed(queue, 2)).toEqual(['1', '2']);
  queue.push('4');
  queue.end();
  expect(returns()).toBe(1);
});
