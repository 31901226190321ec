import type { Millis } from '../lib/units.ts';
import type { Action } from './action.ts';
import { ascend, sustain } from './ascend.ts';
import type { Decision } from './decision.ts';
import { descend } from './descend.ts';
import { optOut } from './opt-out.ts';
import { promote } from './promote.ts';
import { rest, stayRejected, tellInvalid } from './rest.ts';
import type { Snapshot } from './snapshot.ts';

/** What the way to a goal asks for next. */
export type NextWrite =
  | { readonly kind: 'write'; readonly condition: string; readonly action: Action }
  | {
      readonly kind: 'wait';
      readonly condition: string;
      readonly until: string;
      /** Time alone ends this wait; absent: a watch event or a sample does. */
      readonly lookAgain?: Millis;
    }
  | { readonly kind: 'reached' };

/**
 * One thing that must be true on the way to a goal. `toward` is asked only while it is not met, and
 * says either
 * the write that makes it so or what is waited for.
 */
export interface Condition {
  readonly name: string;
  readonly met: (s: Snapshot, d: Decision) => boolean;
  readonly toward: (s: Snapshot, d: Decision) => Action | Waiting;
}

export interface Waiting {
  readonly until: string;
  readonly lookAgain?: Millis;
}

/**
 * The first unmet condition on the way from what is observed to the goal. It remembers nothing:
 * after a crash the
 * same objects and the same recorded state give the same answer, so resuming is no feature but a
 * consequence.
 */
export function nextWrite(s: Snapshot, decision: Decision): NextWrite {
  for (const condition of wayTo(decision)) {
    if (condition.met(s, decision)) continue;
    const found = condition.toward(s, decision);
    return 'until' in found
      ? { kind: 'wait', condition: condition.name, ...found }
      : { kind: 'write', condition: condition.name, action: found };
  }
  return { kind: 'reached' };
}

function wayTo(decision: Decision): readonly Condition[] {
  switch (decision.goal.kind) {
    case 'ignore':
      return [];
    case 'invalid':
      return tellInvalid;
    case 'rest':
    case 'retry':
    case 'bootstrap':
      return rest;
    case 'rejected':
      return stayRejected;
    case 'carry':
      return ascend;
    case 'hold':
    case 'flinch':
    case 'record':
      return sustain;
    case 'promote':
      return promote;
    case 'roll-back':
    case 'withdraw':
      return descend;
    case 'opt-out':
      return optOut;
    default:
      return decision.goal satisfies never;
  }
}
