import type { Percent } from '../lib/units.ts';
import { type Answer, answer } from './decision.ts';
import { hidesHand } from './route-mark.ts';
import { carriedIndex, leastWeight, routeWeight, type Snapshot, stateOf } from './snapshot.ts';

/**
 * Our own mark says that this canary was withdrawn, and nothing asks for that any more: the
 * template is this one again, or the canary was lost to a list alone, which may have shown an
 * earlier one in its place. At the end of the ladder a person decides.
 */
export function isTakenBack(s: Snapshot): boolean {
  const { mark, revision } = s.route?.record ?? {};
  const cut = [revision, mark?.revision];
  const isOurs = mark?.kind === 'withdrawn' && cut.includes(s.canary?.podHash);
  const carried = s.spec?.steps[carriedIndex(s)];
  if (!isOurs || carried === undefined || hidesHand(mark, carried)) return false;
  return routeWeight(s) < carried;
}

/** The weight stays low while the suspicion lasts; the way back is a raise of its own. */
export function afterFlinch(s: Snapshot): Answer | undefined {
  const state = stateOf(s);
  const mark = s.route?.record?.mark;
  if (isTakenBack(s)) {
    const because = 'the reason to withdraw the canary is over';
    return answer('progressing', { kind: 'carry', index: carriedIndex(s) }, because);
  }
  // No step was taken yet, or somebody's hand was quicker: nothing is left to return to.
  const carried = s.spec?.steps[carriedIndex(s)] ?? 0;
  if (mark?.kind !== 'flinch' || !state || routeWeight(s) >= carried) return undefined;
  const at = `${routeWeight(s)} % instead of ${state.step.to} %`;
  // A return that was recorded is finished: until it is in force nothing is suspected anew.
  return s.flinch?.kind === 'return' || state.step.inForceAt === null
    ? answer(
        'progressing',
        { kind: 'carry', index: carriedIndex(s) },
        s.flinch?.because ?? 'the suspicion is over',
      )
    : answer('holding', { kind: 'hold' }, `suspicious, at ${at}: ${mark.because}`);
}

/** A suspicion leaves some requests, to go on by; only a sick pod is left without any. */
export function isFlinched(s: Snapshot, to: Percent): boolean {
  const mark = s.route?.record?.mark;
  const weight = routeWeight(s);
  const isOurs = mark?.kind === 'flinch' && weight === leastWeight(s);
  return isOurs && weight < to && (weight > 0 || mark.pod !== undefined);
}
