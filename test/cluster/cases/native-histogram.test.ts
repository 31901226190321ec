// Response times as native histograms, which Prometheus reads from protocol buffers alone.
import { describe, expect, it } from 'vitest';
import { type Cluster, openCluster } from '../cluster.ts';
import type { ShippedConfig } from '../controller.ts';
import { rounded, unanswered, untilCleared, untilPromoted } from './records.ts';
import { type BusyShop, busyShop, endShop, figure, untilRest, untilWeight } from './setup.ts';
import { untilShown } from './shown.ts';
import { setStage } from './stage.ts';

const good = 'shop/web:v1';
const next = 'shop/web:v2';
const fast = { LATENCY_MS: '60', LATENCY_JITTER_MS: '60' };
const halfAsSlowAgain = { LATENCY_MS: '90', LATENCY_JITTER_MS: '90' };

/** A Prometheus that reads native histograms; closing the cluster gives it its usual flags back. */
async function openNativeCluster(): Promise<Cluster> {
  const cluster = await openCluster();
  const args = ['--enable-feature=native-histograms'];
  await cluster.components.restart('prometheus', { args });
  return {
    ...cluster,
    close: async () => {
      await cluster.components.repair();
      await cluster.close();
    },
  };
}

const metric = 'http_request_duration_seconds';

function native(config: ShippedConfig): void {
  const templates = config['templates'] as Record<string, unknown>;
  templates['own-times'] = {
    nativeHistogram: `${metric}{namespace="$namespace",pod=~"$pods"}`,
    podLabel: 'pod',
  };
  const checks = config['checks'] as Record<string, unknown>;
  checks['own-latency'] = { kind: 'histogram', template: 'own-times' };
  config['profiles'] = { default: { warmUp: '5s' } };
}

const stage = setStage({ edit: native }, openNativeCluster);

/** A young shop, of whose response times enough has been scraped to tell what is usual. */
async function knownShop(namespace: string, checks: string, steps: string): Promise<BusyShop> {
  const annotations = { 'haldane.dev/checks': checks, 'haldane.dev/steps': steps };
  const busy = await busyShop(stage.cluster, namespace, { env: fast, annotations });
  await busy.load.log.until('a history of stable', ({ all }) => all.length >= 4500, 90_000);
  return busy;
}

/** A series of native histograms as the query API gives it. */
interface NativeSeries {
  readonly histograms: readonly (readonly [seconds: number, histogram: NativeHistogram])[];
}

interface NativeHistogram {
  readonly buckets?: readonly (readonly [
    rule: number,
    left: string,
    right: string,
    count: string,
  ])[];
}

/** By what factors the buckets of the last minute and a half are wide, over all pods of a shop. */
async function bucketFactors(namespace: string): Promise<readonly string[]> {
  const samples = await stage.cluster.prometheus.query(`${metric}{namespace="${namespace}"}[90s]`);
  const series = samples as unknown as readonly NativeSeries[];
  const buckets = series.flatMap((one) =>
    one.histograms.flatMap(([, { buckets = [] }]) => buckets),
  );
  const factors = new Set(
    buckets.map(([, left, right]) => rounded(Number(right) / Number(left), 2)),
  );
  return [...factors].toSorted();
}

const finest = rounded(2 ** (1 / 8), 2);
const coarser = rounded(2 ** (1 / 2), 2);

describe('a native histogram of a live Prometheus', () => {
  it.concurrent('half as slow again is rolled back, though nothing fails', async () => {
    const busy = await knownShop('native-slow', 'own-latency', '10,50');
    const { shop, load } = busy;
    await shop.release(next, halfAsSlowAgain);
    await untilWeight(shop, 10);
    const began = Date.now();
    const message = await stage.slack.until('native-slow/web', 180_000);
    const seconds = (Date.now() - began) / 1000;
    await untilCleared(stage.cluster, shop);
    const { sent, failed } = await endShop(busy);
    figure(
      'latency 1.5 times stable’s in native histograms, 100 rps',
      `rolled back after ${rounded(seconds)} s, ${failed.length} of ${sent} failed`,
    );
    expect(message.text).toContain('own-latency');
    expect(message.text).toContain(`${good} → ${next}`);
    expect(failed).toEqual([]);
    expect(unanswered(load.log)).toEqual([]);
  }, 300_000);

  it.concurrent('as fast is promoted, though both versions lose resolution', async () => {
    // Prometheus reads the gateway's classic buckets from protocol buffers too.
    const busy = await knownShop('native-same', 'errors,latency,own-latency', '25');
    const { shop, load } = busy;
    const old = await shop.pods();
    await shop.release(next, { ...fast, HISTOGRAM_SCHEMA: '1' });
    await untilWeight(shop, 25);
    const began = Date.now();
    // As client libraries do when they have too many buckets: four become one.
    await shop.behave(old, { 'histogram-schema': '1' });
    for (const check of ['latency', 'own-latency']) {
      const shown = { namespace: 'native-same', check } as const;
      await untilShown({ metric: 'haldane_check_promotion_evidence', ...shown }, 10);
    }
    expect(await bucketFactors('native-same')).toEqual([finest, coarser]);
    const promotedAt = await untilPromoted(busy, stage.cluster, next, 240_000);
    await untilRest(stage.cluster, shop, next);
    await endShop(busy);
    figure(
      'latency as stable’s in native histograms, 100 rps',
      `promoted after ${rounded((promotedAt - began) / 1000)} s`,
    );
    expect(unanswered(load.log)).toEqual([]);
  }, 300_000);
});
