import { invariant } from '../lib/errors.ts';
import { type Millis, percent, toRatio } from '../lib/units.ts';
import { betterOdds, type Line, lnBetter, lnSum, lnWorse, worseTilts } from './bets.ts';
import { addCounts, type CheckCounts, type Counts, isGauges, type Poll } from './counts.ts';
import type { CheckEvidence, ComponentEvidence } from './evidence.ts';
import { lookAt } from './gauge.ts';
import type { CheckPolicy } from './policy.ts';
import { type Growth, growWealth } from './wealth.ts';

/** One poll as every check of the rollout sees it. */
export interface PollFrame {
  readonly poll: Poll;
  /** Weight of the next step in percent. */
  readonly next: number;
  /** From the rollout's first poll to the beginning of this one, in milliseconds. */
  readonly sinceStart: number;
  /** Ordinal of the cap window; null: the poll is a window of its own. */
  readonly window: number | null;
  /** Most that a bet gains per window, in nats. */
  readonly cap: number;
  /** The first poll after a weight came into force. */
  readonly firstInForce: boolean;
  readonly dispersionHistory: Millis;
}

/** Share of the unspent money that enters when a step begins: a change is when things break. */
const stepHazard = 0.2;
/** The rest enters slowly, over hours. Source: docs/statistics.md. */
const hazardScale = 3_600_000;

/** Evidence of one check after a poll that brought counts for it. */
export function advanceCheck(
  check: CheckEvidence,
  policy: CheckPolicy,
  counts: CheckCounts,
  frame: PollFrame,
): CheckEvidence {
  const { poll } = frame;
  const used = usable(check, policy, counts, frame);
  if (used === undefined) return { ...check, at: poll.at, surprise: 1 };
  invariant(used.length === check.components.length, `counts fit the bounds of ${policy.name}`);
  const growth = {
    hazard: policy.kind === 'gauge' ? lookHazard(check, frame) : hazardOf(check, frame),
    cap: frame.cap,
    newWindow: check.dispersionKnown || frame.window === null || frame.window !== check.window,
    forget: check.dispersionKnown,
    single: policy.kind === 'histogram',
  };
  const surprises: number[] = [];
  const components = check.components.map((component, i) => {
    const context = { frame, dispersion: check.dispersion, growth, surprises };
    return advanceComponent(component, sound(used[i], policy), policy, context);
  });
  return {
    ...check,
    at: poll.at,
    countedAt: poll.at,
    polls: check.polls + 1,
    step: poll.step,
    window: frame.window,
    surprise: surprises.reduce((sum, one) => sum + one, 0) / Math.max(1, surprises.length),
    components,
  };
}

/** The money that enters at a poll: none at the first, where half is at work already. */
export function hazardOf(
  evidence: { readonly polls: number; readonly step?: number | null },
  frame: PollFrame,
): number {
  const { poll, sinceStart } = frame;
  if (evidence.polls === 0) return 0;
  if (evidence.step !== undefined && evidence.step !== poll.step) return stepHazard;
  return (poll.at - poll.since) / (sinceStart + hazardScale);
}

/** A leak shows late by its nature: what is left is bet within minutes of looks. */
const lookHazardScale = 600_000;

function lookHazard(check: CheckEvidence, { poll, sinceStart }: PollFrame): number {
  if (check.polls === 0 || check.countedAt === null) return 0;
  if (check.step !== poll.step) return stepHazard;
  return Math.min(1, (poll.at - check.countedAt) / (sinceStart + lookHazardScale));
}

/** Counts to judge by; undefined while they say nothing, which is decided before they are seen. */
function usable(
  check: CheckEvidence,
  policy: CheckPolicy,
  counts: CheckCounts,
  { poll, firstInForce }: PollFrame,
): readonly Counts[] | undefined {
  if (policy.kind === 'gauge') {
    if (policy.gauge === undefined || !isGauges(counts)) return undefined;
    if (poll.warming === true) return undefined;
    if (check.countedAt !== null && poll.at - check.countedAt < policy.gauge.spacing) {
      return undefined;
    }
    const look = lookAt(counts, policy.gauge);
    return look === undefined ? undefined : [look];
  }
  invariant(!isGauges(counts), `${policy.name} is no gauge`);
  const cold = poll.settling !== undefined || poll.warming === true || firstInForce;
  return policy.kind === 'histogram' && cold ? undefined : counts;
}

/**
 * A bad request is a request, even if a scrape caught its counter first. A restart is no
 * pod-second: a pod may have begun, and ended, in a part of one.
 */
function sound(counts: Counts | undefined, { name, kind }: CheckPolicy): Counts {
  invariant(counts !== undefined, `${name} has counts`);
  const { nc, xc, ns, xs } = counts;
  const valid = [nc, xc, ns, xs].every((value) => Number.isFinite(value) && value >= 0);
  invariant(valid, `counts of ${name} are finite and not negative`);
  if (kind === 'restarts') return counts;
  return xc <= nc && xs <= ns ? counts : { nc, xc: Math.min(xc, nc), ns, xs: Math.min(xs, ns) };
}

interface ComponentContext {
  readonly frame: PollFrame;
  readonly dispersion: number;
  readonly growth: Omit<Growth, 'factors'>;
  /** Takes the surprise of each component. */
  readonly surprises: number[];
}

