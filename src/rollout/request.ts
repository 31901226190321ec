import { carriedIndex, type Snapshot, stateOf } from './snapshot.ts';
import type { RolloutState } from './state.ts';

type Asked = { readonly by: string; readonly state: RolloutState & { readonly requestId: string } };

/**
 * The human request that waits to take effect, with the state that records it as taken. Undefined
 * when there is
 * none of this verb, when it was taken before, or when the rollout has moved on from what it names
 * (S10).
 */
export function requestFor(s: Snapshot, verb: string): Asked | undefined {
  const state = stateOf(s);
  const request = s.request;
  if (request === undefined || request.verb !== verb || state === undefined) return undefined;
  if (isTaken(s, state) || refusal(s) !== undefined) return undefined;
  return { by: request.by ?? 'somebody', state: { ...state, requestId: request.id } };
}

/**
 * A request that raises is recorded before the route is shifted: until then it waits to take
 * effect,
 * for no other pass would finish what it began.
 */
function isTaken(s: Snapshot, state: RolloutState): boolean {
  if (state.requestId !== s.request?.id) return false;
  // Recording the raise ended any pause: whoever paused it since has the last word.
  if (state.pause !== null) return true;
  const { index, fromIndex, inForceAt } = state.step;
  const isShifted = inForceAt !== null || index === fromIndex || carriedIndex(s) !== fromIndex;
  return isShifted || s.request.step !== carriedIndex(s) + 1;
}

/**
 * Why the request on the Deployment is not acted on; undefined when it is, or when there is none.
 */
export function refusal(s: Snapshot): string | undefined {
  const { request } = s;
  const state = stateOf(s);
  if (request === undefined || state === undefined || state.requestId === request.id)
    return undefined;
  const step = Math.max(0, carriedIndex(s) + 1);
  if (
    request.revision !== state.revision ||
    (request.step !== undefined && request.step !== step)
  ) {
    const named = request.step === undefined ? '' : `step ${request.step} of `;
    return (
      `the rollout is at step ${step} of revision ${state.revision}; ` +
      `the request named ${named}revision ${request.revision}`
    );
  }
  return undefined;
}
