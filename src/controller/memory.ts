import type { CheckPrior, Poll } from '../analysis/counts.ts';
import type { EvidenceState } from '../analysis/evidence.ts';
import type { AnalysisPolicy } from '../analysis/policy.ts';
import type { PodLives } from '../analysis/restart-counts.ts';
import type { Instant, Millis } from '../lib/units.ts';
import type { Unusable } from '../metric-sources/metric-source.ts';
import type { PollStream } from '../metric-sources/poll-stream.ts';
import type { ActionKind } from '../rollout/action.ts';
import type { Decision } from '../rollout/decision.ts';
import type { RestartedPod, RolloutState } from '../rollout/state.ts';
import type { Since } from '../rollout/views.ts';
import type { Readings } from './evidence.ts';
import type { LookedAt } from './observe.ts';

/**
 * What one process remembers of one rollout between passes: since when something has been so, and
 * evidence newer than the last checkpoint. Losing all of it costs time and nothing else.
 */
export interface RolloutMemory {
  /** Its `rolloutId`. */
  rollout: string | undefined;
  /** Since when nothing is to be done, by the monotonic clock; undefined while a pass runs. */
  restingSince: Millis | undefined;
  /** What the caches said at the last look, for as long as nothing in them changes. */
  lookedAt: LookedAt | undefined;
  /** The recorded state as last read: passes and changes of status are many, records few. */
  decoded: { text: string; deploymentUid: string; state: RolloutState | 'unreadable' } | undefined;
  /** Route generation last seen, since when it is refused, and when it was first seen accepted. */
  route: { generation: number; refusedSince: Since; acceptedSince: Since } | undefined;
  endpoints: { podHash: string; settledSince: Instant } | undefined;
  canaryUnavailableSince: Instant | undefined;
  adoptedSince: Instant | undefined;
  problems: { text: string; since: Instant } | undefined;
  lastRecordedAt: Instant | undefined;
  evidence: EvidenceState | undefined;
  stream: PollStream | undefined;
  unusable: Unusable | undefined;
  /** What stable did before the rollout, by check; read once. */
  priors: Readonly<Record<string, CheckPrior>> | undefined;
  askedPriors: boolean;
  /** Requests a second of stable in its history; undefined while not read, or where none is. */
  stableRate: number | undefined;
  /** Bucket bounds by histogram check; undefined until stable's history was read. */
  bounds: Readonly<Record<string, readonly number[]>> | undefined;
  policy: AnalysisPolicy | undefined;
  /** The last polls that tell canary pods apart, oldest first. */
  podPolls: readonly Poll[];
  /** Pods of both arms with their restarts, where a check compares them; see `rememberLives`. */
  lives: PodLives | undefined;
  /** Evidence began anew with another pod, which may not be recorded yet. */
  restartedPod: RestartedPod | undefined;
  /** Readings that wait for the next pass, oldest first. */
  inbox: Readings[];
  settledNotices: Set<string>;
  hold: { reason: string; since: Instant } | undefined;
  decision: Decision | undefined;
  /** Condition or rule that was last logged. */
  told: string | undefined;
  /** Share of α that was last told to be left; undefined: nothing was told. */
  alphaTold: number | undefined;
  /** Ids of notices handed to the outbox by this process. */
  enqueued: Set<string>;
  /** The rollout is in the metrics. */
  counted: boolean;
  /** It has ended and left the metrics. */
  ended: boolean;
  refused: string | undefined;
  /** Kind of the last write; another pass may not have seen its effect yet. */
  lastAction: ActionKind | undefined;
  /** Conflicts in a row. */
  conflicts: number;
  /** The canary's first failed request, as sampled; null: before this process looked. */
  firstFailureAt: Instant | null | undefined;
}

export const emptyMemory = (): RolloutMemory => ({
  rollout: undefined,
  restingSince: undefined,
  lookedAt: undefined,
  decoded: undefined,
  route: undefined,
  endpoints: undefined,
  canaryUnavailableSince: undefined,
  adoptedSince: undefined,
  problems: undefined,
  lastRecordedAt: undefined,
  evidence: undefined,
  stream: undefined,
  unusable: undefined,
  priors: undefined,
  askedPriors: false,
  stableRate: undefined,
  bounds: undefined,
  policy: undefined,
  podPolls: [],
  lives: undefined,
  restartedPod: undefined,
  inbox: [],
  settledNotices: new Set(),
  hold: undefined,
  decision: undefined,
  told: undefined,
  alphaTold: undefined,
  enqueued: new Set(),
  counted: false,
  ended: false,
  refused: undefined,
  lastAction: undefined,
  conflicts: 0,
  firstFailureAt: undefined,
});
