import type { RouteMark, RouteRecord } from './views.ts';

/** A canary that the route was cut from for a rejection, and is again for any reason, stays so. */
export function lasting(record: RouteRecord | undefined, mark: RouteMark): RouteMark {
  const before = record?.mark;
  return before?.kind === 'rejected' && before.revision === record?.revision ? before : mark;
}
