// Every metric that is exported, in the order of `docs/metrics.md`, which is generated from here.
// Labels are bounded: `namespace` and `deployment` by `forget`, all others by closed unions, the
// admin's config, or `label-bounds.ts`.

export interface MetricDefinition {
  readonly name: `haldane_${string}`;
  readonly type: 'gauge' | 'counter' | 'histogram';
  readonly help: string;
  readonly labels: readonly string[];
  readonly buckets?: readonly number[];
}

const rollout = ['namespace', 'deployment'] as const;
const check = [...rollout, 'check'] as const;

/** 5 ms to 10 s: the promise is 250 ms. */
const reaction = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10] as const;
/** From one scrape to two minutes. */
const exposure = [1, 2, 4, 6, 8, 10, 15, 20, 30, 60, 120] as const;
/** Half a minute to two days. */
const release = [30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 21_600, 86_400, 172_800] as const;

const gauge = <const L extends readonly string[]>(
  name: `haldane_${string}`,
  help: string,
  labels: L,
) => ({ name, type: 'gauge', help, labels }) as const;
const counter = <const L extends readonly string[]>(
  name: `haldane_${string}`,
  help: string,
  labels: L,
) => ({ name, type: 'counter', help, labels }) as const;
const histogram = <const L extends readonly string[]>(
  name: `haldane_${string}`,
  help: string,
  labels: L,
  buckets: readonly number[],
) => ({ name, type: 'histogram', help, labels, buckets }) as const;

