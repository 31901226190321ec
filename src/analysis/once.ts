import type { EvidenceState } from './evidence.ts';
import type { AnalysisPolicy } from './policy.ts';

/**
 * The same function, which remembers its last answer about each state for as long as the state
 * lives. Neither a state nor a policy ever changes, so nobody can tell but by the time it takes.
 */
export function once<T>(
  compute: (state: EvidenceState, policy: AnalysisPolicy) => T,
): (state: EvidenceState, policy: AnalysisPolicy) => T {
  const known = new WeakMap<EvidenceState, { readonly policy: AnalysisPolicy; readonly of: T }>();
  return (state, policy) => {
    const found = known.get(state);
    if (found?.policy === policy) return found.of;
    const of = compute(state, policy);
    known.set(state, { policy, of });
    return of;
  };
}
