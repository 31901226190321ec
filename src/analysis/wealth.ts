import { lnSum } from './bets.ts';

/**
 * Money on "worse", spread over bets and over starting times. Half is bet at the first poll; the
 * rest enters a little at each later poll, so that a fault which begins late is found almost as
 * fast as one present from the start. All shares together never exceed 1: started with one unit,
 * the money of a canary that is fine reaches x with probability at most 1/x (Ville), however often
 * anybody looks.
 */
export interface Wealth {
  /** Log of the money on each bet. */
  readonly logs: readonly number[];
  /** Money not yet bet. */
  readonly unspent: number;
  /** The most that any money on each bet has gained in the present cap window, in nats. */
  readonly gained: readonly number[];
}

export interface Growth {
  /** Log growth of each bet in this poll, already divided by the dispersion. */
  readonly factors: readonly number[];
  /** Share of the unspent money that enters now; 0 in the first poll. */
  readonly hazard: number;
  /** No bet gains more than this in one window, in nats. */
  readonly cap: number;
  readonly newWindow: boolean;
  /** The next poll begins a window whatever happens: gains need not be remembered. */
  readonly forget: boolean;
  /** Kept in single precision, where there are many of them: 10⁻⁶ nat, the same in every replay. */
  readonly single: boolean;
}

/** Share of the money that is bet at once. */
const atOnce = 0.5;

export const openWealth = (bets: number, single = false): Wealth => ({
  logs: Array.from({ length: bets }, () => {
    const log = Math.log(atOnce);
    return single ? Math.fround(log) : log;
  }),
  unspent: 1 - atOnce,
  gained: Array.from({ length: bets }, () => 0),
});

/**
 * Money after one poll. The cap leaves a gain out; it never hides a loss. So each term, whenever
 * it entered, is at most what it would be without a cap, and the promise holds unchanged.
 */
export function growWealth(wealth: Wealth, growth: Growth): Wealth {
  const entering = wealth.unspent * growth.hazard;
  const lnEntering = Math.log(entering);
  const logs: number[] = [];
  const gained: number[] = [];
  // By index: this is the innermost loop of every poll, and an iterator costs a quarter more.
  for (let i = 0; i < wealth.logs.length; i += 1) {
    const before = wealth.logs[i] ?? 0;
    const gainedBefore = growth.newWindow ? 0 : (wealth.gained[i] ?? 0);
    const gain = Math.min(growth.factors[i] ?? 0, Math.max(0, growth.cap - gainedBefore));
    const log = (entering > 0 ? lnAdd(before, lnEntering) : before) + gain;
    logs.push(growth.single ? Math.fround(log) : log);
    gained.push(growth.forget ? 0 : roundGained(gainedBefore + gain));
  }
  return { logs, unspent: wealth.unspent - entering, gained };
}

/** Log of all the money. */
export function lnWealth(wealth: Wealth): number {
  const bets = lnSum(wealth.logs) - Math.log(wealth.logs.length);
  return wealth.unspent > 0 ? lnAdd(bets, Math.log(wealth.unspent)) : bets;
}

function lnAdd(a: number, b: number): number {
  return a > b ? a + Math.log1p(Math.exp(b - a)) : b + Math.log1p(Math.exp(a - b));
}

/**
 * Losses give no room for more gains: money that enters after them would gain beyond the cap. Kept
 * in 1/1024 nat, rounded up, so that the state stays small and replay exact.
 */
const roundGained = (nats: number): number => Math.max(0, Math.ceil(nats * 1024) / 1024);
