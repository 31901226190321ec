// What Haldane depends on fails: Prometheus, Slack, a thing that both versions need.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { waitUntil } from '../api.ts';
import { type Cluster, openCluster } from '../cluster.ts';
import type { Controller, ShippedConfig } from '../controller.ts';
import { type Slack, startSlack } from '../slack.ts';
import { rounded, unanswered, untilCleared, untilCut, untilPromoted } from './records.ts';
import {
  busyShop,
  canaryWeight,
  endShop,
  figure,
  startHaldane,
  untilRest,
  untilWeight,
  watchRoute,
} from './setup.ts';

const next = 'shop/web:v2';

let cluster: Cluster;
let hanging: Slack;
let moody: Slack;
let quick: Slack;
let controller: Controller;
/** Judges one namespace alone, so that it can be killed while the others go on. */
let mortal: Controller;

beforeAll(async () => {
  cluster = await openCluster();
  [hanging, moody, quick] = [
    await startSlack(cluster),
    await startSlack(cluster),
    await startSlack(cluster),
  ];
  hanging.behave({ kind: 'hang' });
  controller = await startHaldane(cluster, {
    edit: (config) => {
      addNotifiers(config, { hanging, quick });
      setController(config, {
        namespaces: ['no-metrics', 'slack-hangs', 'slack-works', 'slack-none'],
      });
    },
  });
  mortal = await startHaldane(cluster, {
    name: 'controller-mortal',
    readyUrl: 'http://127.0.0.1:8091/readyz',
    edit: (config) => {
      addNotifiers(config, { moody });
      setController(config, {
        namespaces: ['slack-moody'],
        metricsPort: 8091,
        leaderElection: false,
      });
    },
  });
});

function addNotifiers(config: ShippedConfig, notifiers: Readonly<Record<string, Slack>>): void {
  for (const [name, { urlFile }] of Object.entries(notifiers)) {
    config.notifiers[name] = { kind: 'slack', urlFile };
  }
}

function setController(config: ShippedConfig, change: Readonly<Record<string, unknown>>): void {
  config['controller'] = { ...(config['controller'] as object | undefined), ...change };
}

afterAll(async () => {
  await controller?.stop();
  await mortal?.stop();
  for (const slack of [hanging, moody, quick]) await slack?.close();
  await cluster?.components.repair();
  await cluster?.close();
});

/** A release that always fails, until its traffic is off. */
async function fail(namespace: string, notify: string) {
  const annotations = { 'haldane.dev/notify': notify };
  const busy = await busyShop(cluster, namespace, { annotations });
  await busy.shop.release(next, { ERROR_RATE: '1' });
  const { seconds } = await untilCut(busy, 60_000);
  return { ...busy, seconds };
}

describe('away', () => {
  it('Prometheus, for a minute: held, not judged, and it goes on by itself', async () => {
    const annotations = {
      'haldane.dev/steps': '10,50',
      'haldane.dev/notify': 'quick',
      'haldane.dev/min-step': '10s',
      'haldane.dev/bake': '10s',
    };
    const busy = await busyShop(cluster, 'no-metrics', { rate: 300, annotations });
    const { shop } = busy;
    const route = watchRoute(cluster, shop);
    await shop.release(next);
    await untilWeight(shop, 10);
    await controller.untilLog('a count', ({ rollout, rule, canaryWeightPercent }) => {
      return rollout === 'no-metrics/web' && rule === 'gathering' && canaryWeightPercent === 10;
    });
    onTestFinished(() => cluster.components.repair());
    await cluster.components.stop('prometheus');
    const stopped = Date.now();
    const held = await controller.untilLog('a hold', ({ rollout, rule, time }) => {
      const at = Date.parse(String(time));
      return rollout === 'no-metrics/web' && rule === 'cannotJudge' && at > stopped;
    });
    await sleep(Math.max(0, stopped + 60_000 - Date.now()));
    expect(await canaryWeight(shop)).toBe(10);
    await cluster.components.start('prometheus');
    const started = Date.now();
    await untilWeight(shop, 50, 60_000);
    const raisedAfter = (Date.now() - started) / 1000;
    await untilPromoted(busy, cluster, next);
    await untilRest(cluster, shop, next);
    route.stop();
    const { sent, failed } = await endShop(busy);
    const message = await quick.until(/no-metrics\/web.*unreachable/s);
    figure(
      'Prometheus away for 60 s',
      `held after ${rounded((Date.parse(String(held.time)) - stopped) / 1000)} s, raised ` +
        `${rounded(raisedAfter)} s after it was back, ${failed.length} of ${sent} failed`,
    );
    const during = route.seen.filter(({ at }) => at > stopped && at < started);
    expect(during).toEqual([]);
    expect(route.seen.map(({ weight }) => weight)).toEqual([0, 10, 50, 100, 0]);
    expect(message.arrivedAt).toBeLessThan(started);
    expect(failed).toEqual([]);
  });

  it.concurrent('Slack hangs for ever: nothing that matters to users waits for it', async () => {
    const [hung, told, silent] = await Promise.all([
      fail('slack-hangs', 'hanging'),
      fail('slack-works', 'quick'),
      fail('slack-none', 'none'),
    ]);
    for (const busy of [told, silent]) await untilCleared(cluster, busy.shop);
    // All but the record that remembers what is still to be told has gone.
    await cluster.api.until(hung.shop.paths.route, (route) => {
      return Object.keys(route?.metadata.annotations ?? {}).length === 0;
    });
    figure(
      'Slack hangs',
      `weight 0 after ${rounded(hung.seconds)} s; with a Slack that works ` +
        `${rounded(told.seconds)} s, without Slack ${rounded(silent.seconds)} s`,
    );
    for (const busy of [hung, told, silent]) {
      const { failed } = await endShop(busy);
      expect(busy.seconds).toBeLessThanOrEqual(8);
      expect(failed.length).toBeLessThanOrEqual(10);
      expect(unanswered(busy.load.log)).toEqual([]);
    }
    expect(hanging.messages.length).toBeGreaterThan(0);
    expect(hanging.accepted()).toEqual([]);
    expect(quick.accepted().filter(({ text }) => text.includes('slack-works/'))).toHaveLength(1);
  });

  it.concurrent('Slack asks for patience, the controller dies: one message in all', async () => {
    moody.behave({ kind: 'refuse', status: 429, retryAfter: 3 });
    const busy = await fail('slack-moody', 'moody');
    const refused = () => moody.messages.filter(({ status }) => status === 429);
    await waitUntil(() => refused().length >= 2, { what: 'two refusals' });
    const [first, second] = refused();
    const pause = (second?.arrivedAt ?? 0) - (first?.arrivedAt ?? 0);
    await mortal.kill();
    moody.behave({ kind: 'accept' });
    await mortal.start();
    await moody.until('slack-moody/web', 60_000);
    await untilCleared(cluster, busy.shop);
    // Whoever starts again must not tell again.
    await mortal.kill();
    await mortal.start();
    await sleep(3000); // time enough for a message that must not come
    await endShop(busy);
    figure(
      'Slack answers 429, Retry-After 3, controller killed in between',
      `${moody.accepted().length} message; tried again after ${rounded(pause / 1000)} s`,
    );
    expect(pause).toBeGreaterThanOrEqual(3000);
    expect(moody.accepted()).toHaveLength(1);
  });
});
