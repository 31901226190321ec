import { advance as advanceEvidence } from '../analysis/advance.ts';
import { objectiveBound, usableBounds } from '../analysis/bounds.ts';
import type { CheckPrior, Poll } from '../analysis/counts.ts';
import { dispersionOf } from '../analysis/dispersion.ts';
import { beginEvidence, type EvidenceState } from '../analysis/evidence.ts';
import { strayRate } from '../analysis/gauge.ts';
import type { AnalysisPolicy, CheckPolicy, GaugePolicy } from '../analysis/policy.ts';
import {
  noLives,
  type PodLives,
  rememberLives,
  restartCounts,
} from '../analysis/restart-counts.ts';
import { podPollsKept } from '../analysis/sick-pod.ts';
import { type Instant, type Millis, type Percent, percent, seconds } from '../lib/units.ts';
import type { GaugeSpan } from '../metric-sources/counts.ts';
import { gaugeHistory, historyOf, podHistories } from '../metric-sources/history.ts';
import type { Reading, SeriesSet } from '../metric-sources/metric-source.ts';
import {
  advance as advanceStream,
  type CountedPoll,
  openStream,
  type PollStream,
  resumeStream,
  type StreamCheck,
} from '../metric-sources/poll-stream.ts';
import { canaryReplicas, type Snapshot } from '../rollout/snapshot.ts';
import type { RolloutState } from '../rollout/state.ts';
import type { RolloutMemory } from './memory.ts';

/** Readings of one tick of one source, by check. */
export interface Readings {
  readonly at: Instant;
  readonly byCheck: ReadonlyMap<string, Reading>;
}

/** What the analysis must know of the route while it counts. */
export interface Carried {
  readonly state: RolloutState;
  readonly routeWeight: Percent;
  /** Of the rule that gives the canary least. */
  readonly leastWeight: Percent;
  readonly propagation: Millis;
  /**
   * The weight was lowered at the first suspicion, and the gateway has accepted the present route
   * since.
   */
  readonly flinchedAt?: Instant | undefined;
  readonly acceptedAt?: Instant | undefined;
  /** Fresh pods are slow for so long. */
  readonly warmUp: Millis;
  /** What the Deployment asks for. */
  readonly replicas: number;
}

/**
 * Whether latency is not counted yet: the raise to this step came with new pods, and their warm-up
 * is not over. By the recorded step alone, so that a replay counts the same.
 */
export function isWarming(moment: Instant, { state, warmUp, replicas }: Carried): boolean {
  const { from, to, raisedAt } = state.step;
  const brought =
    from === 0 ? to > 0 : canaryReplicas(replicas, to) > canaryReplicas(replicas, from);
  return brought && moment > raisedAt && moment < raisedAt + warmUp;
}

/**
 * Takes one tick's readings in: raw samples to polls, polls to evidence. `onPoll` sees each poll
 * with the evidence it led to.
 */
export function takeReadings(
  memory: RolloutMemory,
  readings: Readings,
  policy: AnalysisPolicy,
  carried: Carried,
  onPoll: (poll: Poll, evidence: EvidenceState) => void = () => undefined,
): void {
  const stream = memory.stream ?? streamOf(carried.state, policy);
  const step = advanceStream(stream, readings.byCheck, readings.at);
  memory.stream = step.stream;
  memory.unusable = [...step.unusable.values()][0];
  let evidence = memory.evidence ?? evidenceOf(carried.state, policy);
  for (const poll of step.polls) {
    const counted = withRestarts(framed(poll, memory, carried), memory.lives, policy);
    evidence = advanceEvidence(evidence, counted, policy);
    onPoll(counted, evidence);
    if (counted.pods === undefined) continue;
    memory.podPolls = [...memory.podPolls, counted].slice(-podPollsKept);
  }
  memory.evidence = evidence;
}

/** The checks of restarts count what the watch told, on the grid of the source's polls. */
function withRestarts(poll: Poll, lives: PodLives | undefined, policy: AnalysisPolicy): Poll {
  const counts = lives === undefined ? undefined : restartCounts(lives, poll);
  if (counts === undefined) return poll;
  const told = policy.checks.filter(isOfRestarts).map(({ name }) => [name, [counts]]);
  return { ...poll, checks: { ...poll.checks, ...Object.fromEntries(told) } };
}

const isOfRestarts = ({ kind }: CheckPolicy): boolean => kind === 'restarts';

/** Before readings are taken: what the watch tells of the pods, where a check compares them. */
export function seePods(
  memory: RolloutMemory,
  { pods, now }: Pick<Snapshot, 'pods' | 'now'>,
  { stream, startedAt }: RolloutState,
  policy: AnalysisPolicy,
): void {
  if (!policy.checks.some(isOfRestarts)) return;
  const countedTo = memory.stream?.cursor?.boundary ?? stream?.boundary ?? startedAt;
  memory.lives = rememberLives(memory.lives ?? noLives, pods, countedTo, now);
}

/**
 * The evidence as recorded, or the beginning. A record that is not of these checks is no evidence
 * of them.
 */
export function evidenceOf(state: RolloutState, policy: AnalysisPolicy): EvidenceState {
  const { evidence } = state;
  const fits =
    evidence?.version === 1 &&
    policy.checks.every(({ name }) => Object.hasOwn(evidence.checks, name));
  if (fits) return evidence;
  // Every record after the first pass holds evidence: what was counted is lost, and with it perhaps
  // a part of α that was spent. Each loss costs half of what was left.
  const lost = state.step.index >= 0 || state.stream !== null;
  return beginEvidence(policy, lost ? { afterLoss: state.alphaShare ?? 1 } : {});
}

