import type { FlinchAdvice } from '../analysis/flinch.ts';
import type { LadderChoice } from '../analysis/ladder.ts';
import type { Verdict } from '../analysis/verdict.ts';
import { shortHash } from '../lib/hash.ts';
import { type Instant, type Millis, type Percent, percent } from '../lib/units.ts';
import type { PauseMode, Problem, RolloutRequest, RolloutSpec } from './rollout-spec.ts';
import { type Limits, noticeId, type RolloutState } from './state.ts';
import type {
  DeploymentView,
  MarkedPod,
  PodView,
  ReplicaSetView,
  RouteView,
  ServiceView,
  Since,
} from './views.ts';

/** Annotation keys written by us on the Deployment. */
export const marks = {
  rollout: 'haldane.dev/rollout',
  stable: 'haldane.dev/stable',
  rejected: 'haldane.dev/rejected',
  originalProgressDeadline: 'haldane.dev/original-progress-deadline',
  request: 'haldane.dev/request',
  notified: 'haldane.dev/notified',
  enabled: 'haldane.dev/enabled',
} as const;

/** What an opt-out takes away, but for the user's own wishes. */
export const markKeys: readonly string[] = Object.values(marks).filter(
  (key) => key !== marks.enabled,
);

/** The mark of a rejected revision on its Deployment. */
export interface Rejection {
  readonly revision: string;
  readonly attempt: number;
  readonly rule: string;
  readonly because: string;
  /** `imagesKey` of its containers; absent on rejections of earlier versions. */
  readonly images?: string;
}

/**
 * Everything `decide` and `nextWrite` may know. Made afresh in every pass; nothing in it is
 * remembered by them.
 */
export interface Snapshot {
  readonly now: Instant;
  readonly limits: Limits;
  readonly optedIn: boolean;
  /**
   * What is wrong with the annotations or with what they point at; judged only while no rollout is
   * under way.
   */
  readonly problems: readonly Problem[];
  /** Just these problems have been there since. */
  readonly problemsSince: Since;
  /**
   * Of the running rollout if there is one, else of the annotations; undefined when those are
   * invalid.
   */
  readonly spec: RolloutSpec | undefined;
  /** Who says which steps a rollout that begins now takes; absent: they are taken as they are. */
  readonly stepsBy?: 'annotation' | 'config' | 'traffic';
  /** Steps that the traffic of stable asks for, once it is known; absent when none are open. */
  readonly ladder?: LadderChoice | undefined;
  readonly pauseMode: PauseMode;
  readonly deployment: DeploymentView;
  /** Revisions that were rejected and not forgiven since, the latest last. */
  readonly rejections: readonly Rejection[];
  readonly request: RolloutRequest | undefined;
  readonly stable: ReplicaSetView | undefined;
  /** The ReplicaSet of the rollout under way, adopted or not. */
  readonly canary: ReplicaSetView | undefined;
  readonly adopted: boolean;
  readonly adoptedSince: Since;
  /** ReplicaSets of earlier rollouts that are still there. */
  readonly leftovers: readonly ReplicaSetView[];
  /** Owned, scaled to zero, with the template of the canary or the Deployment (trap T2). */
  readonly twins: readonly ReplicaSetView[];
  /** Owned ReplicaSets with replicas, other than the canary. */
  readonly active: readonly ReplicaSetView[];
  readonly service: ServiceView | undefined;
  /** Name of the generated Service of the wanted or running revision. */
  readonly canaryServiceName: string;
  readonly canaryService: ServiceView | undefined;
  /** Generated, and named by our record on the route: after a stale list not the canary's. */
  readonly listedService: ServiceView | undefined;
  /** Services generated for canaries of earlier rollouts: one may come late, or be seen late. */
  readonly leftoverServices: readonly ServiceView[];
  readonly route: RouteView | undefined;
  /** The route has been accepted at its present generation since. */
  readonly routeAcceptedSince: Since;
  /** The gateway has refused the present generation of the route since. */
  readonly routeRefusedSince: Since;
  readonly pods: {
    readonly stable: readonly PodView[];
    readonly canary: readonly PodView[];
  };
  /** uids of the pods that are ready behind each Service. */
  readonly endpoints: {
    readonly stable: ReadonlySet<string>;
    readonly canary: ReadonlySet<string>;
  };
  /** The endpoints of the user's Service have been just the pods its selector pins since. */
  readonly endpointsSettledSince: Since;
  /** The canary ReplicaSet has wanted more pods than were available since. */
  readonly canaryUnavailableSince: Since;
  readonly state: RolloutState | 'unreadable' | undefined;
  /** Judgement of the step whose weight is in force; undefined before the first. */
  readonly verdict: Verdict | undefined;
  /** What the first strong suspicion asks for, or its end. */
  readonly flinch: FlinchAdvice | undefined;
  /** A canary pod that a rejection rests upon alone, with its numbers in words. */
  readonly sickPod?: { readonly pod: MarkedPod; readonly because: string } | undefined;
  /** Ids of notices that are settled: delivered, or given up. */
  readonly settledNotices: ReadonlySet<string>;
  readonly lastRecordedAt: Since;
  /** Ids of notices whose fate the recorded state knows: a restart tells nobody of them again. */
  readonly recordedNotices: readonly string[];
}

