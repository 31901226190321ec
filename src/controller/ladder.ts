import { chooseLadder, type LadderChoice, type StableTraffic } from '../analysis/ladder.ts';
import type { AnalysisPolicy } from '../analysis/policy.ts';
import { type Instant, minutes, seconds } from '../lib/units.ts';
import { historyOf } from '../metric-sources/history.ts';
import type { EvidenceNames, SeriesSet } from '../metric-sources/metric-source.ts';
import { type Snapshot, stateOf } from '../rollout/snapshot.ts';
import type { RolloutState } from '../rollout/state.ts';
import type { RolloutMemory } from './memory.ts';
import type { Parts } from './parts.ts';

/** Stretches shorter than this say little about a rate. */
const leastSpan = seconds(5);

/** A rollout does not wait longer than this for its traffic to be known. */
export const ladderPatience = seconds(30);

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
 * The weights for a rollout that has not carried any yet, as soon as stable's traffic is known:
 * from history, else from the first samples. Undefined before that, and once the choice is on
 * record.
 */
export function ladderChoice(
  state: RolloutState,
  memory: Pick<RolloutMemory, 'stableRate' | 'priors' | 'bounds'>,
  policy: AnalysisPolicy,
  now: Instant,
): LadderChoice | undefined {
  if (state.ladder === undefined || state.step.index >= 0) return undefined;
  const chosen = state.ladder;
  const traffic = trafficOf(memory);
  if (chosen !== null) {
    // Given: nothing is chosen, but people learn how long it will take.
    const known = chosen.requestsPerSecond !== null || traffic === undefined;
    return known ? undefined : chooseLadder(chosen.by, state.spec.steps, traffic, policy);
  }
  if (traffic !== undefined) return chooseLadder('traffic', state.spec.steps, traffic, policy);
  return now - state.startedAt < ladderPatience
    ? undefined
    : chooseLadder('unmeasured', state.spec.steps, undefined, policy);
}

function trafficOf({
  stableRate,
  priors,
  bounds,
}: Pick<RolloutMemory, 'stableRate' | 'priors' | 'bounds'>): StableTraffic | undefined {
  // Both are set when the history was read, with or without an answer.
  if (priors === undefined || bounds === undefined) return undefined;
  return stableRate === undefined ? undefined : { requestsPerSecond: stableRate, priors };
}

const recent = minutes(3);

/** Between two looks at a stable that had no history yet. */
const lookAgain = seconds(3);

/**
 * A stable that had no samples when its history was read: asks again while the first weight waits
 * for them.
 */
export async function readRate(
  s: Snapshot,
  names: EvidenceNames,
  memory: RolloutMemory,
  parts: Parts,
): Promise<void> {
  const state = stateOf(s);
  if (state?.ladder !== null || memory.priors === undefined) return;
  if (memory.stableRate !== undefined || s.now - memory.rateAskedAt < lookAgain) return;
  memory.rateAskedAt = s.now;
  for (const name of state.spec.checks) {
    const check = parts.checks.get(name);
    if (check === undefined || (check.kind !== 'ratio' && check.kind !== 'histogram')) continue;
    // Every sample of the last minutes: history looks too seldom for a Service this young.
    const request = { id: name, check, names, window: recent };
    const source = parts.sources.get(check.source);
    const answers = await source?.read([request], s.now, AbortSignal.timeout(5000));
    const reading = answers?.get(name);
    if (reading?.kind !== 'series') continue;
    memory.stableRate ??= rateOf(reading);
  }
  parts.wake(`${s.deployment.namespace}/${s.deployment.name}`);
}
