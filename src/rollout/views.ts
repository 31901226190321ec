import type { AbnormalEnd } from '../analysis/restart-counts.ts';
import type { Instant, Percent } from '../lib/units.ts';

// Slim projections of the cluster's objects: what the tables need and nothing else.
// `kubernetes/objects.ts`
// makes them from raw JSON; the raw template is read afresh when it is copied.

export interface ObjectView {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly annotations: Readonly<Record<string, string>>;
}

export interface LabelSelector {
  readonly matchLabels?: Readonly<Record<string, string>>;
  readonly matchExpressions?: readonly {
    readonly key: string;
    readonly operator: string;
    readonly values?: readonly string[];
  }[];
}

export interface ConditionView {
  readonly type: string;
  readonly status: string;
  readonly reason?: string;
  readonly message?: string;
}

export interface DeploymentView extends ObjectView {
  readonly generation: number;
  readonly observedGeneration: number;
  readonly deleting: boolean;
  readonly replicas: number;
  readonly paused: boolean;
  readonly progressDeadlineSeconds: number | undefined;
  readonly minReadySeconds: number;
  readonly strategy: 'RollingUpdate' | 'Recreate';
  /**
   * Absolute number for the present replica count, rounded up as the Deployment controller does.
   */
  readonly maxSurge: number;
  readonly selector: LabelSelector;
  /** Our hash of the pod template, `pod-template-hash` left out. */
  readonly templateHash: string;
  readonly templateLabels: Readonly<Record<string, string>>;
  readonly images: Readonly<Record<string, string>>;
  readonly available: number;
  readonly updated: number;
  readonly conditions: readonly ConditionView[];
}

export interface ReplicaSetView extends ObjectView {
  readonly createdAt: string;
  /** uid of the owner with `controller: true`. */
  readonly controllerUid: string | undefined;
  readonly ownerUids: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  /** Value of `pod-template-hash` in its selector. */
  readonly podHash: string;
  readonly templateHash: string;
  readonly images: Readonly<Record<string, string>>;
  /** Desired, in existence, available. */
  readonly replicas: number;
  readonly statusReplicas: number;
  readonly available: number;
  readonly deleting: boolean;
}

export interface ServiceView extends ObjectView {
  readonly selector: Readonly<Record<string, string>>;
  readonly ports: readonly number[];
  readonly ownerUids: readonly string[];
}

/** Why a pod cannot serve, as evidence of its own. */
export interface PodTrouble {
  readonly kind: 'crashed' | 'out-of-memory' | 'image-pull' | 'config';
  readonly message: string;
  /** When the container ended, where that is what is wrong. Its status keeps it for ever. */
  readonly endedAt?: Instant;
}

export interface PodView extends ObjectView {
  readonly podHash: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
  readonly ready: boolean;
  readonly deleting: boolean;
  readonly restarts: number;
  /** When its node took it in hand; undefined before that, when nothing of it can end. */
  readonly startedAt: Instant | undefined;
  /** Since when it is to be deleted, or will not run again; its ends after that are no crashes. */
  readonly until: Instant | undefined;
  /** The ends that its status still tells: the last one or two of each container. */
  readonly ends: readonly AbnormalEnd[];
  readonly trouble: PodTrouble | undefined;
  /** Why it is not scheduled, in the scheduler's words. */
  readonly unschedulable: string | undefined;
}

/** Ready endpoints of one Service: uids of the pods behind it. */
export interface EndpointSliceView extends ObjectView {
  readonly service: string;
  readonly readyPodUids: readonly string[];
}

/**
 * Why a lowering of ours was made; written in the same patch as the lowering. `fenced`: nothing was
 * lowered, but a raise that may be under way was kept from landing.
 */
export type RouteMarkKind = 'rejected' | 'withdrawn' | 'flinch' | 'fenced';

export interface RouteMark {
  readonly kind: RouteMarkKind;
  readonly revision: string;
  readonly rule: string;
  readonly because: string;
  /** When it was decided. */
  readonly at: Instant;
  /** When the rollout began: tells it from others of this revision where its canary is gone. */
  readonly startedAt?: Instant | undefined;
  /** Of a withdrawal: what the rule with least gave before, if nothing of ours had lowered it. */
  readonly from?: Percent | undefined;
  /** Of a flinch to nothing: the pod that fails alone, and that is waited for. */
  readonly pod?: MarkedPod;
}

/** One pod as it was when it was blamed: another uid or more restarts are another pod. */
export interface MarkedPod {
  readonly name: string;
  readonly uid: string;
  readonly restarts: number;
}

/** One route as its traffic provider reads it for one Deployment. */
export interface RouteView extends ObjectView {
  readonly kind: 'httproute';
  readonly generation: number;
  /** Every parent has accepted this generation and resolved its references. */
  readonly accepted: boolean;
  /** A parent's refusal in its own words. */
  readonly refusal: string | undefined;
  /** Why this route cannot be steered at all. */
  readonly problem: string | undefined;
  /** Generated Service listed beside stable; undefined when the route is the user's own. */
  readonly canaryService: string | undefined;
  /** The canary's share of the stable Service's requests, of several rules the largest; 0: none. */
  readonly weight: Percent;
  /** Of the rule that gives it least: less than `weight` where somebody lowered one alone. */
  readonly leastWeight: Percent;
  /** Our record on the route: whom it is for, and the mark of the last lowering. */
  readonly record: RouteRecord | undefined;
}

export interface RouteRecord {
  readonly deploymentUid: string;
  readonly revision: string;
  readonly service: string;
  readonly canaryService: string;
  readonly mark: RouteMark | undefined;
  readonly raise?: MadeRaise | undefined;
}

/** The raise that was made last. Two may have been recorded in the same millisecond. */
export interface MadeRaise {
  readonly to: Percent;
  readonly recordedAt: Instant;
}

/** Something true since a moment that the controller itself saw; undefined while it is not true. */
export type Since = Instant | undefined;
