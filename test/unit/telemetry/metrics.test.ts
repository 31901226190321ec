import { Registry } from 'prom-client';
import { beforeEach, expect, test } from 'vitest';
import { millis, minutes, percent, seconds } from '../../../src/lib/units.ts';
import type { RolloutName } from '../../../src/telemetry/live-series.ts';
import { createMetrics, type Metrics, outcomesKept } from '../../../src/telemetry/metrics.ts';
import type { CheckFigures, RolloutFigures } from '../../../src/telemetry/rollout-gauges.ts';
import { type VirtualClock, virtualClock } from '../../builders/virtual-clock.ts';

let clock: VirtualClock;
let registry: Registry;
let metrics: Metrics;
const web: RolloutName = { namespace: 'shop', deployment: 'web' };

beforeEach(() => {
  clock = virtualClock();
  registry = new Registry();
  const build = { version: '1.2.3', revision: 'abc' };
  metrics = createMetrics({ registry, clock, build, nodeVersion: 'v24' });
});

/** Lines of the exposition whose name begins so, without comments. */
async function lines(start: string): Promise<string[]> {
  const text = await registry.metrics();
  return text.split('\n').filter((line) => line.startsWith(start));
}

const figures = (change: Partial<RolloutFigures> = {}): RolloutFigures => ({
  phase: 'progressing',
  weight: percent(5),
  step: 2,
  steps: 5,
  exposedRequests: 1213,
  failedRequests: 7,
  hold: undefined,
  ...change,
});

const check = (change: Partial<CheckFigures> = {}): CheckFigures => ({
  check: 'errors',
  dryRun: false,
  verdict: 'inconclusive',
  canaryRatio: 0.041,
  stableRatio: 0.002,
  evidence: 7.5,
  evidenceThreshold: 100,
  promotionEvidence: 3,
  promotionThreshold: 20,
  ...change,
});

test('a rollout shows its weight, step, phase and requests', async () => {
  metrics.rollout(web, figures());
  const labels = '{namespace="shop",deployment="web"}';
  expect(await lines('haldane_canary_')).toEqual([
    `haldane_canary_weight_percent${labels} 5`,
    `haldane_canary_requests${labels} 1213`,
    `haldane_canary_failed_requests${labels} 7`,
  ]);
  expect(await lines('haldane_rollout_step')).toEqual([
    `haldane_rollout_step${labels} 2`,
    `haldane_rollout_steps${labels} 5`,
  ]);
});

test('there is one phase at a time', async () => {
  metrics.rollout(web, figures({ phase: 'preparing' }));
  metrics.rollout(web, figures({ phase: 'holding' }));
  expect(await lines('haldane_rollout_phase')).toEqual([
    'haldane_rollout_phase{namespace="shop",deployment="web",phase="holding"} 1',
  ]);
});

test('a hold names its reason, and is gone when it is over', async () => {
  metrics.rollout(web, figures({ hold: 'stale-data' }));
  metrics.rollout(web, figures({ hold: 'no-requests' }));
  expect(await lines('haldane_rollout_hold{')).toEqual([
    'haldane_rollout_hold{namespace="shop",deployment="web",reason="no-requests"} 1',
  ]);
  metrics.rollout(web, figures());
  expect(await lines('haldane_rollout_hold{')).toEqual([]);
});

test('time in a hold grows while it lasts, by reason', async () => {
  const heldFor = async (reason: string) =>
    (await lines('haldane_hold_seconds_total')).find((line) => line.includes(`"${reason}"`));
  metrics.rollout(web, figures({ hold: 'stale-data' }));
  await clock.advance(seconds(30));
  expect(await heldFor('stale-data')).toMatch(/ 30$/);
  await clock.advance(seconds(10));
  metrics.rollout(web, figures({ hold: 'stale-data' }));
  metrics.rollout(web, figures({ hold: 'no-requests' }));
  await clock.advance(seconds(5));
  metrics.forget(web);
  await clock.advance(minutes(5));
  expect(await heldFor('stale-data')).toMatch(/ 40$/);
  expect(await heldFor('no-requests')).toMatch(/ 5$/);
});

test('checks are replaced as a whole', async () => {
  metrics.checks(web, () => [check(), check({ check: 'latency', verdict: 'fail' })]);
  expect(await lines('haldane_check_verdict')).toEqual([
    'haldane_check_verdict{namespace="shop",deployment="web",check="errors"} 0',
    'haldane_check_verdict{namespace="shop",deployment="web",check="latency"} -1',
  ]);
  metrics.checks(web, () => [check({ verdict: 'pass', evidence: Number.POSITIVE_INFINITY })]);
  expect(await lines('haldane_check_')).toEqual([
    'haldane_check_verdict{namespace="shop",deployment="web",check="errors"} 1',
    'haldane_check_canary_ratio{namespace="shop",deployment="web",check="errors"} 0.041',
    'haldane_check_stable_ratio{namespace="shop",deployment="web",check="errors"} 0.002',
    'haldane_check_evidence{namespace="shop",deployment="web",check="errors"} +Inf',
    'haldane_check_evidence_threshold{namespace="shop",deployment="web",check="errors"} 100',
    'haldane_check_promotion_evidence{namespace="shop",deployment="web",check="errors"} 3',
    'haldane_check_promotion_evidence_threshold{namespace="shop",deployment="web",check="errors"} 20',
  ]);
});

