import type { RouteMark } from './views.ts';

/** What was cut for a rejection, and is cut again for whatever reason, stays rejected (S4). */
export const lasting = (before: RouteMark | undefined, mark: RouteMark): RouteMark =>
  before?.kind === 'rejected' && before.revision === mark.revision ? before : mark;