export const catalogue = {
  // One rollout under way. Removed when it ends.
  weight: gauge(
    'haldane_canary_weight_percent',
    'Share of the requests that the route gives to the canary, as observed.',
    rollout,
  ),
  step: gauge('haldane_rollout_step', 'Step under way, 1-based; 0 before the first.', rollout),
  steps: gauge('haldane_rollout_steps', 'Number of steps before promotion.', rollout),
  phase: gauge('haldane_rollout_phase', 'Always 1; the label names the present phase.', [
    ...rollout,
    'phase',
  ]),
  hold: gauge(
    'haldane_rollout_hold',
    'Always 1 while the weight is held; the label says why. Absent otherwise.',
    [...rollout, 'reason'],
  ),
  exposed: gauge('haldane_canary_requests', 'Requests that this canary has answered.', rollout),
  failed: gauge(
    'haldane_canary_failed_requests',
    'Requests that this canary has answered and failed.',
    rollout,
  ),
  verdict: gauge(
    'haldane_check_verdict',
    '1 pass, 0 inconclusive, -1 fail; absent for a dry run.',
    check,
  ),
  canaryRatio: gauge(
    'haldane_check_canary_ratio',
    'Value of the check in the canary since the step began, 0 to 1; restarts: per pod-second.',
    check,
  ),
  stableRatio: gauge(
    'haldane_check_stable_ratio',
    'Value of the check in stable over the same time, 0 to 1; restarts: per pod-second.',
    check,
  ),
  evidence: gauge(
    'haldane_check_evidence',
    'Evidence that the canary is worse: rolled back when it reaches the threshold.',
    check,
  ),
  evidenceThreshold: gauge(
    'haldane_check_evidence_threshold',
    'Evidence at which the check fails; absent for a dry run.',
    check,
  ),
  promotionEvidence: gauge(
    'haldane_check_promotion_evidence',
    'Evidence that the next weight is safe: the step passes when it reaches the threshold.',
    check,
  ),
  promotionThreshold: gauge(
    'haldane_check_promotion_evidence_threshold',
    'Evidence at which the check passes the step; absent for a dry run.',
    check,
  ),
  excessLow: gauge(
    'haldane_check_excess_low',
    'Lower end of the anytime-valid interval of canary less stable, -1 to 1.',
    check,
  ),
  excessHigh: gauge(
    'haldane_check_excess_high',
    'Upper end of the anytime-valid interval of canary less stable, -1 to 1.',
    check,
  ),

  // Outcomes. They outlive the rollout.
  lastRollback: gauge(
    'haldane_last_rollback_timestamp_seconds',
    'When the Deployment was last rolled back, and by which rule. One series per Deployment.',
    [...rollout, 'rule'],
  ),
  started: counter('haldane_rollouts_started_total', 'Canaries begun.', ['namespace']),
  promotions: counter('haldane_promotions_total', 'Revisions promoted.', ['namespace']),
  rollbacks: counter('haldane_rollbacks_total', 'Revisions rolled back, by the deciding rule.', [
    'namespace',
    'rule',
  ]),
  holdSeconds: counter('haldane_hold_seconds_total', 'Time that rollouts were held, by reason.', [
    'namespace',
    'reason',
  ]),
  rolloutDuration: histogram(
    'haldane_rollout_duration_seconds',
    'From the first canary pod to the end of the rollout.',
    ['outcome'],
    release,
  ),
  verdictToRoute: histogram(
    'haldane_verdict_to_route_seconds',
    'From the verdict to the accepted write of the route.',
    ['change'],
    reaction,
  ),
  failureToCut: histogram(
    'haldane_first_failure_to_cut_seconds',
    "From the canary's first failed request, as sampled, to weight 0.",
    [],
    exposure,
  ),
  decisions: counter('haldane_decisions_total', 'Passes, by the rule that decided.', ['rule']),

  // What Haldane asks of others.
  queries: counter('haldane_prometheus_queries_total', 'Queries sent, by outcome.', [
    'source',
    'outcome',
  ]),
  readDuration: histogram(
    'haldane_prometheus_read_duration_seconds',
    'Time of one batched read of a metric source.',
    ['source'],
    reaction,
  ),
  requests: counter(
    'haldane_kubernetes_requests_total',
    'Requests to the Kubernetes API; code 0: no answer came.',
    ['verb', 'resource', 'code'],
  ),
  requestDuration: histogram(
    'haldane_kubernetes_request_duration_seconds',
    'Time of a request to the Kubernetes API; for a watch until its headers.',
    ['verb', 'resource'],
    reaction,
  ),
  watchRestarts: counter('haldane_watch_restarts_total', 'Watches begun again, by reason.', [
    'resource',
    'reason',
  ]),
  watchStaleness: gauge(
    'haldane_watch_staleness_seconds',
    'Time since the API server last sent anything on this watch.',
    ['resource'],
  ),
  notices: counter(
    'haldane_notices_total',
    'Tries to deliver a notice, by outcome; given-up and dropped ones were never delivered.',
    ['notifier', 'kind', 'outcome'],
  ),
  outboxDepth: gauge('haldane_outbox_depth', 'Notices waiting to be delivered.', ['notifier']),

  // The controller itself.
  queueDepth: gauge('haldane_work_queue_depth', 'Deployments waiting for a pass.', []),
  queueWait: histogram(
    'haldane_work_queue_wait_seconds',
    'Time from being due to the start of the pass.',
    [],
    reaction,
  ),
  reconcileDuration: histogram(
    'haldane_reconcile_duration_seconds',
    'Time of one pass over one Deployment.',
    ['outcome'],
    reaction,
  ),
  errors: counter('haldane_errors_total', 'Passes that ended in an error, by its code.', ['code']),
  optedIn: gauge('haldane_opted_in_deployments', 'Deployments with the opt-in annotation.', []),
  active: gauge('haldane_active_rollouts', 'Rollouts under way.', []),
  leader: gauge('haldane_leader', '1 on the replica that holds the lease, 0 on the others.', []),
  build: gauge('haldane_build_info', 'Always 1; the labels name the build.', [
    'version',
    'revision',
    'node_version',
  ]),
} as const satisfies Record<string, MetricDefinition>;

export type MetricKey = keyof typeof catalogue;
