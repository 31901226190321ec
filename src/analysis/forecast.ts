import { anchorOf, stepMargin } from './advance-check.ts';
import { betterOdds, lnBetter, lnBetterMoney, lnBetterTotal } from './bets.ts';
import type { ComponentEvidence } from './evidence.ts';
import type { CheckPolicy } from './policy.ts';

/** Promotion evidence ln F of one component since the step began. */
export const lnPromotion = (component: ComponentEvidence): number =>
  lnBetterTotal(component.better);

/**
 * Canary requests, or looks at a gauge, until F reaches 1/β at the present odds of the split, if
 * the canary is just as good as stable: an upper bound, by the best single bet. Undefined when no
 * bet grows.
 */
export function requestsUntilPromotion(
  component: ComponentEvidence,
  policy: CheckPolicy,
  next: number,
  dispersion: number,
  beta: number,
): number | undefined {
  if (policy.better === undefined) return undefined;
  const { step } = component;
  const rate = likelyRate(component);
  const kappa = policy.kind === 'gauge' ? 0 : step.nc > 0 && step.ns > 0 ? step.nc / step.ns : 1;
  const line = {
    rho: policy.better.rho,
    delta: stepMargin(policy.better.delta, next),
    pHat: anchorOf(component),
    kappa,
  };
  const perRequest = kappa > 0 ? 1 / kappa : 0;
  const one = { nc: 1, xc: rate, ns: perRequest, xs: rate * perRequest };
  const needed = -Math.log(beta);
  let least: number | undefined;
  for (let i = 0; i < betterOdds.length; i += 1) {
    const growth = lnBetter(one, line, betterOdds[i] ?? 1) / dispersion;
    if (growth <= 0) continue;
    const have = (component.better[i] ?? 0) + (lnBetterMoney[i] ?? 0);
    const requests = Math.max(0, (needed - have) / growth);
    if (least === undefined || requests < least) least = requests;
  }
  return least === undefined ? undefined : Math.ceil(least);
}

/** Stable's rate, from all that was seen of it. */
function likelyRate(component: ComponentEvidence): number {
  const { total } = component;
  return total.ns > 0 ? total.xs / total.ns : anchorOf(component);
}
