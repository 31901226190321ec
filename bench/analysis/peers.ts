import type { Counts } from '../../src/analysis/counts.ts';
import { kayentaHigh } from './kayenta.ts';

/** Counts of one stretch of a simulated stream; `seconds` = its end, from the start. */
export interface StreamPoll {
  readonly seconds: number;
  readonly counts: Counts;
}

/** A rule that watches a stream; gives the second of its rollback, if it rolls back. */
export interface PeerRule {
  readonly name: string;
  readonly watch: (stream: readonly StreamPoll[]) => number | undefined;
}

interface Minute {
  readonly seconds: number;
  readonly counts: Counts;
}

function minutesOf(stream: readonly StreamPoll[]): readonly Minute[] {
  const minutes: Minute[] = [];
  let sum = { nc: 0, xc: 0, ns: 0, xs: 0 };
  for (const { seconds, counts } of stream) {
    sum = {
      nc: sum.nc + counts.nc,
      xc: sum.xc + counts.xc,
      ns: sum.ns + counts.ns,
      xs: sum.xs + counts.xs,
    };
    if (seconds % 60 === 0) {
      minutes.push({ seconds, counts: sum });
      sum = { nc: 0, xc: 0, ns: 0, xs: 0 };
    }
  }
  return minutes;
}

/** Success of the last minute at 99 % at least; no requests is a failed check. */
const failed = ({ counts }: Minute): boolean =>
  counts.nc === 0 || counts.xc / counts.nc > 0.01 + 1e-12;

/** Interval 60 s, ten passes promote; rolls back on the tick after the fifth failure. */
const flagger: PeerRule = {
  name: 'Flagger',
  watch(stream) {
    let [failures, passes] = [0, 0];
    for (const minute of minutesOf(stream)) {
      if (failures >= 5) return minute.seconds;
      if (passes >= 10) return undefined;
      if (failed(minute)) failures += 1;
      else passes += 1;
    }
    return undefined;
  },
};

/** Ten measurements a minute apart; failed when more than `limit` of them failed. */
const argo = (limit: number): PeerRule => ({
  name: `Argo ${limit}`,
  watch(stream) {
    let failures = 0;
    for (const minute of minutesOf(stream).slice(0, 10)) {
      if (minute.counts.nc > 0 && failed(minute)) failures += 1;
      if (failures > limit) return minute.seconds;
    }
    return undefined;
  },
});

/** Judged at 10, 20, … 60 min on the error rates of each minute. */
const kayenta: PeerRule = {
  name: 'Kayenta',
  watch(stream) {
    const minutes = minutesOf(stream);
    const rates = (bad: 'xc' | 'xs', all: 'nc' | 'ns') =>
      minutes.map(({ counts }) => (counts[all] === 0 ? 0 : counts[bad] / counts[all]));
    const [canary, stable] = [rates('xc', 'nc'), rates('xs', 'ns')];
    for (let look = 10; look <= Math.min(60, minutes.length); look += 10) {
      if (kayentaHigh(canary.slice(0, look), stable.slice(0, look))) return look * 60;
    }
    return undefined;
  },
};

/** A textbook two-sided test of two proportions at p < 0.01, looked at in every poll. */
const peekedZ: PeerRule = {
  name: 'peeked z',
  watch(stream) {
    let [nc, xc, ns, xs] = [0, 0, 0, 0];
    for (const { seconds, counts } of stream) {
      nc += counts.nc;
      xc += counts.xc;
      ns += counts.ns;
      xs += counts.xs;
      if (nc === 0 || ns === 0 || xc + xs < 5) continue;
      const pooled = (xc + xs) / (nc + ns);
      const z = (xc / nc - xs / ns) / Math.sqrt(pooled * (1 - pooled) * (1 / nc + 1 / ns));
      if (z > 2.575829304) return seconds;
    }
    return undefined;
  },
};

export const peers: readonly PeerRule[] = [flagger, argo(0), argo(1), argo(3), kayenta, peekedZ];