test('figures of checks are made when somebody reads them, of the last pass alone', async () => {
  const made: string[] = [];
  const pass = (name: string) => () => {
    made.push(name);
    return [check()];
  };
  metrics.checks(web, pass('first'));
  metrics.checks(web, pass('second'));
  expect(made).toEqual([]);
  expect(await lines('haldane_check_evidence{')).toHaveLength(1);
  expect(await lines('haldane_check_evidence{')).toHaveLength(1);
  expect(made).toEqual(['second']);
});

test('figures that cannot be made hide no others, and are counted', async () => {
  metrics.checks(web, () => {
    throw new Error('odd');
  });
  metrics.checks({ namespace: 'shop', deployment: 'cart' }, () => [check()]);
  expect(await lines('haldane_check_evidence{')).toEqual([
    'haldane_check_evidence{namespace="shop",deployment="cart",check="errors"} 7.5',
  ]);
  expect(await lines('haldane_errors_total{code="BUG"}')).toEqual([
    'haldane_errors_total{code="BUG"} 1',
  ]);
});

test('a dry run has evidence, but nothing that it could reach', async () => {
  metrics.checks(web, () => [check({ check: 'memory', dryRun: true, evidence: 400 })]);
  const named = (await lines('haldane_check_')).map((line) => line.replace(/\{.*\}/, ''));
  expect(named).toEqual([
    'haldane_check_canary_ratio 0.041',
    'haldane_check_stable_ratio 0.002',
    'haldane_check_evidence 400',
    'haldane_check_promotion_evidence 3',
  ]);
});

test('the interval of a check is there while it is known', async () => {
  const excess = { low: -0.002, high: 0.031 };
  metrics.checks(web, () => [check({ excess }), check({ check: 'memory' })]);
  expect(await lines('haldane_check_excess_')).toEqual([
    'haldane_check_excess_low{namespace="shop",deployment="web",check="errors"} -0.002',
    'haldane_check_excess_high{namespace="shop",deployment="web",check="errors"} 0.031',
  ]);
  metrics.checks(web, () => [check()]);
  expect(await lines('haldane_check_excess_')).toEqual([]);
});

test('when a rollout ends its series go, those of others and the outcome stay', async () => {
  const cart: RolloutName = { namespace: 'shop', deployment: 'cart' };
  for (const rollout of [web, cart]) {
    metrics.rolloutStarted(rollout);
    metrics.rollout(rollout, figures({ hold: 'stale-data' }));
    metrics.checks(rollout, () => [check()]);
  }
  metrics.rolloutEnded(web, 'rollback', 'evidenceWorse', seconds(48));
  metrics.forget(web);
  const about = (await registry.metrics()).split('\n').filter((l) => l.includes('"web"'));
  expect(about).toEqual([
    'haldane_last_rollback_timestamp_seconds' +
      '{namespace="shop",deployment="web",rule="evidenceWorse"} 1767225600',
  ]);
  expect(
    await lines('haldane_canary_weight_percent{namespace="shop",deployment="cart"}'),
  ).toHaveLength(1);
  metrics.forgetDeployment(web);
  expect((await registry.metrics()).includes('"web"')).toBe(false);
});

test('a rollback and a promotion are counted; their counters exist before', async () => {
  metrics.rolloutStarted(web);
  const rollbacks = 'haldane_rollbacks_total{namespace="shop",rule="evidenceWorse"}';
  expect(await lines(rollbacks)).toEqual([`${rollbacks} 0`]);
  expect(await lines('haldane_promotions_total')).toEqual([
    'haldane_promotions_total{namespace="shop"} 0',
  ]);
  metrics.rolloutEnded(web, 'rollback', 'evidenceWorse', seconds(48));
  metrics.rolloutEnded(web, 'promotion', 'stepPassed', seconds(130));
  metrics.rolloutEnded(web, 'superseded', 'templateChanged', seconds(9));
  expect(await lines(rollbacks)).toEqual([`${rollbacks} 1`]);
  expect(await lines('haldane_promotions_total')).toEqual([
    'haldane_promotions_total{namespace="shop"} 1',
  ]);
  expect(await lines('haldane_rollout_duration_seconds_count')).toHaveLength(3);
});

