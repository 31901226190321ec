import type { InconclusiveReason, Verdict } from '../analysis/verdict.ts';
import { describeSpan, seconds } from '../lib/units.ts';

/**
 * Reasons that more of the same ends; every other one is a guard, and people are told when it
 * lasts.
 */
const waits: ReadonlySet<InconclusiveReason> = new Set([
  'not-enough-evidence',
  'min-step',
  'settling',
  'warming-up',
  'suspicious',
]);

export const isGuard = (reason: InconclusiveReason): boolean => !waits.has(reason);

/** Why the rollout waits, and for how many requests. */
export function heldBecause(verdict: Verdict | undefined): string {
  if (verdict?.kind !== 'inconclusive') return 'waiting for the first samples at this weight';
  const { requestsNeeded, secondsNeeded } = verdict;
  const requests = requestsNeeded ? `, about ${requestsNeeded} more canary requests` : '';
  const time = secondsNeeded ? ` (${describeSpan(seconds(secondsNeeded))})` : '';
  return `${verdict.because}${requests}${time}`;
}
