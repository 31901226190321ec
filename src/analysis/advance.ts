import { invariant } from '../lib/errors.ts';
import { advanceCheck, type PollFrame } from './advance-check.ts';
import { advanceLimit } from './advance-limit.ts';
import {
  addCounts,
  type CheckPrior,
  type Counts,
  isGauges,
  noCounts,
  type Poll,
} from './counts.ts';
import type {
  CheckEvidence,
  ComponentEvidence,
  EvidenceState,
  RecentCounts,
  Rejection,
} from './evidence.ts';
import { excessOf, stableOutage, worseThanOutage } from './outage.ts';
import type { AnalysisPolicy, CheckPolicy } from './policy.ts';
import { growSplit, openSplit } from './split.ts';
import { type CheckWealth, totalWealth } from './total.ts';

interface Traffic {
  readonly check: string | undefined;
  readonly counts: Counts;
}

/**
 * The evidence after one more poll. Pure: the same polls give the same state bit for bit. A poll
 * that ends at or before the last watermark has been counted and changes nothing, so replay may
 * overlap; one that begins before it would count requests twice and is our bug.
 */
export function advance(state: EvidenceState, poll: Poll, policy: AnalysisPolicy): EvidenceState {
  if (state.at !== null && poll.at <= state.at) return state;
  invariant(poll.at > poll.since, 'a poll has a length');
  invariant(state.at === null || poll.since >= state.at, 'polls do not overlap');
  const begun = enterStep(state, poll, policy);
  if (poll.weight <= 0) return { ...begun, at: poll.at };
  const frame = frameOf(begun, poll, policy);
  const checks = Object.fromEntries(
    policy.checks.map((check) => [check.name, countCheck(begun, poll, frame, check)]),
  );
  const traffic = trafficOf(poll, policy);
  const dispersion = traffic.check === undefined ? 1 : (checks[traffic.check]?.dispersion ?? 1);
  const recent = fade(begun.recent, traffic.counts, poll);
  const counted: EvidenceState = {
    ...begun,
    recent,
    at: poll.at,
    interval: poll.at - poll.since,
    checks,
    limit: advanceLimit({ ...begun, recent }, traffic.counts, dispersion, frame, policy),
    ...(poll.settling === undefined
      ? { pollsInForce: begun.pollsInForce + 1, inForceSince: begun.inForceSince ?? poll.since }
      : {}),
    split:
      poll.settling === undefined ? growSplit(begun.split, traffic.counts, poll.weight) : openSplit,
  };
  return agree(counted, policy);
}

/** A new step, or another weight within a step, starts the counts of promotion afresh. */
function enterStep(state: EvidenceState, poll: Poll, policy: AnalysisPolicy): EvidenceState {
  const begun = { ...state, startedAt: state.startedAt ?? poll.since };
  const newStep = state.step !== poll.step;
  const changed = newStep || state.weight !== poll.weight;
  if (!changed && poll.settling === undefined) return begun;
  const restart = (name: string, check: CheckEvidence): CheckEvidence => {
    const prior = newStep ? poll.priors?.[name] : undefined;
    // A histogram has many components: single precision halves the room they take.
    const single = policy.checks.find((one) => one.name === name)?.kind === 'histogram';
    return changed ? restarted(check, prior, policy, single) : check;
  };
  return {
    ...begun,
    step: poll.step,
    weight: poll.weight,
    next: newStep ? poll.next : state.next,
    inForceSince: null,
    pollsInForce: 0,
    split: openSplit,
    checks: Object.fromEntries(
      Object.entries(state.checks).map(([name, check]) => [name, restart(name, check)]),
    ),
  };
}

function restarted(
  check: CheckEvidence,
  prior: CheckPrior | undefined,
  policy: AnalysisPolicy,
  single: boolean,
): CheckEvidence {
  const dispersion = prior?.dispersion;
  const anchor = (rate: number | undefined) =>
    rate === undefined || !single ? rate : Math.fround(rate);
  return {
    ...check,
    components: check.components.map((component, i) => ({
      ...component,
      better: component.better.map(() => 0),
      step: noCounts,
      ...anchored(component, anchor(prior?.badRates?.[i])),
    })),
    ...(dispersion === undefined
      ? {}
      : {
          dispersion: Math.max(1, dispersion),
          dispersionKnown: (prior?.history ?? 0) >= policy.dispersionHistory,
        }),
  };
}

/** A rate that is known takes the place of one that was learned. */
const anchored = (
  { prior, usual }: ComponentEvidence,
  known: number | undefined,
): Pick<ComponentEvidence, 'prior' | 'usual'> =>
  known === undefined ? { prior, usual } : { prior: known, usual: 0 };

