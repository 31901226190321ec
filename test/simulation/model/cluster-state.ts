// The whole cluster as a few small whole numbers: what two leaders and their users can tell apart,
// and nothing else. Spans of time are flags: not yet over, or over.

/** Templates a user may ask for, by index. The first is stable in the beginning. */
export const templates = ['aa', 'bb', 'cc'] as const;
/** Weights a route may carry, percent; the second is where a flinch or a hand puts it. */
export const weights = [0, 5, 10, 50, 100] as const;
export const steps = [10, 50] as const;
const routeMarks = [
  '',
  'rejected',
  'withdrawn',
  'flinch',
  'fenced',
  'hand',
  'sick',
  'overdue',
] as const;
/** Positions on the ladder: nothing, each step, everything. */
export const ladder = [0, ...steps, 100] as const;

/** The recorded state of one rollout; `undefined` where the annotation is missing. */
export interface Recorded {
  /** −1 before the first raise, `steps.length` for promotion. */
  readonly index: number;
  readonly fromIndex: number;
  readonly from: number;
  readonly inForce: boolean;
  readonly paused: boolean;
  /** The one request of a person took effect. */
  readonly taken: boolean;
  readonly attempt: number;
  /** Of the notice about the end: 0 not delivered, 1 delivered, 2 and recorded. */
  readonly delivered: number;
  /** How it ends is recorded. */
  readonly ended: boolean;
  /** One sick pod was restarted. */
  readonly restarted: boolean;
}

/** A ReplicaSet of ours: bare, without our label, or adopted. */
export interface Ours {
  readonly kind: 'bare' | 'released' | 'adopted';
  readonly replicas: number;
  readonly available: number;
  /** Of its pods: nothing, ready for too long not, or broken. */
  readonly trouble: 'none' | 'late' | 'broken';
  readonly state: Recorded | 'unreadable';
}

/** The Deployment's own ReplicaSets, by template. */
export type Native = 'none' | 'empty' | 'full';

export type Verb = 'promote' | 'rollback' | 'pause' | 'resume' | 'retry' | 'skip-step';

export interface Cluster {
  readonly mode: 'on-change' | 'at-rest';
  readonly optedIn: boolean;
  /** Index of the template that the Deployment asks for. */
  readonly template: number;
  readonly paused: boolean;
  /** Template and attempt named by our mark; −1 without. */
  readonly mark: number;
  readonly markAttempt: number;
  readonly pausedAtRest: boolean;
  /** One bit for each rejected template. */
  readonly rejected: number;
  readonly progressing: 'native' | 'paused' | 'rejected' | 'succeeded';
  readonly succeeded: number;
  readonly replicas: number;
  readonly native: readonly Native[];
  readonly ours: readonly (Ours | undefined)[];
  /** `''`, or the pod hash that the user's Service is tied to. */
  readonly pin: string;
  /** One bit for each canary Service. */
  readonly services: number;
  /** Template that the route's record names; −1 without. */
  readonly record: number;
  /**
   * `sick`: one pod is to be restarted; `overdue`: it should have been long ago; `hand`: of a pause
   * for somebody's hand.
   */
  readonly routeMark: (typeof routeMarks)[number];
  readonly markOf: number;
  /** What a withdrawal has found, percent; −1 where its mark does not say. */
  readonly markFrom: number;
  /** The raise that the route tells of is the one that is recorded. */
  readonly made: boolean;
  readonly weight: number;
  readonly route: 'written' | 'accepted' | 'in-force' | 'refused' | 'refused-long';
  /** The endpoints of the Service have been as they should for the drain time. */
  readonly drained: boolean;
  readonly stableReady: boolean;
  readonly verdict: 'none' | 'pass' | 'fail' | 'guard';
  readonly flinch: '' | 'lower' | 'return' | 'sick';
  readonly request: { readonly verb: Verb; readonly of: number; readonly step: number } | undefined;

  // Not in the cluster: what the world may still do, and what has truly been earned.
  readonly userEdits: number;
  readonly requests: number;
  readonly faults: number;
  /** Position on the ladder up to which weight was earned by a pass or asked for by a person. */
  readonly earned: number;
  /** Somebody put the weight where it is. */
  readonly byHand: boolean;
  /** The pod that the mark names is another one now. */
  readonly podRestarted: boolean;
  /** Pods of the canary or of stable failed by themselves. */
  readonly podsFailed: boolean;
}

export interface Budgets {
  readonly userEdits: number;
  readonly requests: number;
  readonly faults: number;
}

export const nativeHash = (template: number): string => `native-${templates[template]}`;
export const ourHash = (template: number): string => `ours-${templates[template]}`;

export const atRest = (mode: Cluster['mode'], budgets: Budgets): Cluster => ({
  mode,
  optedIn: true,
  template: 0,
  paused: mode === 'at-rest',
  mark: -1,
  markAttempt: 1,
  pausedAtRest: mode === 'at-rest',
  rejected: 0,
  progressing: 'native',
  succeeded: 0,
  replicas: 2,
  native: ['full', 'none', 'none'],
  ours: [undefined, undefined, undefined],
  pin: '',
  services: 0,
  record: -1,
  routeMark: '',
  markOf: 0,
  markFrom: -1,
  made: false,
  weight: 0,
  route: 'in-force',
  drained: false,
  stableReady: true,
  verdict: 'none',
  flinch: '',
  request: undefined,
  ...budgets,
  earned: 0,
  byHand: false,
  podRestarted: false,
  podsFailed: false,
});

