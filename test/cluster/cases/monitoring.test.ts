// The dashboard and the alerts against a Prometheus that scrapes a controller at work.
import { join } from 'node:path';
import { request } from 'undici';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { monitoringQueries } from '../../builders/monitoring-queries.ts';
import { waitUntil } from '../api.ts';
import { type Cluster, openCluster } from '../cluster.ts';
import { runCommand } from '../command.ts';
import type { Controller } from '../controller.ts';
import { repository } from '../places.ts';
import { type Slack, startSlack } from '../slack.ts';
import { untilCleared } from './records.ts';
import {
  type BusyShop,
  busyShop,
  endShop,
  eventsOf,
  figure,
  startHaldane,
  untilWeight,
} from './setup.ts';

const alerts = join(repository, 'config/prometheus/alerts.yaml');
const queries = monitoringQueries({ rateInterval: '10s', range: '5m' });

let cluster: Cluster;
let controller: Controller;
let slack: Slack;
let shops: readonly BusyShop[];

beforeAll(async () => {
  cluster = await openCluster();
  slack = await startSlack(cluster);
  controller = await startHaldane(cluster, { slack });
  await cluster.prometheus.configure({
    scrapeInterval: cluster.settings.scrapeInterval,
    ruleFiles: [alerts],
    targets: { haldane: ['127.0.0.1:8081'] },
  });
  // One that stays at its step, one that nobody visits, one that fails.
  const annotations = { 'haldane.dev/steps': '50', 'haldane.dev/min-step': '1h' };
  shops = await Promise.all([
    busyShop(cluster, 'seen-good', { annotations, replicas: 2 }),
    busyShop(cluster, 'seen-idle', {
      annotations: { ...annotations, 'haldane.dev/checks': 'errors,latency' },
      replicas: 2,
      rate: 0.01,
    }),
    busyShop(cluster, 'seen-bad', { replicas: 2 }),
  ]);
});

afterAll(async () => {
  await Promise.all((shops ?? []).map(endShop));
  await cluster?.prometheus.configure({ scrapeInterval: cluster.settings.scrapeInterval });
  await controller?.stop();
  await slack?.close();
  await cluster?.close();
});

describe('monitoring', () => {
  it('shows a rollout under way, one that is held and one that was rolled back', async () => {
    const [good, idle, bad] = shops;
    await bad?.shop.release('shop/web:v2', { ERROR_RATE: '1' });
    for (const one of [good, idle]) await one?.shop.release('shop/web:v2');
    for (const one of [good, idle]) if (one !== undefined) await untilWeight(one.shop, 50);
    if (bad !== undefined) await untilCleared(cluster, bad.shop);
    // A hold is told when it has lasted.
    await slack.until('seen-idle/web', 90_000);
    const silent: string[] = [];
    for (const { where, query, needs } of queries) {
      if (needs === 'never' || needs === 'error') await cluster.prometheus.query(query);
      else if (!(await answers(query))) silent.push(`${where} (${needs}): ${query}`);
    }
    figure('monitoring', `${queries.length} queries, ${silent.length} without an answer`);
    expect(silent).toEqual([]);
  });

  it('alerts on series that there are', async () => {
    const names = new Set(
      queries
        .filter(({ where }) => where.startsWith('alert'))
        .flatMap(({ query }) => query.match(/\bhaldane_\w+/g) ?? []),
    );
    expect(names.size).toBeGreaterThan(8);
    const absent: string[] = [];
    for (const name of names) if (!(await answers(`count(${name})`))) absent.push(name);
    expect(absent).toEqual([]);
    const { body } = await request(`${cluster.prometheus.url}/api/v1/rules`);
    const { data } = (await body.json()) as {
      readonly data: {
        readonly groups: readonly { rules: readonly { name: string; health: string }[] }[];
      };
    };
    const rules = data.groups.flatMap((group) => group.rules);
    expect(rules.length).toBeGreaterThan(8);
    expect(rules.filter(({ health }) => health !== 'ok')).toEqual([]);
  });

  it('says so when a check that was asked for cannot be made', async () => {
    const events = await eventsOf(cluster, 'seen-idle', 'web');
    const skipped = events.find(({ reason }) => reason === 'CanaryCheckSkipped');
    expect(skipped?.message).toContain('latency is not compared');
  });

  it('forgets a rollout that has ended', async () => {
    const of = (namespace: string) => `haldane_canary_weight_percent{namespace="${namespace}"}`;
    expect(await cluster.prometheus.query(of('seen-good'))).toHaveLength(1);
    await waitUntil(async () => (await cluster.prometheus.query(of('seen-bad'))).length === 0, {
      what: 'the series of a rollout that is over to go',
    });
  });

  it('has rules that promtool accepts and whose tests pass', async () => {
    const promtool = (...args: readonly string[]) =>
      runCommand('promtool', args, { cwd: join(repository, 'config/prometheus') });
    expect(await promtool('check', 'rules', 'alerts.yaml')).toMatchObject({ code: 0 });
    expect(await promtool('test', 'rules', 'alerts.test.yaml')).toMatchObject({ code: 0 });
  });
});

/** Whether a query gives anything within some scrapes; rates need a few. */
async function answers(query: string): Promise<boolean> {
  try {
    await cluster.prometheus.until(query, undefined, 8000);
    return true;
  } catch (cause) {
    if (!String(cause).includes('last answer []')) throw cause;
    return false;
  }
}
