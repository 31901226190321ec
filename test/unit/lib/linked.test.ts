import { expect, test } from 'vitest';
import { linked } from '../../../src/lib/linked.ts';

test('follows its parent, also one that is over already', () => {
  const parent = new AbortController();
  const { signal } = linked(parent.signal);
  expect(signal.aborted).toBe(false);
  const reason = new Error('the process ends');
  parent.abort(reason);
  expect(signal.reason).toBe(reason);
  expect(linked(parent.signal).signal.reason).toBe(reason);
});

test('is aborted by itself, and its parent goes on', () => {
  const parent = new AbortController();
  const life = linked(parent.signal);
  const reason = new Error('the watch is overdue');
  life.abort(reason);
  parent.abort(new Error('later'));
  expect(life.signal.reason).toBe(reason);
});

test('once unlinked, the end of the parent means nothing to it', () => {
  const parent = new AbortController();
  const life = linked(parent.signal);
  life.unlink();
  parent.abort();
  expect(life.signal.aborted).toBe(false);
});
