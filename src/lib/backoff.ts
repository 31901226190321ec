import type { Random } from './random.ts';
import { type Millis, millis } from './units.ts';

export interface BackoffPolicy {
  readonly first: Millis;
  /** No single pause is longer: a retry that waits minutes would park a rollback. */
  readonly longest: Millis;
  readonly factor: number;
}

/**
 * Pause before try number `attempt` (0 = first retry): exponential, bounded, with full jitter on
 * its upper half.
 */
export function backoff(policy: BackoffPolicy, attempt: number, random: Random): Millis {
  const exponent = Math.min(attempt, 32);
  const ceiling = Math.min(policy.longest, policy.first * policy.factor ** exponent);
  return millis(ceiling * (0.5 + random() / 2));
}
