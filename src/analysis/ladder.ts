import { type Percent, percent, toRatio } from '../lib/units.ts';
import type { CheckPrior } from './counts.ts';
import { beginEvidence } from './evidence.ts';
import { requestsUntilPromotion } from './forecast.ts';
import { defaultSteps } from './plan.ts';
import { type AnalysisPolicy, countsRequests } from './policy.ts';

/** What is known of stable before the first weight. */
export interface StableTraffic {
  readonly requestsPerSecond: number;
  /** By check; where one is absent no bad request is expected. */
  readonly priors: Readonly<Record<string, CheckPrior>>;
}

/**
 * How a rollout came by its weights, and what its traffic makes of the first one.
 *
 * annotation: the user's · config: the administrator's · traffic: the default for what stable
 * gets · unmeasured: the default, for stable's traffic was not known in time
 */
export interface Ladder {
  readonly by: 'annotation' | 'config' | 'traffic' | 'unmeasured';
  /** Of stable before the first weight; null: not known. */
  readonly requestsPerSecond: number | null;
  /** Expected time of the first step, and of one of 1 %, in seconds; null: not known. */
  readonly firstStepSeconds: number | null;
  readonly onePercentSeconds: number | null;
}

export interface LadderChoice {
  readonly ladder: Ladder;
  readonly steps: readonly Percent[];
}

/** The weights for `by`, given what stable gets; `given` are those that somebody wrote. */
export function chooseLadder(
  by: Ladder['by'],
  given: readonly Percent[],
  traffic: StableTraffic | undefined,
  policy: AnalysisPolicy,
): LadderChoice {
  const rps = traffic?.requestsPerSecond;
  const steps = by === 'traffic' && rps !== undefined ? defaultSteps(rps) : given;
  const [first = percent(1), second = percent(100)] = steps;
  const expect = (weight: Percent, next: Percent) =>
    traffic === undefined ? null : (expectedStepSeconds(traffic, weight, next, policy) ?? null);
  return {
    steps,
    ladder: {
      by,
      requestsPerSecond: rps ?? null,
      firstStepSeconds: expect(first, second),
      onePercentSeconds: expect(percent(1), percent(5)),
    },
  };
}

/**
 * Seconds until a step at `weight` allows `next`, for a canary as good as stable: by the forecast
 * that `haldane explain` shows, which leans to the long side. Undefined where no time is enough.
 */
export function expectedStepSeconds(
  { requestsPerSecond, priors }: StableTraffic,
  weight: Percent,
  next: Percent,
  policy: AnalysisPolicy,
): number | undefined {
  const share = toRatio(weight);
  const fresh = beginEvidence(policy);
  let most = 0;
  for (const check of policy.checks) {
    if (check.better === undefined || check.dryRun === true) continue;
    if (!countsRequests(check)) continue;
    const known = priors[check.name];
    for (const [i, component] of (fresh.checks[check.name]?.components ?? []).entries()) {
      const prior = known?.badRates?.[i] ?? 0;
      const one = { nc: share, xc: share * prior, ns: 1 - share, xs: (1 - share) * prior };
      const looked = { ...component, step: one, total: one, prior };
      const { dispersion = 1 } = known ?? {};
      const requests = requestsUntilPromotion(looked, check, next, dispersion, policy.beta);
      if (requests === undefined) return undefined;
      most = Math.max(most, requests);
    }
  }
  const perSecond = requestsPerSecond * share;
  if (perSecond === 0) return undefined;
  return Math.ceil(Math.max(most / perSecond, policy.minStep / 1000));
}
