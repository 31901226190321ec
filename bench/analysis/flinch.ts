import { type AnalysisPolicy, defaultPolicy } from '../../src/analysis/policy.ts';
import { type SimulatedOutcome, simulateRollout } from '../../src/analysis/simulate.ts';
import type { SimulatedService } from '../../src/analysis/simulated-traffic.ts';
import { seededRandom } from '../../src/lib/random.ts';
import { percent } from '../../src/lib/units.ts';
import { priorOf } from './stream.ts';
import { mean, median, short, table } from './table.ts';

const withFlinch = (flinch: Partial<AnalysisPolicy['flinch']>): AnalysisPolicy => ({
  ...defaultPolicy,
  flinch: { ...defaultPolicy.flinch, ...flinch },
});

/** Seconds from the scrape that tells to the first request that is split anew. */
const lag = 0.3;
const clean = 20;

/**
 * A fault after 20 clean seconds at a fixed weight, at any moment between two polls of 1 s; 2 s of
 * each change settle.
 */
function runs(
  service: SimulatedService,
  weight: number,
  policy: AnalysisPolicy,
  count: number,
  horizon = 3600,
): readonly SimulatedOutcome[] {
  return Array.from({ length: count }, (_, i) => {
    const random = seededRandom(i * 15_485_863 + 3);
    const prior = priorOf(service, random);
    const steps = [percent(weight)];
    const faultAt = clean + (i % 20) / 20;
    const timed = service.faultAt === undefined ? service : { ...service, faultAt };
    const course = { steps, promote: false, interval: 1, settling: 2, lag, horizon, prior };
    return simulateRollout({ service: timed, ...course }, policy, random);
  });
}

const settings = {
  off: withFlinch({ on: false }),
  '10 / – / 0.5': withFlinch({ surpriseAt: Number.POSITIVE_INFINITY }),
  '10 / 1e3 / 0.5': withFlinch({}),
  '10 / 1e4 / 0.5': withFlinch({ surpriseAt: 1e4 }),
  '5 / 1e3 / 0.5': withFlinch({ lowerAt: 5 }),
  '20 / 1e3 / 0.5': withFlinch({ lowerAt: 20 }),
  '10 / 1e3 / 0': withFlinch({ floorBadRps: 0 }),
  '10 / 1e3 / 1': withFlinch({ floorBadRps: 1 }),
  '10 / 1e3 / 2': withFlinch({ floorBadRps: 2 }),
} as const;

/** Failed requests / s until rollback, by line / surprise of one poll / failed rps left. */
export function flinchTable(count: number): string {
  const cells = [
    [100, 10, 1],
    [100, 10, 0.02],
    [100, 25, 0.5],
    [100, 50, 0.5],
    [100, 50, 0.02],
    [1000, 5, 1],
    [1000, 25, 0.5],
    [1000, 25, 0.02],
  ] as const;
  const rows = cells.map(([rps, weight, canaryRate]) => {
    const service = { rps, stableRate: 0.001, canaryRate, faultAt: clean };
    const results = Object.values(settings).map((policy) => {
      const all = runs(service, weight, policy, count);
      const failed = mean(all.map(({ failedRequests }) => failedRequests));
      return `${short(failed)} / ${short(median(all.map(({ seconds }) => seconds - clean - 0.5)))}`;
    });
    return [rps, weight, canaryRate * 100, ...results];
  });
  return table(['rps', 'w %', 'errors %', ...Object.keys(settings)], rows);
}

/** Flinches an hour of releases as good as stable. */
export function idleFlinchTable(count: number): string {
  const cells = [
    ['independent', 0.001, {}],
    ['independent', 0.01, {}],
    ['bursts of 5', 0.001, { burst: 5 }],
    ['bursts of 5', 0.01, { burst: 5 }],
    ['pods vary, CV 1.4', 0.01, { podVariation: 1.4 }],
    ['outage 30 s, 100 %', 0.001, { outage: { from: 600, to: 630, rate: 1 } }],
  ] as const;
  const rows = cells.map(([name, rate, stress]) => {
    const service = { rps: 100, stableRate: rate, canaryRate: rate, ...stress };
    const perHour = Object.values(settings)
      .slice(1)
      .map((policy) => {
        const all = runs(service, 10, policy, count);
        return mean(all.map(({ flinches }) => flinches)).toFixed(4);
      });
    return [name, rate * 100, ...perHour];
  });
  return table(['errors', 'base %', ...Object.keys(settings).slice(1)], rows);
}