/** Tells sets of images apart, whatever else the templates hold. */
export const imagesKey = (images: Readonly<Record<string, string>>): string =>
  shortHash(JSON.stringify(Object.entries(images).toSorted(([a], [b]) => (a < b ? -1 : 1))));

/** Hash that names the revision now asked for by the Deployment. */
export const wantedRevision = (s: Snapshot): string => s.deployment.templateHash;

/** What the template asks for serves already: nothing is left to roll out. */
export const servesWanted = (s: Snapshot): boolean => s.stable?.templateHash === wantedRevision(s);

/** Live state, when it can be read. */
export const stateOf = (s: Snapshot): RolloutState | undefined =>
  s.state === 'unreadable' ? undefined : s.state;

export const routeWeight = (s: Snapshot): Percent => s.route?.weight ?? percent(0);

/** Of the rule that gives the canary least; a raise is of all of them. */
export const leastWeight = (s: Snapshot): Percent => s.route?.leastWeight ?? percent(0);

/** Every rule gives the canary just so much. */
export const routeCarries = ({ route }: Pick<Snapshot, 'route'>, weight: Percent): boolean =>
  route?.weight === weight && route.leastWeight === weight;

/**
 * The step whose weight the route carries. A raise that was recorded but not shifted has not
 * happened: the
 * rollout is still at the step before, and needs a fresh pass there (S2).
 */
export function carriedIndex(s: Snapshot): number {
  const state = stateOf(s);
  if (state === undefined) return -1;
  const { index, fromIndex, from, to, inForceAt } = state.step;
  if (inForceAt !== null) return index;
  return routeCarries(s, to) && from !== to ? index : fromIndex;
}

/** A notice of this kind, of which a rollout has one, that nobody has been told yet. */
export function noticePending(s: Snapshot, kind: 'started' | 'promotion' | 'rollback'): boolean {
  const state = stateOf(s);
  if (state === undefined) return false;
  const id = noticeId(state, kind);
  return !s.settledNotices.has(id) && !state.delivered.includes(id);
}

/** A stale list may show that of an earlier attempt, which the retry under way has forgiven. */
export function rejectionOf(s: Snapshot, revision: string): Rejection | undefined {
  const state = stateOf(s);
  const least = state?.revision === revision ? state.attempt : 1;
  return s.rejections.findLast((one) => one.revision === revision && one.attempt >= least);
}

/**
 * Canary pods that a weight needs: its share of the Deployment's replicas, rounded up, at least
 * one.
 */
export const canaryReplicas = (replicas: number, weight: Percent): number =>
  Math.max(1, Math.ceil((replicas * weight) / 100 - 1e-9));

export const since = (moment: Since, span: Millis, now: Instant): boolean =>
  moment !== undefined && now - moment >= span;

/** Key of a Service's selector that ties it to one ReplicaSet. */
export const pinKey = 'pod-template-hash';
/** On the Service; names the Deployment that it is pinned for. */
export const pinAnnotation = 'haldane.dev/pinned-for';

/** The user's Service carries our pin; a hash that its owner wrote is no pin of ours. */
export const isPinnedByUs = (s: Snapshot): boolean =>
  s.service?.annotations[pinAnnotation] === s.deployment.uid;
