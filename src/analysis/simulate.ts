import type { Random } from '../lib/random.ts';
import { instant, type Percent, percent } from '../lib/units.ts';
import { advance } from './advance.ts';
import type { CheckPrior, Counts, Poll } from './counts.ts';
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
  /** Seconds until the weight counts as in force, and which way it changed. */
  readonly settlingLeft: number;
  readonly direction: 'raising' | 'lowering';
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
    const done = (kind: SimulatedOutcome['kind']) =>
      outcome(kind, end, { ...course, state }, canaryRequests, failedRequests);
    if (state.rejected !== null) return done('rolled-back');
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
  direction: 'raising',
  stepFrom: 0,
  stepSeconds: [],
  flinches: 0,
});

/** Settling polls of a raise are counted as if nothing had shifted for their first half. */
function nextPoll(
  rollout: SimulatedRollout,
  course: Course,
  traffic: TrafficSource,
  k: number,
): { readonly poll: Poll; readonly counts: Counts } {
  const { interval, steps, service } = rollout;
  const from = k * interval;
  const settles = course.settlingLeft > 0;
  const before = steps[course.step - 1] ?? 0;
  const shifted = settles && course.direction === 'raising';
  const share = shifted ? (course.weight + before) / 2 : course.weight;
  const counts = traffic.counts(from, from + interval, share / 100);
  const poll: Poll = {
    since: instant(from * 1000),
    at: instant((from + interval) * 1000),
    weight: course.weight,
    step: course.step,
    next: steps[course.step + 1] ?? percent(100),
    ...(settles ? { settling: course.direction } : {}),
    priors: { errors: rollout.prior ?? { badRates: [service.stableRate] } },
    checks: { errors: [counts] },
  };
  return { poll, counts };
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
      direction: lower ? 'lowering' : 'raising',
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
    direction: 'raising',
    stepFrom: now,
    stepSeconds: [...course.stepSeconds, now - course.stepFrom],
  };
}
