import { apply } from './apply.ts';
import { type Cluster, keyOf } from './cluster-state.ts';
import { eventsOf } from './environment.ts';
import { decided } from './search.ts';

// When people and faults are quiet, one leader and a fair cluster bring every state to rest (L1).

export interface Stuck {
  readonly because: string;
  readonly path: readonly string[];
}

/** Longer than any way to rest: a whole withdrawal and a whole promotion together take 90. */
const longest = 400;

/** States from which rest is not reached, at most ten; and how many were tried. */
export function stuckStates(clusters: readonly Cluster[]): readonly Stuck[] {
  const good = new Set<string>();
  const found = new Map<string, Stuck>();
  for (const start of clusters) {
    const stuck = settle(start, good);
    if (stuck !== undefined && !found.has(stuck.because)) found.set(stuck.because, stuck);
    if (found.size >= 10) break;
  }
  return [...found.values()];
}

function settle(start: Cluster, good: Set<string>): Stuck | undefined {
  const keys: string[] = [];
  const path: string[] = [];
  let cluster = start;
  for (let turn = 0; turn < longest; turn += 1) {
    const key = keyOf(cluster);
    if (good.has(key)) break;
    keys.push(key);
    const { action, rule } = decided(cluster);
    const next = action === undefined ? undefined : apply(action, cluster, cluster, 0);
    if (next !== undefined && action !== undefined) {
      path.push(`${action.kind} (${rule})`);
      cluster = next;
      continue;
    }
    // Whoever waits is woken by one event after another: none comes first for ever.
    const fair = eventsOf(cluster).filter((event) => event.fair);
    const event = fair[turn % Math.max(1, fair.length)];
    if (event === undefined) {
      const because = notAtRest(cluster, rule);
      if (because !== undefined) return { because, path: [...path, rule] };
      break;
    }
    path.push(event.name);
    cluster = event.next;
    if (turn === longest - 1) return { because: `L1: no rest (${rule})`, path: path.slice(-40) };
  }
  for (const key of keys) good.add(key);
  return undefined;
}

/** People hold a rollout as long as they like; everything else ends with nothing of ours left. */
function notAtRest(c: Cluster, rule: string): string | undefined {
  if (rule === 'paused') return undefined;
  if (c.weight > 0 || c.record >= 0) return `L1: the route is not the user’s own (${rule})`;
  if (c.pin !== '') return `L1: the Service is still pinned (${rule})`;
  if (c.ours.some((set) => set !== undefined)) return `L1: a ReplicaSet of ours is left (${rule})`;
  // A Service that a late write made again leads nowhere, and goes with the Deployment.
  return undefined;
}
