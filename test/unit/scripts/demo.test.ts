import { Registry } from 'prom-client';
import { describe, expect, test } from 'vitest';
import { fast } from '../../../scripts/demo/fast.ts';
import {
  describe as describeRollout,
  parseSamples,
  rolloutOf,
} from '../../../scripts/demo/live.ts';
import { type View, viewHtml } from '../../../scripts/demo/page.ts';
import { percent, ratio } from '../../../src/lib/units.ts';
import { createMetrics } from '../../../src/telemetry/metrics.ts';
import { virtualClock } from '../../builders/virtual-clock.ts';

test('the story of the demo ends as told, in virtual time', async () => {
  const said: string[] = [];
  expect(await fast((line) => said.push(line))).toBe(0);
  expect(said[0]).toMatch(/^promotion: /);
  expect(said[1]).toMatch(/^rollback: /);
});

const rolloutName = { namespace: 'shop', deployment: 'web' };

/** The page of a controller with one rollout, as the demo reads it. */
async function metricsText(evidence: number): Promise<string> {
  const registry = new Registry();
  const build = { version: '0', revision: '' };
  const metrics = createMetrics({ registry, clock: virtualClock(), build, nodeVersion: 'v24' });
  metrics.rolloutStarted(rolloutName);
  metrics.rollout(rolloutName, {
    phase: 'progressing',
    weight: percent(5),
    step: 1,
    steps: 3,
    hold: undefined,
    exposedRequests: 40,
    failedRequests: 2,
  });
  metrics.checks(rolloutName, () => [
    {
      check: 'errors',
      dryRun: false,
      verdict: 'inconclusive',
      canaryRatio: ratio(0.05),
      stableRatio: ratio(0),
      evidence,
      evidenceThreshold: 100,
      promotionEvidence: 3,
      promotionThreshold: 20,
    },
  ]);
  return registry.metrics();
}

describe('what the demo shows of a rollout', () => {
  test('is what the controller exports', async () => {
    const rollout = rolloutOf(parseSamples(await metricsText(Number.POSITIVE_INFINITY)));
    expect(rollout).toMatchObject({ weight: 5, step: 1, steps: 3, requests: 40, failed: 2 });
    expect(rollout?.checks).toEqual([
      {
        name: 'errors',
        canary: 0.05,
        stable: 0,
        evidence: Number.POSITIVE_INFINITY,
        threshold: 100,
        promotion: 3,
        promotionThreshold: 20,
      },
    ]);
  });

  test('fits a line of a terminal', async () => {
    const rollout = rolloutOf(parseSamples(await metricsText(34.2)));
    expect(rollout && describeRollout(rollout)).toBe(
      '5 %, step 1/3: errors 5 %, stable 0 %; harm 34/100, safe 3/20',
    );
  });

  test('with all requests it is beyond the last step', async () => {
    const rollout = rolloutOf(parseSamples(await metricsText(0)));
    const all = rollout && { ...rollout, weight: 100, step: 4 };
    expect(all && describeRollout(all)).toMatch(/^100 %, every step passed: errors/);
  });

  test('and nothing without a rollout', () => {
    expect(rolloutOf(parseSamples('# HELP\nhaldane_leader 1\n'))).toBeUndefined();
  });

  test('is text on the page, whoever wrote it', async () => {
    const view: View = {
      rollout: rolloutOf(parseSamples(await metricsText(10))),
      steps: [5, 25],
      versions: ['v1', '<img src=x>'],
      sent: 1000,
      failed: 2,
      events: ['<script>'],
      messages: ['a & b'],
    };
    const html = viewHtml(view);
    expect(html).toContain('&lt;script&gt;');
    expect(html).toContain('a &amp; b');
    expect(html).not.toMatch(/<img|<script/);
    // Half of the way from 1 to 100, as evidence multiplies.
    expect(html).toContain('width:50.0%');
  });
});
