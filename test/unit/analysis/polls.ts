import { advance } from '../../../src/analysis/advance.ts';
import type { Counts, Poll } from '../../../src/analysis/counts.ts';
import { beginEvidence, type EvidenceState } from '../../../src/analysis/evidence.ts';
import { type AnalysisPolicy, defaultPolicy } from '../../../src/analysis/policy.ts';
import { instant, type Percent, percent } from '../../../src/lib/units.ts';

export const start = 1_760_000_000_000;

export const counts = (nc: number, xc: number, ns: number, xs: number): Counts => ({
  nc,
  xc,
  ns,
  xs,
});

/** The k-th poll of a grid of `seconds`, at 1 % towards 5 % unless told otherwise. */
export function errorsPoll(
  k: number,
  one: Counts,
  overrides: Partial<Poll> & { seconds?: number } = {},
): Poll {
  const { seconds = 1, ...rest } = overrides;
  return {
    since: instant(start + k * seconds * 1000),
    at: instant(start + (k + 1) * seconds * 1000),
    weight: percent(1),
    step: 0,
    next: percent(5),
    checks: { errors: [one] },
    ...rest,
  };
}

export const run = (
  polls: readonly Poll[],
  policy: AnalysisPolicy = defaultPolicy,
  from: EvidenceState = beginEvidence(policy),
): EvidenceState => polls.reduce((state, poll) => advance(state, poll, policy), from);

export const weight = (value: number): Percent => percent(value);
