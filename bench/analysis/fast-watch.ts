import { worseTilts } from '../../src/analysis/bets.ts';
import type { CheckPrior } from '../../src/analysis/counts.ts';
import { type AnalysisPolicy, checkShares } from '../../src/analysis/policy.ts';
import type { StreamPoll } from './peers.ts';

// What `advance` does to one error check at one weight in force, in a tenth of its time: money as
// numbers and not as logs, and no state to keep. `fast-watch.test.ts` holds one against the other.

const bets = worseTilts.length;
/** Where money is held, so that an hour of a gain without a rejection stays a number. */
const most = 1e290;

interface Money {
  readonly on: Float64Array;
  readonly gained: Float64Array;
  readonly factors: Float64Array;
  unspent: number;
  polls: number;
  window: number | null;
  agreeing: number;
}

const openMoney = (): Money => ({
  on: new Float64Array(bets).fill(0.5),
  gained: new Float64Array(bets),
  factors: new Float64Array(bets),
  unspent: 0.5,
  polls: 0,
  window: null,
  agreeing: 0,
});

interface Stretch {
  /** Milliseconds. */
  readonly since: number;
  readonly length: number;
  readonly window: number | null;
}

/** All the money after one poll whose log growths are `money.factors`. */
function grow(money: Money, stretch: Stretch, cap: number, alone: boolean): number {
  const { on, gained, factors } = money;
  const hazard = money.polls === 0 ? 0 : stretch.length / (stretch.since + 3_600_000);
  const entering = money.unspent * hazard;
  money.unspent -= entering;
  const fresh = alone || stretch.window === null || stretch.window !== money.window;
  let sum = 0;
  for (let i = 0; i < bets; i += 1) {
    const before = fresh ? 0 : (gained[i] ?? 0);
    const gain = Math.min(factors[i] ?? 0, Math.max(0, cap - before));
    const value = Math.min(most, ((on[i] ?? 0) + entering) * Math.exp(gain));
    on[i] = value;
    gained[i] = alone ? 0 : Math.max(0, Math.ceil((before + gain) * 1024) / 1024);
    sum += value;
  }
  money.polls += 1;
  money.window = stretch.window;
  return sum / bets + money.unspent;
}

/** Log growths of the bets that never change while the weight is carried. */
interface Line {
  readonly m: number;
  readonly pHat: number;
  readonly rho: number;
  readonly bad: Float64Array;
  readonly all: Float64Array;
}

const lineOf = (rho: number, delta: number, pHat: number): Line => {
  const m = Math.min(rho * pHat + delta, 0.999);
  return {
    m,
    pHat,
    rho,
    bad: Float64Array.from(worseTilts, (tilt) => Math.log1p(tilt)),
    all: Float64Array.from(worseTilts, (tilt) => Math.log1p(m * tilt)),
  };
};

function growths(line: Line, kappa: number, phi: number, poll: StreamPoll, into: Float64Array) {
  const { nc, xc, ns, xs } = poll.counts;
  const { m, pHat, rho, bad, all } = line;
  const odds = rho * kappa;
  const stakeMost = 0.9 / (1 - pHat * 0.9);
  const tiltMost = odds > m * stakeMost ? stakeMost / (odds - m * stakeMost) : Infinity;
  for (let i = 0; i < bets; i += 1) {
    const tilt = worseTilts[i] ?? 0;
    const a = Math.min(tilt, tiltMost);
    const d = (odds * a) / (1 + m * a);
    const stake = d / (1 + pHat * d);
    const onBad = a === tilt ? (bad[i] ?? 0) : Math.log1p(a);
    const onAll = a === tilt ? (all[i] ?? 0) : Math.log1p(m * a);
    const surely = xs === 0 ? 0 : xs * Math.log1p(-stake);
    into[i] = (xc * onBad - nc * onAll + surely - ns * Math.log1p(-pHat * stake)) / phi;
  }
}

/** Counts that fade with a half-life of 10 s. */
interface Recent {
  nc: number;
  xc: number;
  ns: number;
  xs: number;
}

function fade(recent: Recent, { counts }: StreamPoll, length: number, first: boolean): void {
  const keep = first ? 0 : 2 ** (-length / 10_000);
  recent.nc = recent.nc * keep + counts.nc;
  recent.xc = recent.xc * keep + counts.xc;
  recent.ns = recent.ns * keep + counts.ns;
  recent.xs = recent.xs * keep + counts.xs;
}

/** Stable is not seen, or in outage: the limit is not judged. */
const blind = ({ ns, xs }: Recent, rate: number): boolean => ns < 5 || xs > rate * ns;

/** The canary's excess does not go beyond what an outage of stable explains. */
function excused({ nc, xc, ns, xs }: Recent, rate: number): boolean {
  if (ns < 5 || xs <= rate * ns) return false;
  return !(nc > 0 && xc / nc >= (2 * xs) / ns && xc / nc >= xs / ns + 0.1);
}

/**
 * The second at which `advance` rejects, for a stream at one weight whose base rate is known. The
 * first check of `policy` counts errors; money on any other stays as it is.
 */
export function fastWatch(
  stream: readonly StreamPoll[],
  weightPercent: number,
  prior: CheckPrior & { readonly badRates: readonly number[] },
  policy: AnalysisPolicy,
): number | undefined {
  const { worse: margin } = policy.checks[0] ?? { worse: { rho: 1, delta: 0 } };
  const [share = 1] = checkShares(policy.checks);
  const w = weightPercent / 100;
  const phi = Math.max(1, prior.dispersion ?? 1);
  const alone = prior.dispersion !== undefined && (prior.history ?? 0) >= policy.dispersionHistory;
  const line = lineOf(margin.rho, margin.delta, prior.badRates[0] ?? 0);
  const limitLine = lineOf(0, policy.limit.rate, 0);
  const [money, limit] = [openMoney(), openMoney()];
  const recent: Recent = { nc: 0, xc: 0, ns: 0, xs: 0 };
  let [allNc, allNs, allXc, since] = [0, 0, 0, 0];
  for (const poll of stream) {
    const { nc, xc, ns } = poll.counts;
    const length = poll.seconds * 1000 - since;
    const window = length >= policy.capWindow ? null : Math.floor(since / policy.capWindow);
    const stretch = { since, length, window };
    fade(recent, poll, length, since === 0);
    allNc += nc;
    allNs += ns;
    allXc += xc;
    growths(line, (allNc + 200 * w) / (allNs + 200 * (1 - w)), phi, poll, money.factors);
    const wealth = grow(money, stretch, -Math.log(policy.alpha), alone);
    const total = share * wealth + 1 - share;
    const enough = total >= 1 / policy.alpha && allXc >= policy.leastBad;
    money.agreeing = enough ? money.agreeing + 1 : 0;
    if (nc > 0 && !blind(recent, policy.limit.rate)) {
      growths(limitLine, 0, phi, poll, limit.factors);
      const held = grow(limit, stretch, -Math.log(policy.limit.alpha), false);
      limit.agreeing = held >= 1 / policy.limit.alpha ? limit.agreeing + 1 : 0;
    }
    since = poll.seconds * 1000;
    if (excused(recent, policy.limit.rate)) continue;
    const needed = policy.confirmPolls + 1;
    if (money.agreeing >= needed) return poll.seconds;
    if (limit.agreeing >= needed && allXc >= policy.leastBad) return poll.seconds;
  }
  return undefined;
}
