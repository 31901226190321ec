import { expect, test } from 'vitest';
import { millis } from '../../src/lib/units.ts';
import { virtualClock } from '../builders/virtual-clock.ts';
import { Process } from './process.ts';

test('stalls that overlap are one: nothing runs before the last of them ends', async () => {
  const world = virtualClock();
  const process = new Process(() => undefined);
  const ran: string[] = [];
  const answer = { status: 200, headers: {}, json: {} };
  const inner = { request: () => Promise.resolve(answer) };
  const transport = process.transport(inner as never);
  process.clock(world).after(millis(5), () => ran.push('timer'));
  const first = process.stall();
  const last = process.stall();
  const asked = { method: 'GET', path: '/version' } as const;
  void transport.request(asked, new AbortController().signal).then(() => ran.push('answer'));
  await world.advance(millis(10));
  first();
  await world.advance(millis(10));
  expect(ran).toEqual([]);
  last();
  await world.advance(millis(10));
  expect(ran).toEqual(['timer', 'answer']);
});
