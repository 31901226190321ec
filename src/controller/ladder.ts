import { chooseLadder, type LadderChoice, type StableTraffic } from '../analysis/ladder.ts';
import type { AnalysisPolicy } from '../analysis/policy.ts';
import { minutes } from '../lib/units.ts';
import { historyOf } from '../metric-sources/history.ts';
import type { SeriesSet } from '../metric-sources/metric-source.ts';
import type { RolloutState } from '../rollout/state.ts';
import type { RolloutMemory } from './memory.ts';

/**
 * Stretches shorter than this say little about a rate: a service that has just begun gets less than
 * it will, and to begin at 10 % for that would be ten times the harm.
 */
const leastSpan = minutes(1);

/**
 * Requests a second of stable between the first and the last look at it; undefined where these are
 * too near to each other, as when most scrapes fail: requests that nobody counted are not none.
 */
export function rateOf(set: SeriesSet): number | undefined {
  const stable = set.series.filter(({ arm }) => arm === 'stable');
  const first = Math.min(...stable.map(({ times }) => times[0] ?? Number.POSITIVE_INFINITY));
  const last = Math.max(...stable.map(({ times }) => times.at(-1) ?? Number.NEGATIVE_INFINITY));
  return last - first < leastSpan ? undefined : (historyOf(set).requests * 1000) / (last - first);
}

/**
 * The weights for a rollout that has not carried any yet, as soon as stable's history was asked
 * for, with or without an answer. Undefined before that, and once the choice is on record.
 */
export function ladderChoice(
  state: RolloutState,
  memory: Pick<RolloutMemory, 'stableRate' | 'priors' | 'bounds'>,
  policy: AnalysisPolicy,
): LadderChoice | undefined {
  if (state.ladder === undefined || state.step.index >= 0) return undefined;
  const chosen = state.ladder;
  const traffic = trafficOf(memory);
  if (chosen !== null) {
    // Given: nothing is chosen, but people learn how long it will take.
    const known = chosen.requestsPerSecond !== null || traffic === undefined;
    return known ? undefined : chooseLadder(chosen.by, state.spec.steps, traffic, policy);
  }
  // Both are set when the history was read.
  if (memory.priors === undefined || memory.bounds === undefined) return undefined;
  return traffic === undefined
    ? chooseLadder('unmeasured', state.spec.steps, undefined, policy)
    : chooseLadder('traffic', state.spec.steps, traffic, policy);
}

function trafficOf({
  stableRate,
  priors,
}: Pick<RolloutMemory, 'stableRate' | 'priors'>): StableTraffic | undefined {
  if (priors === undefined || stableRate === undefined) return undefined;
  return { requestsPerSecond: stableRate, priors };
}
