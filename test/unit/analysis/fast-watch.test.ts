import { describe, expect, it } from 'vitest';
import { fastWatch } from '../../../bench/analysis/fast-watch.ts';
import { halfShare, makeStream, priorOf, watchOurs } from '../../../bench/analysis/stream.ts';
import { defaultPolicy } from '../../../src/analysis/policy.ts';
import type { SimulatedService } from '../../../src/analysis/simulated-traffic.ts';
import { seededRandom } from '../../../src/lib/random.ts';

const scenes: readonly (readonly [string, SimulatedService, number, number])[] = [
  ['disaster', { rps: 100, stableRate: 0.001, canaryRate: 1 }, 10, 1],
  ['few requests', { rps: 9.26, stableRate: 0.001, canaryRate: 0.05 }, 1, 5],
  ['small fault', { rps: 100, stableRate: 0.01, canaryRate: 0.02 }, 50, 5],
  ['just beyond the line', { rps: 1000, stableRate: 0.01, canaryRate: 0.018 }, 10, 5],
  ['beyond the limit', { rps: 100, stableRate: 0.045, canaryRate: 0.058 }, 50, 5],
  ['bursts', { rps: 100, stableRate: 0.01, canaryRate: 0.04, burst: 5 }, 10, 1],
  [
    'outage',
    {
      rps: 100,
      stableRate: 0.001,
      canaryRate: 0.03,
      outage: { from: 20, to: 60, rate: 0.5 },
      podVariation: 1,
    },
    10,
    2,
  ],
];

describe('the fast watch of the benchmark', () => {
  it.each(scenes)('rejects when the analysis does: %s', (_, service, weight, interval) => {
    let rejected = 0;
    for (let seed = 1; seed <= 12; seed += 1) {
      const random = seededRandom(seed);
      const stream = makeStream({ service, weight, interval, horizon: interval * 300 }, random);
      for (const policy of [halfShare, { ...defaultPolicy, confirmPolls: 0, alpha: 0.05 }]) {
        for (const prior of [{ badRates: [service.stableRate] }, priorOf(service, random)]) {
          const slow = watchOurs(stream, weight, prior, policy);
          expect(fastWatch(stream, weight, prior, policy)).toBe(slow);
          if (slow !== undefined) rejected += 1;
        }
      }
    }
    expect(rejected).toBeGreaterThan(0);
  });
});