/** What a rollout begins with. */
export const firstRecord = (attempt: number): Recorded => ({
  index: -1,
  fromIndex: -1,
  from: 0,
  inForce: false,
  paused: false,
  taken: false,
  attempt,
  delivered: 0,
  ended: false,
  restarted: false,
});

/** Weight that a recorded step asks for. */
export const targetOf = ({ index }: Recorded): number => ladder[index + 1] ?? 0;

/** The ReplicaSet of the rollout under way, as the controller picks it. */
export function canaryIndex({ ours }: Cluster): number {
  const released = ours.findIndex((set) => set !== undefined && set.kind !== 'bare');
  if (released >= 0) return released;
  const serving = ours.findLastIndex((set) => set !== undefined && set.replicas > 0);
  return serving >= 0 ? serving : ours.findLastIndex((set) => set !== undefined);
}

export const oursAt = (c: Cluster, index: number): Ours | undefined =>
  index < 0 ? undefined : c.ours[index];

export const stateAt = (c: Cluster, index: number): Recorded | undefined => {
  const state = oursAt(c, index)?.state;
  return state === 'unreadable' ? undefined : state;
};

/** Index of the template that the Deployment's pods run; −1 when none do. */
export const stableIndex = ({ native, replicas }: Cluster): number =>
  replicas === 0 ? -1 : native.indexOf('full');

export const needed = (replicas: number, weight: number): number =>
  Math.max(1, Math.ceil((replicas * weight) / 100 - 1e-9));

export const replaced = <T>(list: readonly T[], index: number, value: T): readonly T[] =>
  list.map((old, i) => (i === index ? value : old));

const words = [
  ['on-change', 'at-rest'],
  ['native', 'paused', 'rejected', 'succeeded'],
  ['none', 'empty', 'full'],
  ['bare', 'released', 'adopted'],
  ['none', 'late', 'broken'],
  routeMarks,
  ['written', 'accepted', 'in-force', 'refused', 'refused-long'],
  ['none', 'pass', 'fail', 'guard'],
  ['', 'lower', 'return', 'sick'],
] as const;
const numbers = words.map((list) => new Map<string, number>(list.map((word, i) => [word, i])));
const of = (list: number, word: string): number => numbers[list]?.get(word) ?? 0;
const verbs: readonly string[] = ['promote', 'rollback', 'pause', 'resume', 'retry', 'skip-step'];
const pins = [
  '',
  ...templates.map((_, i) => nativeHash(i)),
  ...templates.map((_, i) => ourHash(i)),
];

/** One string for each state, the same for equal states. */
export function keyOf(c: Cluster): string {
  const codes = [
    of(0, c.mode) + 2 * Number(c.optedIn) + 4 * Number(c.paused) + 8 * Number(c.pausedAtRest),
    c.template + 3 * (c.mark + 1) + 12 * (c.markAttempt - 1) + 24 * c.replicas,
    c.rejected + 8 * of(1, c.progressing) + 32 * c.succeeded,
    of(2, c.native[0] ?? '') + 3 * of(2, c.native[1] ?? '') + 9 * of(2, c.native[2] ?? ''),
    pins.indexOf(c.pin) + 8 * c.services,
    c.record + 1 + 4 * of(5, c.routeMark) + 32 * c.markOf + 128 * weights.indexOf(c.weight as 0),
    weights.indexOf(c.markFrom as 0) + 1 + 8 * Number(c.made),
    of(6, c.route) + 8 * Number(c.drained) + 16 * Number(c.stableReady) + 32 * of(7, c.verdict),
    of(8, c.flinch) + 4 * Number(c.byHand) + 8 * Number(c.podsFailed) + 16 * c.earned,
    c.userEdits + 8 * c.requests + 64 * c.faults + 1024 * Number(c.podRestarted),
    ...c.ours.flatMap((set) => (set === undefined ? [0] : codesOf(set))),
    ...(c.request === undefined
      ? []
      : [1 + verbs.indexOf(c.request.verb), c.request.of + 4 * (c.request.step + 1)]),
  ];
  return String.fromCharCode(...codes);
}

function codesOf({ kind, replicas, available, trouble, state }: Ours): readonly number[] {
  const shape = 1 + of(3, kind) + 4 * replicas + 16 * available + 64 * of(4, trouble);
  if (state === 'unreadable') return [shape, 0];
  const { index, fromIndex, from, inForce, paused, taken, attempt, delivered } = state;
  const ladderCodes = index + 1 + 4 * (fromIndex + 1) + 16 * weights.indexOf(from as 0);
  const flags = Number(inForce) + 2 * Number(paused) + 4 * Number(taken);
  const ends = 64 * Number(state.ended) + 128 * Number(state.restarted);
  return [shape, 1 + ladderCodes + 128 * (flags + 8 * delivered + 32 * (attempt - 1) + ends)];
}
