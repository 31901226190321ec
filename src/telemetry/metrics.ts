import type { Registry } from 'prom-client';
import type { Clock } from '../lib/clock.ts';
import { type Millis, toSeconds } from '../lib/units.ts';
import type { RuleName } from '../rollout/decide.ts';
import type { NoticeKind } from '../rollout/notice.ts';
import type { Outcome } from '../rollout/state.ts';
import { createInstruments, type Instruments } from './instruments.ts';
import { createLabelBounds, type LabelBounds } from './label-bounds.ts';
import { createLiveSeries, type RolloutName } from './live-series.ts';
import {
  type CheckFigures,
  createRolloutGauges,
  type RolloutFigures,
  type RolloutGauges,
  rolloutGauges,
} from './rollout-gauges.ts';
import { createHolds, createTotals, type Holds, type Totals } from './scrape-reads.ts';

export interface RequestFigures {
  readonly verb: string;
  readonly resource: string;
  /** HTTP status; 0 when no answer came. */
  readonly status: number;
  readonly millis: Millis;
}

export interface BuildFigures {
  readonly version: string;
  readonly revision: string;
}

/** Everything that is counted. No call throws, waits or costs more than a few map look-ups. */
export interface Metrics {
  rolloutStarted(rollout: RolloutName): void;
  /** Once per pass over a rollout that is under way. */
  rollout(rollout: RolloutName, figures: RolloutFigures): void;
  /** Replaces the rollout's checks; `read` is called when the page is asked for, if at all. */
  checks(rollout: RolloutName, read: () => readonly CheckFigures[]): void;
  rolloutEnded(rollout: RolloutName, outcome: Outcome['kind'], rule: string, took: Millis): void;
  /** The rollout is over: removes its series, not what is known of its outcome. */
  forget(rollout: RolloutName): void;
  /** The Deployment is gone or has opted out: removes that as well. */
  forgetDeployment(rollout: RolloutName): void;
  decided(rule: string): void;
  verdictToRoute(change: 'cut' | 'flinch' | 'raise', took: Millis): void;
  firstFailureToCut(took: Millis): void;
  /** The source's own totals, read at each scrape. */
  prometheusQueries(source: string, totals: () => ReadonlyMap<string, number>): void;
  prometheusRead(source: string, took: Millis): void;
  kubernetesRequest(seen: RequestFigures): void;
  watchRestarted(resource: string, reason: string): void;
  /** Time since anything came, read at each scrape. */
  watchStaleness(resource: string, read: () => Millis): void;
  /** Makes the notifier's failure counters exist, so that their first increase is seen. */
  notifierConfigured(notifier: string): void;
  noticeTried(notifier: string, kind: NoticeKind, outcome: string): void;
  outboxDepth(notifier: string, waiting: number): void;
  workQueueDepth(waiting: number): void;
  workQueueWaited(span: Millis): void;
  reconciled(outcome: 'ok' | 'error' | 'invariant', took: Millis): void;
  failed(code: string): void;
  deployments(optedIn: number, active: number): void;
  leader(leading: boolean): void;
}

export interface MetricsParts {
  readonly registry: Registry;
  readonly clock: Clock;
  readonly build: BuildFigures;
  readonly nodeVersion: string;
}

/** Outcomes are kept for so many Deployments; beyond, the oldest goes. */
export const outcomesKept = 1000;

/** Rules that can end in a rollback: their counters exist from a namespace's first rollout on. */
const rollbackRules = [
  'evidenceWorse',
  'podsBroken',
  'podsNotReady',
  'rollbackRequested',
  'routeRefused',
  'stateUnreadable',
] as const satisfies readonly RuleName[];

const noticeKinds: Readonly<Record<NoticeKind, true>> = {
  rollback: true,
  promotion: true,
  hold: true,
  paused: true,
  invalid: true,
  started: true,
  superseded: true,
};

export function createMetrics({ registry, clock, build, nodeVersion }: MetricsParts): Metrics {
  const bound = createLabelBounds();
  const totals = createTotals();
  const holds = createHolds(clock, (namespace, reason, span) =>
    is.holdSeconds.inc({ namespace: bound('namespace', namespace), reason }, spanSeconds(span)),
  );
  const staleness = new Map<string, () => Millis>();
  const is = createInstruments(registry, {
    holdSeconds: () => holds.count(),
    queries: () =>
      totals.read((source, outcome, increase) =>
        is.queries.inc({ source, outcome: bound('outcome', outcome) }, increase),
      ),
    watchStaleness: () => {
      for (const [resource, read] of staleness)
        is.watchStaleness.set({ resource }, spanSeconds(read()));
    },
    // The page reads them in an order of its own.
    ...Object.fromEntries(rolloutGauges.map((key) => [key, () => gauges.show()])),
  });
  const gauges = createRolloutGauges(is, bound, () => is.errors.inc({ code: 'BUG' }));
  is.build.set({ ...build, node_version: nodeVersion }, 1);
  is.leader.set(0);
  for (const outcome of ['ok', 'error', 'invariant']) is.reconcileDuration.zero({ outcome });
  return {
    ...rolloutMetrics(is, bound, holds, gauges, clock),
    ...metricSourceMetrics(is, bound, totals),
    ...kubernetesMetrics(is, bound, staleness),
    ...noticeMetrics(is, bound),
    ...controllerMetrics(is, bound),
  };
}

