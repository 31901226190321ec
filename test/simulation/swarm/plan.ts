import type { RequestFault } from '../../../src/embedded/faults.ts';
import type { EventFault } from '../../../src/embedded/subscription.ts';
import { type Random, seededRandom } from '../../../src/lib/random.ts';
import type { UnusableCode } from '../../../src/metric-sources/metric-source.ts';
import type { RequestVerb } from '../../../src/rollout/rollout-spec.ts';
import type { AutoscalerSpec } from '../autoscaled.ts';
import type { RouteEdit } from '../route-edits.ts';

// One seed draws one plan: what people do, and an explicit list of what goes wrong. A part of the
// list is a plan too, which is how a failure is made small.

export type Quality = 'good' | 'broken' | 'flaky' | 'slow';

/** What somebody does, `at` ms after the release. */
export type Act = { readonly at: number } & (
  | { readonly kind: 'release'; readonly version: string }
  | { readonly kind: 'scale' | 'autoscale'; readonly replicas: number }
  | { readonly kind: 'request'; readonly verb: RequestVerb }
  | { readonly kind: 'opt-out' | 'delete' | 'delete-canary' | 'reapply' }
  | ({ readonly kind: 'hpa' } & AutoscalerSpec)
  | { readonly kind: 'load'; readonly rps: number }
  | { readonly kind: 'reweigh' | 'reweigh-one'; readonly canaryPercent: number }
  | { readonly kind: RouteEdit }
);

/** A request or an event that goes wrong is named by its number since the release. */
export type Fault =
  | { readonly kind: 'crash'; readonly write: number; readonly moment: 'before' | 'after' }
  | { readonly kind: 'write' | 'read' | 'lease'; readonly nth: number; readonly fault: Wrong }
  | { readonly kind: 'event'; readonly nth: number; readonly fault: EventFault }
  | { readonly kind: 'prometheus'; readonly code: UnusableCode; readonly span: Span }
  | { readonly kind: 'slow-gateway' | 'no-gateway' | 'no-api'; readonly span: Span }
  | { readonly kind: 'no-route-accept'; readonly condition: RouteCondition; readonly span: Span }
  | { readonly kind: 'expire-watches' | 'end-watches'; readonly at: number }
  | { readonly kind: 'stall'; readonly process: number; readonly span: Span };

export type RouteCondition = 'Accepted' | 'ResolvedRefs';

/** Of a stale read the revision is told by its age. */
export type Wrong =
  | Exclude<RequestFault, { readonly kind: 'stale' }>
  | { readonly kind: 'stale'; readonly age: number };

/** ms after the release. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

export interface Plan {
  readonly seed: number;
  readonly mode: 'on-change' | 'at-rest';
  readonly replicas: number;
  readonly steps: string;
  readonly latency: boolean;
  readonly qualities: Readonly<Record<string, Quality>>;
  readonly acts: readonly Act[];
  readonly processes: number;
  readonly faults: readonly Fault[];
  /** The template of what is rejected goes back to that of stable. */
  readonly reverts?: boolean | undefined;
  /** Of v4, released when all is at rest: nothing may be left that disturbs the next rollout. */
  readonly encore?: Quality | undefined;
}

/** Faults begin within so much of the release, ms. */
export const faultWindow = 45_000;

export function planOf(seed: number): Plan {
  const random = seededRandom(seed);
  const draw = drawer(random);
  const acts = drawActs(draw);
  const processes = draw.chance(0.3) ? draw.between(2, 3) : 1;
  const plan: Plan = {
    seed,
    mode: draw.chance(0.3) ? 'at-rest' : 'on-change',
    replicas: draw.of([1, 2, 3, 5]),
    steps: draw.of(['5,50', '10', '1,20', '5,25,50']),
    latency: draw.chance(0.25),
    qualities: {
      v2: draw.of(['good', 'good', 'good', 'broken', 'flaky', 'slow']),
      v3: draw.of(['good', 'good', 'broken']),
    },
    acts,
    processes,
    faults: drawFaults(draw, processes),
  };
  // Drawn last: the rest of a plan is what its seed always was.
  const more = drawMoreActs(draw);
  const faults = [...plan.faults, ...drawRefusal(draw)];
  const all = { ...plan, acts: [...acts, ...more, ...drawOneOfRules(draw)], faults };
  const encore = draw.chance(0.3) ? draw.of<Quality>(['good', 'good', 'broken']) : undefined;
  const reverts = draw.chance(0.1);
  return { ...all, acts: [...all.acts, ...drawDeletion(draw)], encore, reverts };
}

