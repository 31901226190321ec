import type { Action } from '../../../src/rollout/action.ts';
import { decide } from '../../../src/rollout/decide.ts';
import { brokenBy } from '../../../src/rollout/invariants.ts';
import { nextWrite } from '../../../src/rollout/mechanism.ts';
import { apply, changesBetween } from './apply.ts';
import { atRest, type Budgets, type Cluster, canaryIndex, keyOf } from './cluster-state.ts';
import { eventsOf } from './environment.ts';
import { wrongState, wrongWrite } from './invariants.ts';
import { snapshotOf } from './snapshot-of.ts';

// Breadth first over everything that two leaders, Kubernetes, people and faults can bring about.
// Leader A looks and writes at once; leader B looks at any moment and writes at any later one.
// Neither remembers anything, so a crash is a look that is never followed by its write.

export interface Limits {
  readonly states: number;
}

export interface Report {
  readonly states: number;
  readonly transitions: number;
  readonly depth: number;
  /** Distinct states of the cluster alone, each with one call of `decide` and `nextWrite`. */
  readonly clusters: number;
  /** Every reachable state was visited. */
  readonly whole: boolean;
  readonly violations: readonly Counterexample[];
}

export interface Counterexample {
  readonly broken: string;
  readonly path: readonly string[];
}

interface Edge {
  readonly name: string;
  readonly to: number;
}

/** One state of the cluster, by its number. */
interface Known {
  readonly cluster: Cluster;
  readonly rule: string;
  readonly action: Action | undefined;
  /** The second lock would refuse this write. */
  readonly refused: string | undefined;
  edges: readonly Edge[] | undefined;
}

/** B has looked at nothing. */
const nothing = 0;

export class Search {
  readonly #known: Known[] = [];
  readonly #numbers = new Map<string, number>();
  readonly #visited = new Set<number>();
  readonly #queue: number[] = [];
  readonly #from: number[] = [];
  readonly #name: string[] = [];
  readonly #violations: Counterexample[] = [];
  #transitions = 0;

  constructor(mode: Cluster['mode'], budgets: Budgets) {
    // Number 0 stands for no look at all.
    this.#number(atRest(mode, { userEdits: 0, requests: 0, faults: 0 }));
    this.#visit(this.#number(atRest(mode, budgets)), nothing, 0, -1, 'at rest');
  }

  run(limits: Limits): Report {
    let head = 0;
    let depth = 0;
    let end = this.#queue.length;
    for (; head < this.#queue.length && this.#violations.length < 10; head += 1) {
      if (head === end) {
        depth += 1;
        end = this.#queue.length;
      }
      this.#expand(head);
      if (this.#queue.length >= limits.states) break;
    }
    return {
      states: this.#queue.length,
      transitions: this.#transitions,
      depth,
      clusters: this.#known.length,
      whole: head >= this.#queue.length,
      violations: this.#violations,
    };
  }

  /** Every state of the cluster that was met, for what must hold of each by itself. */
  get clusters(): readonly Cluster[] {
    return this.#known.map(({ cluster }) => cluster);
  }

  #expand(at: number): void {
    const [cluster, seen, since] = unpack(this.#queue[at] ?? 0);
    const here = this.#at(cluster);
    for (const { name, to } of this.#edges(cluster)) {
      this.#visit(to, seen, this.#since(seen, since, cluster, to), at, name);
    }
    if (seen === nothing) {
      if (here.action !== undefined) this.#visit(cluster, cluster, 0, at, 'B looks');
      return;
    }
    const { action, cluster: saw, rule } = this.#at(seen);
    if (action === undefined) return;
    const next = apply(action, saw, here.cluster, since);
    const name = `B writes ${action.kind} (${rule})`;
    if (next === undefined) return this.#visit(cluster, nothing, 0, at, `${name}: refused`);
    this.#check(wrongWrite(action.kind, here.cluster, next, true), at, name);
    this.#visit(this.#number(next), nothing, 0, at, name);
  }

  #since(seen: number, since: number, from: number, to: number): number {
    if (seen === nothing) return 0;
    const canary = canaryIndex(this.#at(seen).cluster);
    return since | changesBetween(this.#at(from).cluster, this.#at(to).cluster, canary);
  }

  /** What can happen to the cluster without B: the same whatever B has seen. */
  #edges(number: number): readonly Edge[] {
    const here = this.#at(number);
    if (here.edges !== undefined) return here.edges;
    const edges = eventsOf(here.cluster).map(({ name, next }) => ({
      name,
      to: this.#number(next),
    }));
    const { action, cluster, rule, refused } = here;
    if (action !== undefined) {
      const name = `A writes ${action.kind} (${rule})`;
      const next = apply(action, cluster, cluster, 0);
      const wrong = next === undefined ? undefined : wrongWrite(action.kind, cluster, next);
      if (refused !== undefined) edges.push({ name: `${name}! ${refused}`, to: number });
      else if (wrong !== undefined) edges.push({ name: `${name}! ${wrong}`, to: number });
      else if (next === undefined) edges.push({ name: `${name}! L1: no effect`, to: number });
      else edges.push({ name, to: this.#number(next) });
    }
    here.edges = edges;
    return edges;
  }

  #visit(cluster: number, seen: number, since: number, from: number, name: string): void {
    this.#transitions += 1;
    const [, broken] = name.split('! ');
    if (broken !== undefined) this.#check(broken, from, name);
    const key = pack(cluster, seen, since);
    if (this.#visited.has(key)) return;
    this.#visited.add(key);
    this.#queue.push(key);
    this.#from.push(from);
    this.#name.push(name);
    const { cluster: found, action } = this.#at(cluster);
    this.#check(wrongState(found, action?.kind), this.#queue.length - 1, undefined);
  }

  #check(broken: string | undefined, at: number, last: string | undefined): void {
    if (broken === undefined || this.#violations.some((one) => one.broken === broken)) return;
    const path: string[] = last === undefined ? [] : [last];
    for (let i = at; i >= 0; i = this.#from[i] ?? -1) path.unshift(this.#name[i] ?? '');
    this.#violations.push({ broken, path });
  }

  #at(number: number): Known {
    return this.#known[number] as Known;
  }

  #number(cluster: Cluster): number {
    const key = keyOf(cluster);
    const found = this.#numbers.get(key);
    if (found !== undefined) return found;
    const number = this.#known.length;
    this.#numbers.set(key, number);
    this.#known.push({ cluster, ...decided(cluster), edges: undefined });
    return number;
  }
}

export function decided(cluster: Cluster): Pick<Known, 'rule' | 'action' | 'refused'> {
  const snapshot = snapshotOf(cluster);
  const decision = decide(snapshot);
  const next = nextWrite(snapshot, decision);
  const action = next.kind === 'write' ? next.action : undefined;
  const refused = action === undefined ? undefined : brokenBy(action, snapshot);
  return { rule: decision.rule, action, refused };
}

// A state is one whole number below 2^53: 22 bits for the cluster, 22 for what B saw, 7 of changes.
const bits = 4_194_304;
const pack = (cluster: number, seen: number, since: number): number =>
  (cluster * bits + seen) * 128 + since;

function unpack(key: number): [number, number, number] {
  const since = key % 128;
  const both = (key - since) / 128;
  const seen = both % bits;
  return [(both - seen) / bits, seen, since];
}