function advanceComponent(
  component: ComponentEvidence,
  counts: Counts,
  policy: CheckPolicy,
  context: ComponentContext,
): ComponentEvidence {
  const { frame, dispersion, growth, surprises } = context;
  const settling = frame.poll.settling !== undefined;
  const step = settling ? component.step : addCounts(component.step, counts);
  const split = splitOf(component, counts, step, policy, frame);
  const line: Line = { ...policy.worse, ...split };
  const factors = worseTilts.map((tilt) => lnWorse(counts, line, tilt) / dispersion);
  surprises.push(Math.max(meanFactor(factors), surpriseAlone(counts, line, policy, context)));
  return {
    ...component,
    worse: growWealth(component.worse, { ...growth, factors }),
    better: settling
      ? component.better
      : better(component, counts, policy, frame, split, dispersion),
    step,
    total: addCounts(component.total, counts),
    usual: component.prior === null ? learned(component, counts, growth.single) : 0,
  };
}

const meanFactor = (logs: readonly number[]): number => Math.exp(lnSum(logs)) / logs.length;

/** Stable requests in a poll from which its rate of that moment can be told at all. */
const leastStable = 20;
/** Below this dispersion errors come alone, and a few in one poll are no burst. */
const alone = 1.5;

/**
 * The poll's factor on "the canary is worse" where stable's rate is taken as known: as in its
 * history, or as in this very poll if that is higher. Without having to prove what stable does it
 * needs a few failures less than the bet that counts, the more so the more weight the canary has.
 * It decides nothing but a flinch, and is 1 unless stable's history tells that errors come alone.
 */
function surpriseAlone(
  counts: Counts,
  { rho, delta, pHat }: Line,
  { kind }: CheckPolicy,
  { dispersion, growth }: ComponentContext,
): number {
  const known = kind === 'ratio' && growth.forget && dispersion < alone;
  if (!known || counts.xc === 0 || counts.ns < leastStable) return 1;
  const stable = Math.max(pHat, counts.xs / counts.ns);
  const line: Line = { rho: 0, delta: rho * stable + delta, pHat: 0, kappa: 0 };
  return meanFactor(worseTilts.map((tilt) => lnWorse(counts, line, tilt) / dispersion));
}

/** Kept in single precision, as it is stored: replay from a stored state is exact. */
function better(
  component: ComponentEvidence,
  counts: Counts,
  policy: CheckPolicy,
  frame: PollFrame,
  split: Pick<Line, 'pHat' | 'kappa'>,
  dispersion: number,
): readonly number[] {
  if (policy.better === undefined) return component.better;
  const delta = stepMargin(policy.better.delta, frame.next);
  const line: Line = { rho: policy.better.rho, delta, ...split };
  return component.better.map((log, i) =>
    Math.fround(log + lnBetter(counts, line, betterOdds[i] ?? 1) / dispersion),
  );
}

/** Equal blast radius: `delta / w` more in the canary is `delta` more in the fleet at weight w. */
export const stepMargin = (delta: number, next: number): number => delta / toRatio(percent(next));

/**
 * Odds of the split and the anchor.
 *
 * In force: realised odds of the step so far, smoothed with 200 requests at the nominal weight, the
 * present poll included (numbers of requests say nothing of outcomes), so that a poll whose split
 * is off by chance or by scrape times is judged by the odds behind it.
 *
 * While a change settles: the odds of the *greater* weight with anchor 0. The canary's odds are
 * then at most kappa in every request, and the mean factor of one request at base rate p is at most
 * `1 + p·rho·A/(1 + m·A)·(q − (1 − q)·kappa)`, q the canary's true share: at most 1 since
 * `q/(1 − q) ≤ kappa`. So no poll of a change needs to be dropped, and a fault that shows at once
 * is not waited for.
 *
 * At full weight there is nothing to compare with: kappa 0 compares with stable as it was.
 */
function splitOf(
  component: ComponentEvidence,
  counts: Counts,
  step: Counts,
  policy: CheckPolicy,
  { poll }: PollFrame,
): Pick<Line, 'pHat' | 'kappa'> {
  const pHat = anchorOf(component);
  const w = toRatio(poll.settling ?? poll.weight);
  // Pods of one moment are not independent trials: looks are compared with a rate known before.
  if (policy.kind === 'gauge') return { pHat, kappa: 0 };
  if (policy.kind === 'restarts') {
    return { pHat, kappa: counts.ns > 0 ? counts.nc / counts.ns : 0 };
  }
  if (w >= 1) return { pHat, kappa: 0 };
  if (poll.settling !== undefined) return { pHat: 0, kappa: w / (1 - w) };
  return { pHat, kappa: poll.odds ?? smoothedOdds(step, w) };
}

/** Realised odds of a step at weight `w`, a ratio, smoothed with 200 requests at that weight. */
export const smoothedOdds = ({ nc, ns }: Counts, w: number): number =>
  (nc + 200 * w) / (ns + 200 * (1 - w));

/** Stable's bad rate from before the poll; 0 until enough is known. Any value is valid. */
export function anchorOf({ prior, total, usual }: ComponentEvidence): number {
  if (prior !== null) return prior;
  return total.ns >= 50 ? usual / total.ns : 0;
}

function learned(component: ComponentEvidence, counts: Counts, single: boolean): number {
  const usual = component.usual + usualBad(component, counts);
  return single ? Math.fround(usual) : usual;
}

/**
 * Bad stable requests of a poll, no more than 1.5 × the usual rate + 2 points would bring: an
 * outage hardly moves the anchor, which would make the tests slow long after its end, and a rate
 * that is high for good is learned within minutes.
 */
function usualBad({ total, usual }: ComponentEvidence, { ns, xs }: Counts): number {
  const rate = total.ns > 0 ? usual / total.ns : 0;
  return Math.min(xs, ns * (1.5 * rate + 0.02));
}
