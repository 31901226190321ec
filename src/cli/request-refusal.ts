import type { RequestVerb } from '../rollout/rollout-spec.ts';
import type { Facts } from './facts.ts';
import { rejectionOf, stepOf } from './rollout-status.ts';

/** What a request must name, so that it means what the person saw. */
export interface Aim {
  readonly revision: string;
  readonly step: number | undefined;
}

export type Aimed = { readonly aim: Aim } | { readonly refused: string };

/**
 * What a request would be aimed at, or why there is nothing it could do. The controller judges
 * again:
 * this only saves people the wait.
 */
export function aimOf(verb: RequestVerb, facts: Facts): Aimed {
  if (verb === 'retry') return aimOfRetry(facts);
  const { canary, state, adopted, deployment } = facts;
  if (canary === undefined || state === undefined) return { refused: withoutRollout(facts) };
  if (adopted) {
    const now = `revision ${canary.podHash} has been promoted`;
    return { refused: `${now}; to go back, deploy the old version or use "haldane undo"` };
  }
  if (canary.podHash !== deployment.templateHash) {
    return { refused: `revision ${canary.podHash} is being taken away for a newer one; try again` };
  }
  const refused = state === 'unreadable' ? undefined : verbRefusal(verb, facts, state.pause);
  if (refused !== undefined) return { refused };
  if (state === 'unreadable') {
    return verb === 'rollback'
      ? { aim: { revision: canary.podHash, step: undefined } }
      : { refused: 'the rollout has no state that can be read; it is being rolled back' };
  }
  const step = stepOf(state, facts.route);
  const named = verb === 'promote' || verb === 'skip-step';
  return { aim: { revision: canary.podHash, step: named ? step : undefined } };
}

function verbRefusal(
  verb: RequestVerb,
  { route }: Facts,
  pause: { readonly by: string } | null,
): string | undefined {
  const mark = route?.record?.mark;
  if (mark?.kind === 'rejected') return `it is being rolled back: ${mark.because}`;
  if (verb === 'pause' && pause !== null) return `it is paused already, by ${pause.by}`;
  if (verb === 'resume' && pause === null) return 'it is not paused';
  return undefined;
}

function withoutRollout(facts: Facts): string {
  const rejection = rejectionOf(facts);
  if (rejection === undefined) return 'no rollout is under way';
  return `revision ${rejection.revision} was rolled back already: ${rejection.because}`;
}

function aimOfRetry(facts: Facts): Aimed {
  const rejection = rejectionOf(facts);
  if (facts.canary !== undefined) return { refused: 'a rollout is under way' };
  return rejection === undefined
    ? { refused: 'the template of the Deployment was not rolled back, there is nothing to retry' }
    : { aim: { revision: rejection.revision, step: undefined } };
}

/** Whether the controller has acted on a request. */
export function isTaken(verb: RequestVerb, id: string, revision: string, facts: Facts): boolean {
  const { canary, state, adopted, rejections, route } = facts;
  const rejected = rejections.some((rejection) => rejection.revision === revision);
  if (verb === 'retry') return !rejected;
  if (canary === undefined || canary.podHash !== revision || adopted) return true;
  if (verb === 'rollback') return rejected || route?.record?.mark?.kind === 'rejected';
  if (state === undefined || state === 'unreadable') return false;
  if (verb === 'promote' && state.summary.phase === 'promoting') return true;
  return state.requestId === id;
}
