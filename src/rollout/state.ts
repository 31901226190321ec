import type { EvidenceState } from '../analysis/evidence.ts';
import type { Ladder } from '../analysis/ladder.ts';
import type { Instant, Millis, Percent } from '../lib/units.ts';
import type { MetricComparison, NoticeKind } from './notice.ts';
import type { RolloutSpec } from './rollout-spec.ts';

/**
 * One rung of the ladder. It is recorded before the route is shifted; it begins when its weight is
 * seen in
 * force. `index` is −1 before the first raise and `steps.length` for promotion.
 */
export interface Step {
  readonly index: number;
  /** The step that the raise started from. */
  readonly fromIndex: number;
  readonly from: Percent;
  readonly to: Percent;
  readonly raisedAt: Instant;
  /** Null until the route was seen to carry `to`, accepted by its gateway. */
  readonly inForceAt: Instant | null;
}

export interface Pause {
  readonly by: string;
  readonly at: Instant;
  readonly because: string;
}

/** How a rollout ended, kept until people have been told. */
export interface Outcome {
  readonly kind: 'promotion' | 'rollback' | 'superseded';
  readonly rule: string;
  readonly because: string;
  readonly at: Instant;
  readonly weight: Percent;
  readonly step: number;
  readonly metric?: MetricComparison;
}

/** As `metric-sources/poll-stream.ts` stores it. */
export interface StoredPlace {
  readonly interval: Millis;
  readonly boundary: Instant;
  readonly behind?: Readonly<Record<string, Instant>>;
}

/** Live state of one rollout, one annotation on the canary ReplicaSet (`spec/state-codec.ts`). */
export interface RolloutState {
  readonly deploymentUid: string;
  readonly revision: string;
  readonly attempt: number;
  readonly startedAt: Instant;
  /** Replicas the Deployment asked for when the rollout began. */
  readonly replicasAtStart: number;
  /**
   * Frozen: a running rollout keeps the annotations and the profile it began with. Only default
   * steps are chosen a little later, before the first weight.
   */
  readonly spec: RolloutSpec;
  /** How `spec.steps` were chosen; null until they are, absent where there is nothing to choose. */
  readonly ladder?: Ladder | null;
  readonly step: Step;
  readonly pause: Pause | null;
  /** Id of the last human request that took effect. */
  readonly requestId: string | null;
  /**
   * Bucket bounds in seconds by histogram check, chosen from stable before the first weight; null
   * until then.
   */
  readonly bounds: Readonly<Record<string, readonly number[]>> | null;
  readonly evidence: EvidenceState | null;
  /**
   * What is left of α after evidence was lost: 1/2, 1/4, …; absent: all of it. Kept beside the
   * evidence, which it must outlive.
   */
  readonly alphaShare?: number;
  /** The canary pod that failed alone and was restarted; another one is the release's doing. */
  readonly restartedPod?: RestartedPod;
  /** How far the samples behind `evidence` were counted, for going on after a restart. */
  readonly stream: StoredPlace | null;
  readonly exposedRequests: number;
  readonly failedRequests: number;
  readonly outcome: Outcome | null;
  /** Ids of notices that were delivered. */
  readonly delivered: readonly string[];
  readonly summary: StatusSummary;
}

/** Evidence begins anew with another pod; what the one before it answered is kept for people. */
export interface RestartedPod {
  readonly name: string;
  readonly uid: string;
  readonly exposedRequests: number;
  readonly failedRequests: number;
}

export interface CheckSummary {
  readonly check: string;
  readonly canaryRatio: number;
  readonly stableRatio: number;
  /** Restarts are rates in time; absent: shares. */
  readonly per?: 'pod-second';
  readonly evidence: number;
  readonly promotion: number;
  /** Shown and never acts; absent: it acts. */
  readonly dryRun?: boolean;
}

/** What `haldane status` shows: as of `updatedAt`. */
export interface StatusSummary {
  readonly phase: Phase;
  readonly rule: string;
  readonly because: string;
  readonly weight: Percent;
  readonly step: number;
  readonly checks: readonly CheckSummary[];
  readonly updatedAt: Instant;
}

/** A name for people, derived from the snapshot; never a switch that must be kept true. */
export type Phase =
  | 'rest'
  | 'preparing'
  | 'progressing'
  | 'holding'
  | 'paused'
  | 'promoting'
  | 'rolling-back'
  | 'rejected'
  | 'opting-out'
  | 'invalid';

/** What tells a rollout from all others. */
export type RolloutName = Pick<
  RolloutState,
  'deploymentUid' | 'revision' | 'attempt' | 'startedAt'
>;

/** A revision may come again, after an undo or a retry for example: its start belongs to it. */
export const rolloutId = (of: RolloutName): string =>
  `${of.deploymentUid}/${of.revision}/${of.attempt}/${of.startedAt}`;

/** The same for the same event of the same rollout, also after a restart. */
export const noticeId = (of: RolloutName, kind: NoticeKind, detail = ''): string =>
  [rolloutId(of), kind, ...(detail === '' ? [] : [detail])].join('/');

/** Whether a notice tells of this rollout; `id` is a `rolloutId`. */
export const isNoticeOf = (id: string, notice: string): boolean => notice.startsWith(`${id}/`);

/** Id of the notice that a rollout carries its first weight. */
export const startNoticeId = (of: RolloutName): string => noticeId(of, 'started');

/** Time-outs and graces of the mechanism, from the admin's config. */
export interface Limits {
  /** From acceptance of a route by its gateway to the moment traffic surely follows it. */
  readonly propagation: Millis;
  /** From the moment a route or selector stopped naming pods to the moment they may go. */
  readonly drain: Millis;
  /** Canary pods must be available within this time. */
  readonly canaryReady: Millis;
  /** The route must be accepted by its gateway within this time. */
  readonly routeAccepted: Millis;
  /** A hold of this length is told to people. */
  readonly holdNotice: Millis;
  /**
   * A problem of this length is told to people: what is applied together is not there all at once.
   */
  readonly problemNotice: Millis;
  /** At most one checkpoint of the evidence in this time. */
  readonly checkpoint: Millis;
}

export const defaultLimits: Limits = {
  propagation: 2000 as Millis,
  drain: 5000 as Millis,
  canaryReady: 300_000 as Millis,
  routeAccepted: 60_000 as Millis,
  holdNotice: 30_000 as Millis,
  problemNotice: 3000 as Millis,
  checkpoint: 60_000 as Millis,
};