/** The first check of a stream is waited for: one that acts, and not one that is only shown. */
const patienceRank = ({ kind, dryRun }: CheckPolicy): number =>
  kind === 'gauge' ? 2 : dryRun === true ? 1 : 0;

const streamCheck = ({ name, bounds, gauge }: CheckPolicy): StreamCheck => ({
  name,
  ...(bounds === undefined ? {} : { bounds }),
  ...(gauge === undefined ? {} : { gauge: spanOf(gauge) }),
});

const spanOf = ({ spacing, worseWhen }: GaugePolicy): GaugeSpan => ({ span: spacing, worseWhen });

/** Continues where the recorded evidence ends, so that a restart counts every request once. */
export function streamOf(state: RolloutState, policy: AnalysisPolicy): PollStream {
  const checks = policy.checks
    .filter((check) => !isOfRestarts(check))
    .toSorted((a, b) => patienceRank(a) - patienceRank(b))
    .map(streamCheck);
  return state.stream === null
    ? openStream(state.startedAt, checks)
    : resumeStream(state.stream, checks);
}

/**
 * Which step a poll belongs to. From the record of a change until the gateway surely follows it,
 * the poll settles: the canary gets at most the greater share, so the rollback test stays valid;
 * promotion waits. So it does while somebody's hand has put other weights on the route: the test
 * believes the share of the step, and would take a change of it for a change of the canary.
 */
export function framed(
  poll: CountedPoll,
  memory: Pick<RolloutMemory, 'priors'>,
  carried: Carried,
): Poll {
  const { state, routeWeight, leastWeight, flinchedAt, propagation } = carried;
  const { step, spec } = state;
  const shifted = step.inForceAt !== null || routeWeight === step.to;
  const before = poll.at <= step.raisedAt || !shifted;
  const index = before ? step.fromIndex : step.index;
  const expected = shifted ? step.to : step.from;
  const carries = routeWeight === expected && leastWeight === expected;
  const byHand = !carries && flinchedAt === undefined;
  const followed = step.inForceAt !== null && poll.since >= step.inForceAt + propagation;
  const inForce = !byHand && (before || followed);
  const lowered = flinched(poll, carried);
  if (lowered !== undefined) return lowered;
  return {
    ...poll,
    ...(isWarming(poll.since, carried) ? { warming: true } : {}),
    weight: before ? step.from : step.to,
    step: index,
    next: spec.steps[index + 1] ?? percent(100),
    ...(inForce ? {} : { settling: percent(Math.max(step.from, step.to, routeWeight)) }),
    ...(memory.priors === undefined ? {} : { priors: memory.priors }),
  };
}

/** After a flinch the same step goes on at a lower weight. */
function flinched(poll: CountedPoll, carried: Carried): Poll | undefined {
  const { state, flinchedAt, acceptedAt, propagation, routeWeight } = carried;
  if (flinchedAt === undefined || poll.at <= flinchedAt) return undefined;
  const { index } = state.step;
  const inForce = acceptedAt !== undefined && poll.since >= acceptedAt + propagation;
  return {
    ...poll,
    ...(isWarming(poll.since, carried) ? { warming: true } : {}),
    weight: routeWeight,
    step: index,
    next: state.spec.steps[index + 1] ?? percent(100),
    ...(inForce ? {} : { settling: state.step.to }),
  };
}

/** Length of the cells that tell how errors of stable come together. */
export const cellWidth = seconds(15);

/**
 * Stable's history before the rollout: bad rates and dispersion; both affect speed, never validity.
 */
export function priorOf(
  set: SeriesSet,
  bounds: readonly number[] | undefined,
  width: Millis = cellWidth,
): CheckPrior {
  const history = historyOf(set);
  if (history.requests === 0) return {};
  const [first] = bounds ?? [];
  return {
    badRates:
      bounds === undefined
        ? [history.bad / history.requests]
        : bounds.map((bound) => tailOf(history.tails, bound)),
    // Values further apart than the cells that tell bursts say nothing of them.
    ...(width === cellWidth
      ? {
          dispersion: dispersionOf(podHistories(set, cellWidth, first), cellWidth),
          history: history.covered,
        }
      : {}),
  };
}

/**
 * How often a stable pod strayed from the others before the rollout: a healthy canary may as well.
 */
export function gaugePriorOf(set: SeriesSet, gauge: GaugePolicy): CheckPrior {
  const rate = strayRate(gaugeHistory(set, spanOf(gauge)), gauge);
  return rate === undefined ? {} : { badRates: [rate] };
}

type Tails = ReturnType<typeof historyOf>['tails'];

function tailOf(tails: Tails, bound: number): number {
  const found = tails.find((tail) => tail.bound === bound);
  return found === undefined || found.requests === 0 ? 0 : found.slow / found.requests;
}

/**
 * Bounds in seconds that one histogram check compares: those that tell something about stable; with
 * an objective the one that stands for it, even if no request of stable exceeds it.
 */
export function boundsOf(set: SeriesSet, objective?: Millis): readonly number[] {
  const { tails } = historyOf(set);
  if (objective === undefined) {
    return usableBounds(
      tails.map(({ bound, requests, slow }) => ({ bound, slower: slow, total: requests })),
    );
  }
  const bounds = tails.map(({ bound }) => bound);
  const bound = objectiveBound(bounds, objective / 1000);
  return bound === undefined ? [] : [bound];
}