test('outcomes are kept of a thousand Deployments; then the oldest goes', async () => {
  for (let i = 0; i <= outcomesKept; i += 1) {
    metrics.rolloutEnded(
      { namespace: 'n', deployment: `d${i}` },
      'rollback',
      'podsBroken',
      millis(1),
    );
  }
  const kept = await lines('haldane_last_rollback_timestamp_seconds{');
  expect(kept).toHaveLength(outcomesKept);
  expect(kept.some((line) => line.includes('"d0"'))).toBe(false);
});

test('rules from an annotation that somebody edited do not make series without end', async () => {
  for (let i = 0; i < 500; i += 1) {
    metrics.decided(`forged${i}`);
    metrics.rolloutEnded(web, 'rollback', `forged${i}`, millis(1));
  }
  metrics.rolloutEnded(web, 'rollback', 'x'.repeat(5000), millis(1));
  expect((await lines('haldane_decisions_total')).length).toBeLessThanOrEqual(65);
  expect((await lines('haldane_rollbacks_total')).length).toBeLessThanOrEqual(65);
  expect((await lines('haldane_rollbacks_total')).at(-1)).toContain('rule="other"');
});

test("a source's own totals are followed, also after it was made anew", async () => {
  let totals = new Map([['ok', 5]]);
  metrics.prometheusQueries('default', () => totals);
  const line = 'haldane_prometheus_queries_total{source="default",outcome="ok"}';
  expect(await lines(line)).toEqual([`${line} 5`]);
  totals = new Map([['ok', 8]]);
  expect(await lines(line)).toEqual([`${line} 8`]);
  totals = new Map([['ok', 2]]);
  expect(await lines(line)).toEqual([`${line} 10`]);
});

test('requests are counted by verb, resource and code', async () => {
  metrics.kubernetesRequest({
    verb: 'patch',
    resource: 'httproutes',
    status: 200,
    millis: millis(12),
  });
  metrics.kubernetesRequest({
    verb: 'patch',
    resource: 'httproutes',
    status: 0,
    millis: millis(5000),
  });
  expect(await lines('haldane_kubernetes_requests_total')).toEqual([
    'haldane_kubernetes_requests_total{verb="patch",resource="httproutes",code="200"} 1',
    'haldane_kubernetes_requests_total{verb="patch",resource="httproutes",code="0"} 1',
  ]);
});

test('the promise of 250 ms is a bound of its histogram', async () => {
  metrics.verdictToRoute('cut', millis(200));
  const bucket = 'haldane_verdict_to_route_seconds_bucket{le="0.25",change="cut"}';
  expect(await lines(bucket)).toEqual([`${bucket} 1`]);
});

test('staleness is read at the scrape', async () => {
  let silent = seconds(3);
  metrics.watchStaleness('pods', () => silent);
  expect(await lines('haldane_watch_staleness')).toEqual([
    'haldane_watch_staleness_seconds{resource="pods"} 3',
  ]);
  silent = seconds(61);
  expect(await lines('haldane_watch_staleness')).toEqual([
    'haldane_watch_staleness_seconds{resource="pods"} 61',
  ]);
});

test('a notifier has its failure counters before its first failure', async () => {
  metrics.notifierConfigured('slack');
  const lost = 'haldane_notices_total{notifier="slack",kind="rollback",outcome="given-up"}';
  expect(await lines(lost)).toEqual([`${lost} 0`]);
  metrics.noticeTried('slack', 'rollback', 'given-up');
  expect(await lines(lost)).toEqual([`${lost} 1`]);
});

test('odd numbers stop nothing', async () => {
  const odd = [Number.NaN, Number.NEGATIVE_INFINITY, -1, Number.POSITIVE_INFINITY];
  for (const value of odd) {
    metrics.rollout(web, figures({ weight: percent(value), exposedRequests: value }));
    metrics.checks(web, () => [check({ evidence: value, canaryRatio: value })]);
    metrics.verdictToRoute('cut', millis(value));
    metrics.firstFailureToCut(millis(value));
    metrics.rolloutEnded(web, 'promotion', 'x', millis(value));
    metrics.reconciled('ok', millis(value));
    metrics.workQueueDepth(value);
    metrics.deployments(value, value);
  }
  expect(await lines('haldane_verdict_to_route_seconds_count')).toHaveLength(1);
});

test('a thousand rollouts leave nothing behind', async () => {
  metrics.rolloutStarted(web);
  metrics.rollout(web, figures({ hold: 'stale-data' }));
  metrics.forget(web);
  await clock.advance(seconds(1));
  const before = (await registry.metrics())
    .split('\n')
    .filter((l) => l.startsWith('haldane')).length;
  for (let i = 0; i < 1000; i += 1) {
    const rollout = { namespace: 'shop', deployment: `web-${i}` };
    metrics.rolloutStarted(rollout);
    metrics.rollout(rollout, figures({ hold: 'stale-data' }));
    metrics.checks(rollout, () => [check()]);
    metrics.forget(rollout);
  }
  const after = (await registry.metrics())
    .split('\n')
    .filter((l) => l.startsWith('haldane')).length;
  expect(after).toBe(before);
});
