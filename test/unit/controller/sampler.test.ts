import { describe, expect, test } from 'vitest';
import { afterRead, fullBudget, queriesPerInterval } from '../../../src/controller/query-budget.ts';
import { createSampler, type Sampled } from '../../../src/controller/sampler.ts';
import { instant, millis, seconds } from '../../../src/lib/units.ts';
import type { MetricSource } from '../../../src/metric-sources/metric-source.ts';
import { openStream, type PollStream } from '../../../src/metric-sources/poll-stream.ts';
import type { CompiledCheck } from '../../../src/metric-sources/template.ts';
import { virtualClock } from '../../builders/virtual-clock.ts';

const interval = seconds(1);

/** Rollouts whose pods are scraped once a second, each at a moment of its own. */
function sampling(
  phases: readonly number[],
  checks: readonly string[],
  { stored = 100, taking = 0 } = {},
) {
  const clock = virtualClock();
  const stop = new AbortController();
  const reads: number[] = [];
  let queries = 0;
  const source: MetricSource = {
    // One query for each template that is asked, as requests of one template share theirs.
    read: (requests) => {
      reads.push(clock.monotonic());
      queries += new Set(requests.map(({ check }) => check.selectorText)).size;
      return Promise.resolve(
        new Map(requests.map(({ id }) => [id, { kind: 'unusable', code: 'stale', detail: '' }])),
      );
    },
    queries: () => new Map([['ok', queries]]),
    close: () => undefined,
  };
  const sampler = createSampler({ sources: new Map([['default', source]]), clock });
  const compiled = checks.map(
    (name) => ({ name, source: 'default', selectorText: name }) as CompiledCheck,
  );
  const waited: number[] = [];
  phases.forEach((phase, i) => {
    const open = openStream(clock.now(), []);
    let boundary = clock.now() - interval + phase;
    const stream = (): PollStream => ({
      ...open,
      cursor: { interval, boundary: instant(boundary) },
    });
    const count = (at: number) => {
      const last = Math.floor((at - stored - phase) / interval) * interval + phase;
      if (last > boundary) waited.push(at - last - stored);
      boundary = Math.max(boundary, last);
    };
    const take: Sampled['take'] = ({ at }) => {
      if (taking === 0) count(at);
      else clock.after(millis(taking), () => count(at));
    };
    sampler.set(`shop/web-${i}`, { names: {} as Sampled['names'], checks: compiled, stream, take });
  });
  void sampler.run(stop.signal);
  /** Of another rollout nothing is known yet. */
  const add = (key: string) => {
    const stream = () => openStream(clock.now(), []);
    const take = () => undefined;
    sampler.set(key, { names: {} as Sampled['names'], checks: compiled, stream, take });
  };
  return { clock, stop, reads, waited, queries: () => queries, add };
}

const everyPhase = Array.from({ length: 200 }, (_, i) => i * 5);

describe('200 rollouts that are scraped at different moments', () => {
  test.each([
    ['one check', ['errors'], 1 / 4],
    ['two checks', ['errors', 'latency'], 1 / 2],
    ['six templates', ['a', 'b', 'c', 'd', 'e', 'f'], 1],
  ])(
    '%s: 4 queries an interval or a single read, and no sample waits long',
    async (_of, checks, longest) => {
      const { clock, stop, queries, waited } = sampling(everyPhase, checks);
      await clock.advance(seconds(10));
      const before = queries();
      waited.length = 0;
      await clock.advance(seconds(60));
      stop.abort();
      const most = Math.max(queriesPerInterval, checks.length);
      expect((queries() - before) / 60).toBeLessThanOrEqual(most);
      expect((queries() - before) / 60).toBeGreaterThan(most - 0.5);
      expect(waited.length).toBeGreaterThan(58 * 200);
      expect(Math.max(...waited)).toBeLessThanOrEqual(longest * interval + 1);
    },
  );
});

test('one rollout is asked for again soon when its samples are late', async () => {
  const { clock, stop, reads } = sampling([0], ['errors', 'latency'], { stored: 400 });
  await clock.advance(seconds(20));
  stop.abort();
  const within = reads.filter((at) => at >= 10_000).map((at) => at % interval);
  // Due 100 ms after each scrape, and stored after 400; the budget allows two reads an interval.
  expect(within.slice(0, 4)).toEqual([100, 500, 100, 500]);
  expect(within).toHaveLength(20);
});

test('what a pass takes in after a moment is not asked for a second time', async () => {
  const { clock, stop, reads } = sampling([0], ['errors'], { taking: 5 });
  await clock.advance(seconds(20));
  stop.abort();
  const within = reads.filter((at) => at >= 10_000).map((at) => at % interval);
  expect(within).toEqual(Array.from({ length: 10 }, () => 100));
});

test('a rollout that begins while another waits for its samples is asked for at once', async () => {
  const { clock, stop, reads, add } = sampling([0], ['errors'], { taking: 5 });
  await clock.advance(millis(10_500));
  add('shop/other');
  await clock.advance(millis(1));
  stop.abort();
  expect(reads.at(-1)).toBe(10_500);
});

test('what was not asked is not saved up, and what is too much does not stop the evidence', () => {
  const long = afterRead(fullBudget(millis(0)), { at: seconds(60), queries: 2, interval });
  expect(long).toEqual({ budget: { queries: 2, at: seconds(60) }, wait: 0 });
  const many = afterRead(long.budget, { at: seconds(60), queries: 50, interval });
  expect(many).toEqual({ budget: { queries: -4, at: seconds(60) }, wait: interval });
});
