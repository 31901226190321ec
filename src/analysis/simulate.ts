import type { Random } from '../lib/random.ts';
import { instant, type Percent, percent } from '../lib/units.ts';
import { advance } from './advance.ts';
import { type CheckPrior, type Counts, noCounts, type Poll } from './counts.ts';
import { beginEvidence, type EvidenceState } from './evidence.ts';
import { flinchAdvice } from './flinch.ts';
import { judge } from './judge.ts';
import type { AnalysisPolicy } from './policy.ts';
import {
  type SimulatedService,
  simulatedTraffic,
  type TrafficSource,
} from './simulated-traffic.ts';

export interface SimulatedRollout {
  readonly service: SimulatedService;
  /** Rising weights, then promotion. One weight and `promote: false`: a fixed weight. */
  readonly steps: readonly Percent[];
  readonly promote?: boolean;
  /** Seconds between polls. */
  readonly interval: number;
  /** Seconds for which a weight change counts as settling. */
  readonly settling?: number;
  /**
   * Seconds from the end of a poll that takes weight away to the first request that is split so; at
   * most an interval, 0 by default.
   */
  readonly lag?: number;
  /** Give up after this many seconds. */
  readonly horizon: number;
  /** What is known of stable beforehand; the true base rate when absent. */
  readonly prior?: CheckPrior;
}

export interface SimulatedOutcome {
  readonly kind: 'promoted' | 'rolled-back' | 'undecided';
  readonly seconds: number;
  readonly canaryRequests: number;
  /** Requests that the canary failed until the route was cut. */
  readonly failedRequests: number;
  /** Seconds that each step lasted, settling included. */
  readonly stepSeconds: readonly number[];
  readonly flinches: number;
}

interface Course {
  readonly state: EvidenceState;
  readonly step: number;
  readonly weight: Percent;
  /** Seconds until the weight counts as in force, and what it was before. */
  readonly settlingLeft: number;
  readonly before: Percent;
  readonly stepFrom: number;
  readonly stepSeconds: readonly number[];
  readonly flinches: number;
}

/** One rollout of the error check, with the code that judges real ones. Pure for a seed. */
export function simulateRollout(
  rollout: SimulatedRollout,
  policy: AnalysisPolicy,
  random: Random,
): SimulatedOutcome {
  const traffic = simulatedTraffic(rollout.service, random);
  let course = begin(rollout, policy);
  let [canaryRequests, failedRequests] = [0, 0];
  const polls = Math.ceil(rollout.horizon / rollout.interval);
  for (let k = 0; k < polls; k += 1) {
    const { poll, counts } = nextPoll(rollout, course, traffic, k);
    canaryRequests += counts.nc;
    failedRequests += counts.xc;
    const state = advance(course.state, poll, policy);
    const end = (k + 1) * rollout.interval;
    const done = (kind: SimulatedOutcome['kind'], more: Counts = noCounts) => {
      const [requests, failed] = [canaryRequests + more.nc, failedRequests + more.xc];
      return outcome(kind, end, { ...course, state }, requests, failed);
    };
    if (state.rejected !== null) {
      const { lag = 0 } = rollout;
      const late = lag > 0 ? traffic.counts(end, end + lag, course.weight / 100) : noCounts;
      return done('rolled-back', late);
    }
    const next = react({ ...course, state }, rollout, policy, end);
    if (next === 'promoted') return done('promoted');
    course = next;
  }
  return outcome('undecided', rollout.horizon, course, canaryRequests, failedRequests);
}

const outcome = (
  kind: SimulatedOutcome['kind'],
  seconds: number,
  { stepSeconds, stepFrom, flinches }: Course,
  canaryRequests: number,
  failedRequests: number,
): SimulatedOutcome => ({
  kind,
  seconds,
  canaryRequests,
  failedRequests,
  stepSeconds: [...stepSeconds, seconds - stepFrom],
  flinches,
});

const begin = (rollout: SimulatedRollout, policy: AnalysisPolicy): Course => ({
  state: beginEvidence(policy),
  step: 0,
  weight: rollout.steps[0] ?? percent(1),
  settlingLeft: rollout.settling ?? 0,
  before: percent(0),
  stepFrom: 0,
  stepSeconds: [],
  flinches: 0,
});

function nextPoll(
  rollout: SimulatedRollout,
  course: Course,
  traffic: TrafficSource,
  k: number,
): { readonly poll: Poll; readonly counts: Counts } {
  const { interval, steps, service } = rollout;
  const from = k * interval;
  const settles = course.settlingLeft > 0;
  const counts = traffic.counts(from, from + interval, meanWeight(rollout, course) / 100);
  const poll: Poll = {
    since: instant(from * 1000),
    at: instant((from + interval) * 1000),
    weight: course.weight,
    step: course.step,
    next: steps[course.step + 1] ?? percent(100),
    ...(settles ? { settling: percent(Math.max(course.weight, course.before)) } : {}),
    priors: { errors: rollout.prior ?? { badRates: [service.stableRate] } },
    checks: { errors: [counts] },
  };
  return { poll, counts };
}

/**
 * What the route carries on average in the next poll, in percent. Polls of a raise are served as if
 * nothing had shifted for their first half.
 */
function meanWeight(
  { interval, settling, lag = 0 }: SimulatedRollout,
  { weight, before, settlingLeft }: Course,
): number {
  if (settlingLeft <= 0) return weight;
  if (before < weight) return (weight + before) / 2;
  // Of a lowering only the first poll has requests that were split as before.
  const late = settlingLeft === settling ? lag / interval : 0;
  return weight + (before - weight) * late;
}

function react(
  course: Course,
  rollout: SimulatedRollout,
  policy: AnalysisPolicy,
  now: number,
): Course | 'promoted' {
  const settled = { ...course, settlingLeft: course.settlingLeft - rollout.interval };
  const { steps, settling = 0 } = rollout;
  const stepWeight = steps[course.step] ?? percent(100);
  const advice = flinchAdvice(course.state, policy, stepWeight);
  if (advice !== undefined && course.settlingLeft <= 0) {
    const lower = advice.kind === 'lower';
    return {
      ...settled,
      weight: lower ? advice.to : stepWeight,
      before: course.weight,
      settlingLeft: settling,
      flinches: course.flinches + (lower ? 1 : 0),
    };
  }
  if (rollout.promote === false || course.weight < stepWeight) return settled;
  if (judge(course.state, policy, { now: instant(now * 1000) }).kind !== 'pass') return settled;
  const next = steps[course.step + 1];
  if (next === undefined) return 'promoted';
  return {
    ...settled,
    step: course.step + 1,
    weight: next,
    settlingLeft: settling,
    before: course.weight,
    stepFrom: now,
    stepSeconds: [...course.stepSeconds, now - course.stepFrom],
  };
}
