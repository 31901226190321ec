import type { View } from './oracle-view.ts';
import type { World } from './world.ts';

// What clients saw of each version.

interface Seen {
  readonly world: World;
  readonly view: View;
}

const counts = (seen: Seen, version: string) =>
  seen.world.traffic.answered.get(version) ?? { total: 0, bad: 0 };
/** Requests that pods of a version have answered. */
export const answered = (seen: Seen, version: string): number => counts(seen, version).total;

/** Worst of the versions that the clients met beside this one. */
export function othersBad(seen: Seen, version: string): number {
  const others = [...seen.world.traffic.answered].filter(([name]) => name !== version);
  return Math.max(0, ...others.map(([, { total, bad }]) => bad / Math.max(1, total)));
}

export function isBad(seen: Seen, version: string): boolean {
  const { total, bad } = counts(seen, version);
  return total >= 100 && bad / total > 0.04 && othersBad(seen, version) < 0.02;
}

/** No worse than what serves beside it. */
export function isGood(seen: Seen, version: string): boolean {
  const { total, bad } = counts(seen, version);
  const stable = seen.view.sets().find(({ owned, replicas }) => owned && replicas > 0);
  const usual = counts(seen, stable?.version ?? '');
  return bad <= 1 || bad / Math.max(1, total) <= usual.bad / Math.max(1, usual.total);
}
