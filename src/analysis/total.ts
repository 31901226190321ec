import type { ComponentEvidence, EvidenceState } from './evidence.ts';
import { once } from './once.ts';
import { type AnalysisPolicy, type CheckPolicy, checkShares } from './policy.ts';
import { lnWealth } from './wealth.ts';

/** Money of one check on "worse": the mean over its components, which may depend on each other. */
export interface CheckWealth {
  readonly check: CheckPolicy;
  /** Started at 1. */
  readonly wealth: number;
  /** Its share of all the money. */
  readonly share: number;
  /** The component with the most money, and its position. */
  readonly worst: ComponentEvidence | undefined;
  readonly worstIndex: number;
}

export interface TotalWealth {
  readonly wealth: number;
  /** Reject from here on: 1/α. */
  readonly needed: number;
  /** The check with the most money. */
  readonly blamed: CheckWealth | undefined;
  readonly checks: readonly CheckWealth[];
  /**
   * Factor of the last poll alone, all checks together: P(≥ x) is about 1/x at most for a canary
   * that is fine. Where the dispersion is unknown a burst of errors can look like it too, and costs
   * a pause.
   */
  readonly surprise: number;
}

/**
 * All the money on "worse": an average of e-processes is one, however they depend. Computed once
 * for a state, which never changes: the judgement, its description and the flinch ask for it.
 */
export const totalWealth = once(computeTotal);

function computeTotal(state: EvidenceState, policy: AnalysisPolicy): TotalWealth {
  const shares = checkShares(policy.checks);
  const checks = policy.checks.map((check, i) => checkWealth(state, check, shares[i] ?? 0));
  let [wealth, surprise] = [0, 0];
  let blamed: CheckWealth | undefined;
  for (const one of checks) {
    if (one.share === 0) continue;
    wealth += one.share * one.wealth;
    surprise += one.share * (state.checks[one.check.name]?.surprise ?? 0);
    if (blamed === undefined || one.share * one.wealth > blamed.share * blamed.wealth) blamed = one;
  }
  return {
    wealth,
    needed: 1 / (policy.alpha * state.alphaShare),
    blamed,
    checks,
    surprise,
  };
}

function checkWealth(state: EvidenceState, check: CheckPolicy, share: number): CheckWealth {
  const components = state.checks[check.name]?.components ?? [];
  let sum = 0;
  let most = -1;
  let worstIndex = 0;
  components.forEach((component, i) => {
    const wealth = Math.exp(lnWealth(component.worse));
    sum += wealth;
    if (wealth > most) {
      most = wealth;
      worstIndex = i;
    }
  });
  const wealth = components.length === 0 ? 0 : sum / components.length;
  return { check, wealth, share, worst: components[worstIndex], worstIndex };
}