interface Drawer {
  chance(probability: number): boolean;
  /** A whole number, both ends included. */
  between(least: number, most: number): number;
  of<T>(values: readonly [T, ...T[]]): T;
}

const drawer = (random: Random): Drawer => ({
  chance: (probability) => random() < probability,
  between: (least, most) => least + Math.floor(random() * (most - least + 1)),
  of: (values) => values[Math.floor(random() * values.length)] ?? values[0],
});

const verbs = ['pause', 'promote', 'rollback', 'skip-step'] as const;

/** One story of people, the release of v2 apart. */
function drawActs(draw: Drawer): readonly Act[] {
  const at = draw.between(500, 25_000);
  switch (draw.between(0, 11)) {
    case 0:
      return [{ at, kind: 'release', version: 'v3' }];
    case 1:
      return [{ at, kind: 'release', version: 'v1' }];
    case 2: {
      const back = at + draw.between(500, 10_000);
      const kind = draw.of(['scale', 'autoscale'] as const);
      return [
        { at, kind, replicas: draw.between(1, 6) },
        { at: back, kind, replicas: draw.between(1, 6) },
      ];
    }
    case 3:
      return [{ at, kind: 'opt-out' }];
    case 4:
      return [{ at, kind: 'delete' }];
    case 5:
    case 6: {
      const verb = draw.of(verbs);
      const asked: Act = { at, kind: 'request', verb };
      if (verb !== 'pause') return [asked];
      return [asked, { at: at + draw.between(1000, 30_000), kind: 'request', verb: 'resume' }];
    }
    case 7:
      return Array.from({ length: 6 }, (_, i) => ({ at: (i + 1) * 5000, kind: 'reapply' }));
    default:
      return [];
  }
}

/** For some of the seeds, and now and then for so long that the rollout is given up. */
function drawRefusal(draw: Drawer): readonly Fault[] {
  if (!draw.chance(0.12)) return [];
  const kind = 'no-route-accept';
  const condition = draw.of(['Accepted', 'ResolvedRefs'] as const);
  const longest = draw.of([2000, 20_000, 100_000]);
  return [{ kind, condition, span: drawSpan(draw, 200, longest) }];
}

/** A second story beside the first, for some of the seeds. */
function drawMoreActs(draw: Drawer): readonly Act[] {
  if (!draw.chance(0.3)) return [];
  const at = draw.between(500, 25_000);
  switch (draw.between(0, 4)) {
    case 0:
      return drawAutoscaler(draw, at);
    case 1:
      return drawRetry(draw, at);
    case 2:
      return Array.from({ length: draw.between(2, 4) }, () => drawRequest(draw));
    default:
      return Array.from({ length: draw.between(1, 3) }, () => drawRouteEdit(draw));
  }
}

/** Whether it was rejected for a reason or because somebody asked, it is tried again. */
function drawRetry(draw: Drawer, at: number): readonly Act[] {
  const first = at + draw.between(5000, 25_000);
  const asked: Act = { at, kind: 'request', verb: 'rollback' };
  const again = [first, first + draw.between(500, 20_000)];
  const retries = again.map((when): Act => ({ at: when, kind: 'request', verb: 'retry' }));
  return draw.chance(0.5) ? [asked, ...retries] : retries;
}

/** Of people who do not know of each other. */
const drawRequest = (draw: Drawer): Act => {
  const verb = draw.of(['pause', 'pause', 'resume', 'skip-step', 'promote', 'rollback'] as const);
  return { at: draw.between(500, 40_000), kind: 'request', verb };
};

/** A hand on the route while it may carry a canary. */
function drawRouteEdit(draw: Drawer): Act {
  const at = draw.between(500, 40_000);
  const kind = draw.of(['reweigh', 'reweigh', 'own-rule', 'own-filter', 'reapply-route'] as const);
  if (kind !== 'reweigh') return { at, kind };
  return { at, kind, canaryPercent: draw.of([0, 1, 3, 30, 80]) };
}

/** For a few of the seeds: of two rules that list the canary one gets other weights. */
function drawOneOfRules(draw: Drawer): readonly Act[] {
  if (!draw.chance(0.06)) return [];
  const added = draw.between(500, 15_000);
  const percents = draw.of([[0], [1], [3], [80], [1, 5], [30, 1]]);
  const edits = percents.map((canaryPercent, index): Act => {
    const at = added + draw.between(2000, 15_000) + index * 3000;
    return { at, kind: 'reweigh-one', canaryPercent };
  });
  return [{ at: added, kind: 'own-rule' }, ...edits];
}

