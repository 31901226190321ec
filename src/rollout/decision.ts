import type { Millis, Percent } from '../lib/units.ts';
import type { Rejection } from './snapshot.ts';
import type { Outcome, Phase, RolloutState } from './state.ts';
import type { MarkedPod } from './views.ts';

/** What should be true. `mechanism.ts` finds the next write on the way there. */
export type Goal =
  | { readonly kind: 'ignore' }
  | { readonly kind: 'rest' }
  | { readonly kind: 'invalid' }
  /** Stay as a rollback has left it. */
  | { readonly kind: 'rejected'; readonly rejection: Rejection }
  /** Carry the weight of step `index`. */
  | { readonly kind: 'carry'; readonly index: number; readonly requestId?: string }
  /** Keep what is. */
  | { readonly kind: 'hold' }
  | {
      readonly kind: 'flinch';
      readonly to: Percent;
      readonly because: string;
      /** Fails alone: the way back begins when it is gone or has restarted. */
      readonly pod?: MarkedPod;
    }
  | { readonly kind: 'record'; readonly state: RolloutState }
  | { readonly kind: 'promote'; readonly requestId?: string }
  | { readonly kind: 'roll-back'; readonly outcome: Outcome }
  /**
   * Take a canary away without blame: the template moved on, went back, or nothing is left to
   * compare with.
   */
  | { readonly kind: 'withdraw'; readonly outcome: Outcome }
  | { readonly kind: 'retry'; readonly attempt: number }
  | { readonly kind: 'bootstrap' }
  | { readonly kind: 'opt-out' };

export interface Decision {
  /** Name of the rule that answered: the log word, the metric label, the CLI's answer. */
  readonly rule: string;
  readonly because: string;
  readonly phase: Phase;
  readonly goal: Goal;
  /** Look again after this time even if nothing happens. */
  readonly lookAgain?: Millis;
}

/** What a rule answers; its name is added by the table. */
export type Answer = Omit<Decision, 'rule'>;

export const answer = (
  phase: Phase,
  goal: Decision['goal'],
  because: string,
  lookAgain?: Millis,
): Answer => ({
  phase,
  goal,
  because,
  ...(lookAgain === undefined ? {} : { lookAgain }),
});
