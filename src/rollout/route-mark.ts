import type { Percent } from '../lib/units.ts';
import type { RouteMark, RouteView } from './views.ts';

/** A lowering of ours: a fence leaves the weight as it is. */
export const isReason = (mark: RouteMark | undefined): mark is RouteMark =>
  mark !== undefined && mark.kind !== 'fenced';

/**
 * The mark of a cut, on the route as it is. A canary that it was cut from for a rejection, and is
 * again for any reason, stays so.
 */
export function lasting(route: RouteView | undefined, mark: RouteMark): RouteMark {
  const before = route?.record?.mark;
  if (before?.kind === 'rejected' && before.revision === route?.record?.revision) return before;
  if (mark.kind !== 'withdrawn') return mark;
  return { ...mark, from: isReason(before) ? before.from : route?.leastWeight };
}

/** What was withdrawn gave less already: somebody's hand was there before our mark. */
export const hidesHand = ({ from }: RouteMark, weight: Percent): boolean =>
  from !== undefined && from < weight;