/** For a few of the seeds: a hand takes the canary away. */
const drawDeletion = (draw: Drawer): readonly Act[] =>
  draw.chance(0.04) ? [{ at: draw.between(500, 30_000), kind: 'delete-canary' }] : [];

/** The load falls and rises, and an autoscaler goes after it. */
function drawAutoscaler(draw: Drawer, at: number): readonly Act[] {
  const metric = draw.of(['cpu', 'cpu', 'memory'] as const);
  const targetPercent = metric === 'memory' ? 60 : draw.of([30, 60, 90]);
  const [first, second] = [at + draw.between(2000, 15_000), at + draw.between(16_000, 40_000)];
  return [
    { at, kind: 'hpa', metric, targetPercent, most: draw.between(3, 6) },
    { at: first, kind: 'load', rps: draw.of([250, 500, 1500]) },
    { at: second, kind: 'load', rps: draw.of([500, 1000]) },
  ];
}

type Kind = Fault['kind'];

const kinds: readonly Exclude<Kind, 'no-route-accept'>[] = [
  'crash',
  'write',
  'read',
  'lease',
  'event',
  'prometheus',
  'slow-gateway',
  'no-gateway',
  'no-api',
  'expire-watches',
  'end-watches',
  'stall',
];

/** Each seed has a few kinds only: all at once would hide one behind the other. */
function drawFaults(draw: Drawer, processes: number): readonly Fault[] {
  const chosen = kinds.filter(() => draw.chance(0.25));
  return chosen.flatMap((kind) => {
    const count = draw.between(1, mostOf(kind));
    return Array.from({ length: count }, () => drawFault(kind, draw, processes));
  });
}

function mostOf(kind: (typeof kinds)[number]): number {
  if (kind === 'event') return 12;
  return kind === 'write' || kind === 'read' || kind === 'lease' ? 5 : 2;
}

function drawFault(kind: (typeof kinds)[number], draw: Drawer, processes: number): Fault {
  switch (kind) {
    case 'crash':
      return { kind, write: draw.between(1, 25), moment: draw.of(['before', 'after'] as const) };
    case 'write':
    case 'lease':
      return { kind, nth: draw.between(1, 25), fault: drawWrong(draw, false) };
    case 'read':
      return { kind, nth: draw.between(1, 40), fault: drawWrong(draw, true) };
    case 'event':
      return { kind, nth: draw.between(1, 150), fault: drawEventFault(draw) };
    case 'prometheus':
      return { kind, code: draw.of(codes), span: drawSpan(draw, 500, 30_000) };
    case 'slow-gateway':
      return { kind, span: drawSpan(draw, 1000, 30_000) };
    case 'no-gateway':
      return { kind, span: drawSpan(draw, 500, 20_000) };
    case 'no-api':
      return { kind, span: drawSpan(draw, 500, 12_000) };
    case 'expire-watches':
    case 'end-watches':
      return { kind, at: draw.between(0, faultWindow) };
    case 'stall': {
      const process = draw.between(0, processes - 1);
      return { kind, process, span: drawSpan(draw, 2000, processes > 1 ? 76_000 : 12_000) };
    }
  }
}

const codes = ['unreachable', 'timeout', 'http-error', 'partial', 'clock-skew'] as const;

function drawSpan(draw: Drawer, least: number, most: number): Span {
  const from = draw.between(0, faultWindow);
  return { from, to: from + draw.between(least, most) };
}

function drawWrong(draw: Drawer, reading: boolean): Wrong {
  const kind = draw.of([
    'answer',
    'answer',
    'lose-request',
    'lose-answer',
    'slow-answer',
    'slow-request',
  ] as const);
  if (reading && draw.chance(0.3)) return { kind: 'stale', age: draw.between(1, 40) };
  if (kind === 'lose-request' || kind === 'lose-answer') return { kind };
  if (kind !== 'answer') return { kind, millis: draw.between(50, 14_000) };
  const status = draw.of(
    reading ? ([410, 429, 500, 503] as const) : ([409, 429, 500, 503] as const),
  );
  const retryAfterSeconds = draw.between(1, 3);
  return { kind, status, ...(status === 429 ? { retryAfterSeconds } : {}) };
}

function drawEventFault(draw: Drawer): EventFault {
  const kind = draw.of(['drop', 'duplicate', 'delay', 'reorder', 'gone'] as const);
  if (kind === 'delay' || kind === 'reorder') return { kind, millis: draw.between(20, 8000) };
  return { kind };
}
