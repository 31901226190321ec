import {
  type AnalysisPolicy,
  type CheckPolicy,
  defaultGauge,
  defaultPolicy,
  errorsCheck,
  type GaugePolicy,
  gaugeCheck,
  latencyCheck,
  latencyObjectiveCheck,
  restartsCheck,
} from '../analysis/policy.ts';
import { millis } from '../lib/units.ts';
import type { RolloutSpec } from '../rollout/rollout-spec.ts';
import type { RolloutState } from '../rollout/state.ts';
import type { CheckConfig, Config, ProfileConfig } from '../spec/config.ts';
import type { RolloutMemory } from './memory.ts';
import type { Parts } from './parts.ts';

/** The policy of a rollout, made once its bucket bounds are known, and kept while it runs. */
export function policyOf(
  state: Pick<RolloutState, 'spec' | 'bounds'>,
  memory: Pick<RolloutMemory, 'policy' | 'bounds'>,
  parts: Pick<Parts, 'settings'>,
): AnalysisPolicy {
  const bounds = state.bounds ?? memory.bounds;
  if (memory.policy !== undefined) return memory.policy;
  const policy = analysisPolicy(parts.settings.config, state.spec, bounds ?? {});
  if (bounds !== undefined) memory.policy = policy;
  return policy;
}

/** The numbers of one rollout's analysis: its profile, its checks, its own times. */
export function analysisPolicy(
  config: Config,
  spec: RolloutSpec,
  bounds: Readonly<Record<string, readonly number[]>>,
): AnalysisPolicy {
  const profile = config.profiles.get(spec.profile);
  if (profile === undefined) return defaultPolicy;
  const checks = spec.checks.flatMap((name) => {
    const check = config.checks.get(name);
    if (check === undefined) return [];
    const policy = checkPolicy(name, check, profile);
    if (check.kind !== 'histogram') return [policy];
    const chosen = bounds[name] ?? [];
    // Without a bound that stable's requests exceed now and then, there is nothing to compare.
    return chosen.length === 0 ? [] : [{ ...policy, bounds: chosen }];
  });
  return {
    ...defaultPolicy,
    alpha: profile.alpha,
    beta: profile.beta,
    checks,
    confirmPolls: profile.confirm,
    leastBad: profile.minBad,
    limit: { ...defaultPolicy.limit, rate: profile.limit },
    // The step begins when the gateway accepts the route; what is counted begins a propagation
    // later.
    minStep: millis(Math.max(0, spec.minStep - config.limits.propagation)),
    flinch: { ...defaultPolicy.flinch, on: spec.flinch },
  };
}

function checkPolicy(name: string, check: CheckConfig, profile: ProfileConfig): CheckPolicy {
  const { dryRun, onEmpty, share } = check;
  const base = baseOf(check, profile);
  return { ...base, name, dryRun, onEmpty: onEmpty ?? 'hold', share: share ?? base.share };
}

function baseOf(check: CheckConfig, { errors, latency }: ProfileConfig): CheckPolicy {
  switch (check.kind) {
    case 'ratio':
      return withTolerances(errorsCheck, errors);
    case 'histogram':
      return withTolerances(
        check.objective === undefined ? latencyCheck : latencyObjectiveCheck,
        latency,
      );
    case 'gauge-per-pod':
      return { ...gaugeCheck, gauge: gaugePolicy(check) };
    case 'restarts':
      return restartsCheck;
  }
}

const withTolerances = (
  base: CheckPolicy,
  { rollback, promotion }: ProfileConfig['errors'],
): CheckPolicy => ({
  ...base,
  worse: { rho: rollback.ratio, delta: rollback.points },
  better: { rho: promotion.ratio, delta: promotion.points },
});

/** What counts as beyond stable's pods, in the words of the configuration. */
export const gaugePolicy = ({ direction, tolerance, window }: CheckConfig): GaugePolicy => ({
  worseWhen: direction === 'down' ? 'lower' : 'higher',
  ratio: tolerance?.ratio ?? defaultGauge.ratio,
  slack: tolerance?.absolute ?? 0,
  spacing: window ?? defaultGauge.spacing,
});
