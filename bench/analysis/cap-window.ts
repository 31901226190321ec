import { seededRandom } from '../../src/lib/random.ts';
import { fastWatch } from './fast-watch.ts';
import { halfShare, makeStream, priorOf } from './stream.ts';
import { mean, median, percents, short, table } from './table.ts';

/** 1 s polls: what the cap's window costs. Unknown φ: 5 s; known from an hour: one poll. */
export function capWindowTable(count: number): string {
  const cells = [
    [100, 1, 1],
    [9.26, 1, 1],
    [1000, 1, 1],
    [100, 1, 0.05],
  ] as const;
  const rows = cells.map(([rps, weight, canaryRate]) => {
    const service = { rps, stableRate: 0.001, canaryRate, routing: 'exact' } as const;
    const cell = (known: boolean) => {
      const [seconds, failed]: [number[], number[]] = [[], []];
      for (let run = 1; run <= count; run += 1) {
        const random = seededRandom(run * 31);
        const stream = makeStream({ service, weight, interval: 1, horizon: 1200 }, random);
        const prior = known ? priorOf(service, random) : { badRates: [0.001] };
        const at = fastWatch(stream, weight, prior, halfShare);
        if (at === undefined) continue;
        seconds.push(at);
        failed.push(stream.slice(0, at).reduce((sum, { counts }) => sum + counts.xc, 0));
      }
      return `${short(median(seconds))} / ${short(mean(failed))}`;
    };
    return [rps, weight, canaryRate * 100, cell(false), cell(true)];
  });
  return table(['rps', 'w %', 'errors %', 'φ unknown: s / failed', 'φ known: s / failed'], rows);
}

/** The worst cell: bursts of 5, 100 rps, 10 %, 1 % base; false rollbacks in an hour. */
export function burstTable(count: number): string {
  const service = { rps: 100, stableRate: 0.01, canaryRate: 0.01, burst: 5 };
  const windows = { 'per poll': 1, '5 s': 5 } as const;
  const rows = Object.entries(windows).map(([name, seconds]) => {
    const policy = { ...halfShare, capWindow: (seconds * 1000) as typeof halfShare.capWindow };
    const found = { plain: 0, known: 0 };
    for (let run = 1; run <= count; run += 1) {
      const random = seededRandom(run * 37);
      const stream = makeStream({ service, weight: 10, interval: 1, horizon: 3600 }, random);
      const prior = { ...priorOf(service, random), history: 0 };
      if (fastWatch(stream, 10, { badRates: [0.01] }, policy) !== undefined) found.plain += 1;
      if (fastWatch(stream, 10, prior, policy) !== undefined) found.known += 1;
    }
    return [name, percents(found.plain / count), percents(found.known / count)];
  });
  return table(['cap window', 'φ = 1: false %', 'φ̂: false %'], rows);
}