/**
 * prom-client throws on what is no number, and a span measured across a clock's jump may be
 * negative.
 */
const spanSeconds = (span: Millis): number =>
  Number.isFinite(span) ? Math.max(0, toSeconds(span)) : 0;

function rolloutMetrics(
  is: Instruments,
  bound: LabelBounds,
  holds: Holds,
  gauges: RolloutGauges,
  clock: Clock,
) {
  const outcomes = createLiveSeries();
  const forget = (rollout: RolloutName) => {
    holds.set(rollout.namespace, rollout.deployment, undefined);
    gauges.remove(rollout);
  };
  return {
    rolloutStarted: ({ namespace: name }) => {
      const namespace = bound('namespace', name);
      is.started.inc({ namespace });
      is.promotions.inc({ namespace }, 0);
      for (const rule of rollbackRules) is.rollbacks.inc({ namespace, rule }, 0);
    },
    rollout: (rollout, figures) => {
      const hold = figures.hold === undefined ? undefined : bound('reason', figures.hold);
      holds.set(rollout.namespace, rollout.deployment, hold);
      gauges.rollout(rollout, { ...figures, hold });
    },
    checks: (rollout, read) => gauges.checks(rollout, read),
    rolloutEnded: (rollout, outcome, ruleName, took) => {
      const rule = bound('rule', ruleName);
      const namespace = bound('namespace', rollout.namespace);
      is.rolloutDuration.observe({ outcome }, spanSeconds(took));
      if (outcome === 'promotion') is.promotions.inc({ namespace });
      if (outcome !== 'rollback') return;
      is.rollbacks.inc({ namespace, rule });
      outcomes.setAll(rollout, is.lastRollback, [{ value: clock.now() / 1000, extra: { rule } }]);
      const oldest = outcomes.oldest();
      if (outcomes.count() > outcomesKept && oldest !== undefined) outcomes.remove(oldest);
    },
    forget,
    forgetDeployment: (rollout) => {
      forget(rollout);
      outcomes.remove(rollout);
    },
    decided: (rule) => is.decisions.inc({ rule: bound('rule', rule) }),
    verdictToRoute: (change, took) => is.verdictToRoute.observe({ change }, spanSeconds(took)),
    firstFailureToCut: (took) => is.failureToCut.observe(spanSeconds(took)),
  } satisfies Partial<Metrics>;
}

const metricSourceMetrics = (is: Instruments, bound: LabelBounds, totals: Totals) =>
  ({
    prometheusQueries: (source, read) => totals.follow(bound('source', source), read),
    prometheusRead: (source, took) =>
      is.readDuration.observe({ source: bound('source', source) }, spanSeconds(took)),
  }) satisfies Partial<Metrics>;

const kubernetesMetrics = (
  is: Instruments,
  bound: LabelBounds,
  staleness: Map<string, () => Millis>,
) =>
  ({
    kubernetesRequest: ({ verb, resource: name, status, millis }) => {
      const resource = bound('resource', name);
      is.requests.inc({ verb, resource, code: bound('code', String(status)) });
      is.requestDuration.observe({ verb, resource }, spanSeconds(millis));
    },
    watchRestarted: (resource, reason) =>
      is.watchRestarts.inc({
        resource: bound('resource', resource),
        reason: bound('reason', reason),
      }),
    watchStaleness: (resource, read) => {
      staleness.set(bound('resource', resource), read);
    },
  }) satisfies Partial<Metrics>;

const noticeMetrics = (is: Instruments, bound: LabelBounds) =>
  ({
    notifierConfigured: (name) => {
      const notifier = bound('notifier', name);
      is.outboxDepth.set({ notifier }, 0);
      for (const kind of Object.keys(noticeKinds)) {
        for (const outcome of ['delivered', 'given-up', 'dropped']) {
          is.notices.inc({ notifier, kind, outcome }, 0);
        }
      }
    },
    noticeTried: (notifier, kind, outcome) =>
      is.notices.inc({
        notifier: bound('notifier', notifier),
        kind,
        outcome: bound('outcome', outcome),
      }),
    outboxDepth: (notifier, waiting) =>
      is.outboxDepth.set({ notifier: bound('notifier', notifier) }, waiting),
  }) satisfies Partial<Metrics>;

const controllerMetrics = (is: Instruments, bound: LabelBounds) =>
  ({
    workQueueDepth: (waiting) => is.queueDepth.set(waiting),
    workQueueWaited: (span) => is.queueWait.observe(spanSeconds(span)),
    reconciled: (outcome, took) => is.reconcileDuration.observe({ outcome }, spanSeconds(took)),
    failed: (code) => is.errors.inc({ code: bound('code', code) }),
    deployments: (optedIn, active) => {
      is.optedIn.set(optedIn);
      is.active.set(active);
    },
    leader: (leading) => is.leader.set(leading ? 1 : 0),
  }) satisfies Partial<Metrics>;
