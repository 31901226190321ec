import type { Percent } from '../lib/units.ts';
import type { Phase } from '../rollout/state.ts';
import type { Instruments } from './instruments.ts';
import type { LabelBounds } from './label-bounds.ts';
import { createLiveSeries, keyOf, type LiveSeries, type RolloutName } from './live-series.ts';
import type { MetricKey } from './metric-catalogue.ts';

export interface RolloutFigures {
  readonly phase: Phase;
  /** As observed on the route. */
  readonly weight: Percent;
  /** 1-based; 0 before the first. */
  readonly step: number;
  readonly steps: number;
  readonly exposedRequests: number;
  readonly failedRequests: number;
  /** Why the weight is held; undefined while it is not. */
  readonly hold: string | undefined;
}

export interface CheckFigures {
  readonly check: string;
  /** It never acts: it has evidence, but no verdict and no threshold that could be reached. */
  readonly dryRun: boolean;
  readonly verdict: 'pass' | 'fail' | 'inconclusive';
  readonly canaryRatio: number;
  readonly stableRatio: number;
  readonly evidence: number;
  readonly evidenceThreshold: number;
  readonly promotionEvidence: number;
  readonly promotionThreshold: number;
  /** By how much the canary's bad share exceeds stable's, as ratios; absent while unknown. */
  readonly excess?: { readonly low: number; readonly high: number };
}

/** The gauges that {@link RolloutGauges} sets. */
export const rolloutGauges = [
  'weight',
  'step',
  'steps',
  'exposed',
  'failed',
  'phase',
  'hold',
  'verdict',
  'canaryRatio',
  'stableRatio',
  'evidence',
  'evidenceThreshold',
  'promotionEvidence',
  'promotionThreshold',
  'excessLow',
  'excessHigh',
] as const satisfies readonly MetricKey[];

/**
 * What the gauges show of rollouts under way. Passes are many and scrapes are few: the figures of
 * the last pass are kept, and the gauges are set when they are about to be read.
 */
export interface RolloutGauges {
  /** The reason of a hold is a label: one of a bounded number. */
  rollout(rollout: RolloutName, figures: RolloutFigures): void;
  /** Replaces the rollout's checks. */
  checks(rollout: RolloutName, read: () => readonly CheckFigures[]): void;
  /** Removes the rollout's series. */
  remove(rollout: RolloutName): void;
  /** Sets what is new since the last call. */
  show(): void;
}

interface Unread {
  readonly rollout: RolloutName;
  figures?: RolloutFigures;
  checks?: () => readonly CheckFigures[];
}

/** `onError`: `read` of a rollout's checks has thrown; the page must not lack all others for it. */
export function createRolloutGauges(
  is: Pick<Instruments, (typeof rolloutGauges)[number]>,
  bound: LabelBounds,
  onError: () => void,
): RolloutGauges {
  const live = createLiveSeries();
  const unread = new Map<string, Unread>();
  const of = (rollout: RolloutName): Unread => {
    const key = keyOf(rollout);
    const found = unread.get(key) ?? { rollout };
    unread.set(key, found);
    return found;
  };
  return {
    rollout: (rollout, figures) => {
      of(rollout).figures = figures;
    },
    checks: (rollout, read) => {
      of(rollout).checks = read;
    },
    remove: (rollout) => {
      unread.delete(keyOf(rollout));
      live.remove(rollout);
    },
    show: () => {
      for (const { rollout, figures, checks } of unread.values()) {
        if (figures !== undefined) setRollout(is, live, rollout, figures);
        try {
          if (checks !== undefined) setChecks(is, live, rollout, checks(), bound);
        } catch {
          onError();
        }
      }
      unread.clear();
    },
  };
}

type Gauges = Parameters<typeof createRolloutGauges>[0];

function setRollout(
  is: Gauges,
  live: LiveSeries,
  rollout: RolloutName,
  figures: RolloutFigures,
): void {
  live.set(rollout, is.weight, figures.weight);
  live.set(rollout, is.step, figures.step);
  live.set(rollout, is.steps, figures.steps);
  live.set(rollout, is.exposed, figures.exposedRequests);
  live.set(rollout, is.failed, figures.failedRequests);
  live.setAll(rollout, is.phase, [{ value: 1, extra: { phase: figures.phase } }]);
  const { hold: reason } = figures;
  live.setAll(rollout, is.hold, reason === undefined ? [] : [{ value: 1, extra: { reason } }]);
}

const verdictValue = { pass: 1, inconclusive: 0, fail: -1 } as const;

function setChecks(
  is: Gauges,
  live: LiveSeries,
  rollout: RolloutName,
  checks: readonly CheckFigures[],
  bound: LabelBounds,
): void {
  const columns = [
    [is.verdict, acting((c) => verdictValue[c.verdict])],
    [is.canaryRatio, (c: CheckFigures) => c.canaryRatio],
    [is.stableRatio, (c: CheckFigures) => c.stableRatio],
    [is.evidence, (c: CheckFigures) => c.evidence],
    [is.evidenceThreshold, acting((c) => c.evidenceThreshold)],
    [is.promotionEvidence, (c: CheckFigures) => c.promotionEvidence],
    [is.promotionThreshold, acting((c) => c.promotionThreshold)],
    [is.excessLow, (c: CheckFigures) => c.excess?.low],
    [is.excessHigh, (c: CheckFigures) => c.excess?.high],
  ] as const;
  for (const [gauge, read] of columns) {
    const points = checks.flatMap((figures) => {
      const value = read(figures);
      return value === undefined
        ? []
        : [{ value, extra: { check: bound('check', figures.check) } }];
    });
    live.setAll(rollout, gauge, points);
  }
}

const acting =
  (read: (figures: CheckFigures) => number) =>
  (figures: CheckFigures): number | undefined =>
    figures.dryRun ? undefined : read(figures);
