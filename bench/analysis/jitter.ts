import { type Counts, noCounts } from '../../src/analysis/counts.ts';
import { binomial, poisson } from '../../src/analysis/variates.ts';
import { type Random, seededRandom } from '../../src/lib/random.ts';
import { fastWatch } from './fast-watch.ts';
import type { StreamPoll } from './peers.ts';
import { halfShare } from './stream.ts';
import { median, percents, short, table } from './table.ts';

interface Scene {
  readonly rps: number;
  readonly weight: number;
  readonly stableRate: number;
  readonly canaryRate: number;
  /** Seconds between scrapes of one pod; each pod at an offset of its own. */
  readonly scrape: number;
  /** Everything fails between 300 and 330 s. */
  readonly outage: boolean;
}

const stablePods = 20;
const canaryPods = 3;

/** Counts as scrapes show them: each pod's requests up to its own last scrape before the poll. */
function scraped(scene: Scene, horizon: number, random: Random): readonly StreamPoll[] {
  const polls: Counts[] = Array.from({ length: horizon / 5 }, () => noCounts);
  const add = (pods: number, share: number, rate: number, into: 'canary' | 'stable') => {
    for (let pod = 0; pod < pods; pod += 1) {
      const offset = Math.floor(random() * scene.scrape);
      for (let second = 0; second < horizon; second += 1) {
        const requests = poisson((scene.rps * share) / pods, random);
        const down = scene.outage && second >= 300 && second < 330;
        const bad = down ? requests : binomial(requests, rate, random);
        // Seen with the pod's next scrape, and counted by the poll that ends then or after.
        const seen = Math.ceil((second + 1 - offset) / scene.scrape) * scene.scrape + offset;
        const index = Math.ceil(seen / 5) - 1;
        const poll = polls[index];
        if (poll !== undefined) polls[index] = grown(poll, into, requests, bad);
      }
    }
  };
  add(stablePods, 1 - scene.weight / 100, scene.stableRate, 'stable');
  add(canaryPods, scene.weight / 100, scene.canaryRate, 'canary');
  return polls.map((counts, k) => ({ seconds: (k + 1) * 5, counts }));
}

const grown = (poll: Counts, arm: 'canary' | 'stable', requests: number, bad: number): Counts =>
  arm === 'canary'
    ? { ...poll, nc: poll.nc + requests, xc: poll.xc + bad }
    : { ...poll, ns: poll.ns + requests, xs: poll.xs + bad };

/** Pods scraped at offsets of their own: false rollbacks through a total outage, and speed. */
export function jitterTable(runs: number): string {
  const rows = [5, 15].flatMap((scrape) =>
    (
      [
        [100, 10, 0.001],
        [100, 10, 0.01],
        [9.26, 10, 0.01],
      ] as const
    ).map(([rps, weight, stableRate]) => {
      const known = { badRates: [stableRate] };
      const common = { rps, weight, stableRate, scrape };
      const watch = (scene: Scene, horizon: number, seed: number) =>
        fastWatch(scraped(scene, horizon, seededRandom(seed)), weight, known, halfShare);
      let rejected = 0;
      const seconds: number[] = [];
      for (let seed = 1; seed <= runs; seed += 1) {
        const same = { ...common, canaryRate: stableRate, outage: true };
        if (watch(same, 600, seed) !== undefined) rejected += 1;
        const found = watch({ ...common, canaryRate: 1, outage: false }, 120, seed);
        if (found !== undefined) seconds.push(found);
      }
      const falsely = percents(rejected / runs);
      return [scrape, rps, weight, stableRate * 100, falsely, short(median(seconds))];
    }),
  );
  const head = ['scrape s', 'rps', 'w %', 'base %', 'outage: false %', '100 % errors: s'];
  return table(head, rows);
}