function frameOf(state: EvidenceState, poll: Poll, policy: AnalysisPolicy): PollFrame {
  const start = state.startedAt ?? poll.since;
  const window = Math.floor((poll.since - start) / policy.capWindow);
  return {
    poll,
    next: state.next ?? poll.next,
    sinceStart: poll.since - start,
    // A poll as long as the window is a window of its own, whatever the grid says.
    window: poll.at - poll.since >= policy.capWindow ? null : window,
    cap: -Math.log(policy.alpha * state.alphaShare),
    firstInForce: poll.settling === undefined && state.pollsInForce === 0,
    dispersionHistory: policy.dispersionHistory,
  };
}

function countCheck(
  state: EvidenceState,
  poll: Poll,
  frame: PollFrame,
  check: CheckPolicy,
): CheckEvidence {
  const before = state.checks[check.name];
  invariant(before !== undefined, `the evidence knows check ${check.name}`);
  const counts = Object.hasOwn(poll.checks, check.name) ? poll.checks[check.name] : undefined;
  return counts === undefined
    ? { ...before, surprise: 1 }
    : advanceCheck(before, check, counts, frame);
}

/**
 * Requests of both arms: of the first error check that acts, else of any check that counts them and
 * none of them bad.
 */
function trafficOf(poll: Poll, policy: AnalysisPolicy): Traffic {
  const acts = (check: CheckPolicy): boolean => check.kind === 'ratio' && check.dryRun !== true;
  const others = (kind: CheckPolicy['kind']) =>
    policy.checks.filter((check) => check.kind === kind && !acts(check));
  const inOrder = [...policy.checks.filter(acts), ...others('histogram'), ...others('ratio')];
  for (const check of inOrder) {
    const counts = poll.checks[check.name];
    const first = counts === undefined || isGauges(counts) ? undefined : counts[0];
    if (first === undefined) continue;
    return { check: check.name, counts: acts(check) ? first : { ...first, xc: 0, xs: 0 } };
  }
  return { check: undefined, counts: noCounts };
}

/** Half-life of "right now", in milliseconds. */
const halfLife = 10_000;

function fade(recent: RecentCounts, counts: Counts, poll: Poll): RecentCounts {
  const keep = recent.at === null ? 0 : 2 ** (-(poll.at - recent.at) / halfLife);
  const { nc, xc, ns, xs } = recent;
  const faded = { nc: nc * keep, xc: xc * keep, ns: ns * keep, xs: xs * keep };
  const span = recent.span * keep + (poll.at - poll.since);
  return { ...addCounts(faded, counts), span, excess: excessOf(counts), at: poll.at };
}

/** Looks beyond the line without which no gauge rejects. */
const leastLooks = 3;

/** Counts the polls in a row with enough money; the last needed one makes the rejection final. */
function agree(state: EvidenceState, policy: AnalysisPolicy): EvidenceState {
  const total = totalWealth(state, policy);
  const { blamed } = total;
  const bad = blamed?.worst?.total.xc ?? 0;
  // The least number of failed requests that a profile asks for is not one of looks at a gauge.
  const leastBad = blamed?.check.kind === 'gauge' ? leastLooks : policy.leastBad;
  const agreeing = total.wealth >= total.needed && bad >= leastBad ? state.agreeing + 1 : 0;
  const rejected = state.rejected ?? rejection({ ...state, agreeing }, blamed, policy);
  return { ...state, agreeing, rejected };
}

function rejection(
  state: EvidenceState,
  blamed: CheckWealth | undefined,
  policy: AnalysisPolicy,
): Rejection | null {
  const polls = policy.confirmPolls + 1;
  const outage = stableOutage(state.recent, policy);
  if (state.at === null || (outage && !worseThanOutage(state.recent))) return null;
  // At full weight nothing is left to compare with: a shock could not be told from a bad release.
  const comparable = (state.weight ?? 0) < 100;
  if (comparable && state.agreeing >= polls && blamed !== undefined) {
    return { check: blamed.check.name, cause: 'worse', at: state.at };
  }
  const errors = policy.checks.find(({ kind, dryRun }) => kind === 'ratio' && dryRun !== true);
  const failed =
    errors === undefined ? 0 : (state.checks[errors.name]?.components[0]?.total.xc ?? 0);
  return state.limit.agreeing >= polls && failed >= policy.leastBad && errors !== undefined
    ? { check: errors.name, cause: 'limit', at: state.at }
    : null;
}
