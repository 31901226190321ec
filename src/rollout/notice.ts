import type { Interval } from '../analysis/interval.ts';
import type { Instant, Millis, Percent, Ratio } from '../lib/units.ts';

/** What people are told about. The word is also the metric label and the Event reason's stem. */
export type NoticeKind =
  | 'rollback'
  | 'promotion'
  | 'hold'
  | 'paused'
  | 'invalid'
  | 'started'
  | 'superseded';

/** One container image that differs between the stable and the canary revision. */
export interface ImageChange {
  readonly container: string;
  readonly from: string;
  readonly to: string;
}

/** The metric that tells most about the outcome: for a rollback, the one to blame. */
export interface MetricComparison {
  readonly check: string;
  readonly canary: Ratio;
  readonly stable: Ratio;
  /** Restarts are rates in time; absent: shares of requests, or of looks. */
  readonly per?: 'pod-second';
  /** Wealth of the rollback test, shown as "7 of 100". */
  readonly evidence: number;
  readonly threshold: number;
  /** By how much the canary's bad share exceeds stable's, as ratios; absent while unknown. */
  readonly excess?: Interval;
}

/** Facts for people, complete in themselves: whoever delivers a notice asks nobody anything. */
export interface Notice {
  /**
   * The same for the same event, also after a restart: what was delivered once is not sent again.
   */
  readonly id: string;
  readonly kind: NoticeKind;
  readonly at: Instant;
  readonly namespace: string;
  readonly deployment: string;
  readonly revision: string;
  readonly attempt: number;
  readonly images: readonly ImageChange[];
  /** The decision's rule and its reason in words. */
  readonly rule: string;
  readonly because: string;
  /** Weight the canary carried when this was decided. */
  readonly weight: Percent;
  /** 1-based; 0 before the first step. */
  readonly step: number;
  readonly steps: number;
  readonly metric?: MetricComparison;
  /** Requests that the canary answered, and those of them that failed. */
  readonly exposedRequests: number;
  readonly failedRequests: number;
  readonly duration: Millis;
  /** Names of notifiers in the admin's config; empty: nobody is told. */
  readonly notifiers: readonly string[];
}
