// Checks that do not count requests: a release whose answers are right and whose pods are not.
import { describe, expect, it } from 'vitest';
import type { ShippedConfig } from '../controller.ts';
import { rounded, unanswered, untilCleared, untilPromoted } from './records.ts';
import { type BusyShop, busyShop, endShop, figure, untilRest, untilWeight } from './setup.ts';
import { untilShown } from './shown.ts';
import { setStage } from './stage.ts';

const good = 'shop/web:v1';
const next = 'shop/web:v2';
const leaking = { LEAK_MB_PER_S: '4' };

/**
 * The shipped check of memory, looked at every 5 s so that nobody waits for minutes, and an
 * objective at which one of the gateway's buckets ends.
 */
function watchful(config: ShippedConfig): void {
  const checks = config['checks'] as Record<string, Record<string, unknown>>;
  checks['memory'] = { ...checks['memory'], window: '5s' };
  checks['latency-objective'] = { ...checks['latency-objective'], objective: '250ms' };
  checks['memory-shown'] = { ...checks['memory'], dryRun: true };
  config['profiles'] = { default: { warmUp: '5s' } };
}

const steady = { namespace: 'steady' } as const;

const stage = setStage({ edit: watchful });

/** What stable does is looked up when a release begins: some of it must have been scraped. */
const untilKnown = ({ load }: BusyShop) =>
  load.log.until('a history of stable', ({ all }) => all.length >= 1600, 90_000);

describe('a gauge of every pod', () => {
  const shopWith = (namespace: string, checks: string) =>
    busyShop(stage.cluster, namespace, {
      rate: 40,
      annotations: { 'haldane.dev/checks': checks, 'haldane.dev/steps': '10,50' },
    });

  it.concurrent('a release that answers 200 and leaks memory is rolled back', async () => {
    const busy = await shopWith('leak', 'errors,memory');
    const { shop, load } = busy;
    await shop.release(next, leaking);
    await untilWeight(shop, 10);
    const began = Date.now();
    const message = await stage.slack.until('leak/web', 180_000);
    const seconds = (Date.now() - began) / 1000;
    await untilCleared(stage.cluster, shop);
    const serving = (await shop.visit()).version;
    const { sent, failed } = await endShop(busy);
    const verdict = stage.controller
      .logs()
      .find((line) => line['rule'] === 'evidenceWorse' && line['rollout'] === 'leak/web');
    const because = String(verdict?.['because']);
    figure(
      'a leak of 4 MB/s over 100 MB, looked at every 5 s',
      `rolled back after ${rounded(seconds)} s, ${failed.length} of ${sent} failed; ${because}`,
    );
    expect(because).toMatch(/^memory: the canary's pods were above 1.25 × stable's largest in/);
    expect(serving).toBe('v1');
    expect(failed).toEqual([]);
    expect(unanswered(load.log)).toEqual([]);
    expect(message.text).toContain('memory');
    expect(message.text).toContain(`${good} → ${next}`);
    expect(seconds).toBeLessThanOrEqual(120);
  }, 300_000);

  it.concurrent('as much memory, as quick and as lasting as before is promoted', async () => {
    const busy = await shopWith('steady', 'errors,memory,latency-objective,restarts');
    const { shop, load } = busy;
    await untilKnown(busy);
    await shop.release(next);
    await untilWeight(shop, 10);
    const began = Date.now();
    // Nothing ended, and every answer was quick: both are looked at, and nothing is held by them.
    await untilShown({ metric: 'haldane_check_evidence', ...steady, check: 'restarts' }, 0.01);
    await untilShown(
      { metric: 'haldane_check_promotion_evidence', ...steady, check: 'latency-objective' },
      1,
    );
    const promotedAt = await untilPromoted(busy, stage.cluster, next, 240_000);
    await untilRest(stage.cluster, shop, next);
    await endShop(busy);
    figure(
      'steady memory, looked at every 5 s',
      `promoted after ${rounded((promotedAt - began) / 1000)} s`,
    );
    expect(unanswered(load.log)).toEqual([]);
    const told = stage.slack.messages.filter(({ text }) => text.includes('steady/web'));
    expect(told.map(({ text }) => text.split('\n')[0])).not.toContain('Rolled back: steady/web');
  }, 300_000);

  it.concurrent('a leak that is only shown stops nobody', async () => {
    const busy = await shopWith('shown', 'errors,memory-shown');
    const { shop, load } = busy;
    await shop.release(next, leaking);
    await untilWeight(shop, 10);
    const shown = { namespace: 'shown', check: 'memory-shown' } as const;
    await untilShown({ metric: 'haldane_check_evidence', ...shown }, 100);
    await untilPromoted(busy, stage.cluster, next, 240_000);
    await untilRest(stage.cluster, shop, next);
    await endShop(busy);
    expect(unanswered(load.log)).toEqual([]);
  }, 300_000);
});

describe('the latency that the service promises', () => {
  it('a release that breaks it is rolled back, though stable was never near it', async () => {
    const busy = await busyShop(stage.cluster, 'promise', {
      rate: 40,
      annotations: {
        'haldane.dev/checks': 'errors,latency-objective',
        'haldane.dev/steps': '10,50',
      },
    });
    const { shop, load } = busy;
    await untilKnown(busy);
    await shop.release(next, { LATENCY_MS: '230', LATENCY_JITTER_MS: '100' });
    await untilWeight(shop, 10);
    const began = Date.now();
    const message = await stage.slack.until('promise/web', 180_000);
    const seconds = (Date.now() - began) / 1000;
    await untilCleared(stage.cluster, shop);
    const { sent, failed } = await endShop(busy);
    const met = load.log.all.filter(({ version }) => version === 'v2').length;
    figure(
      'answers of 230 to 330 ms where 250 are promised',
      `rolled back after ${rounded(seconds)} s, ${met} of ${sent} requests met it`,
    );
    expect(message.text).toContain('latency-objective');
    expect(message.text).toContain('0.25 s');
    expect(failed).toEqual([]);
    expect(unanswered(load.log)).toEqual([]);
    expect(seconds).toBeLessThanOrEqual(120);
  }, 300_000);
});
