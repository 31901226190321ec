import { type Millis, millis } from '../lib/units.ts';
import type { Matrix } from './answer.ts';
import { sampleLimit } from './answer.ts';
import type { EvidenceRequest } from './metric-source.ts';
import { answerLimit, type QueryAnswer } from './prometheus-client.ts';
import { rangeQuery } from './query.ts';
import { windowClass } from './series-set.ts';

/** Longest query text; sources and what stands before them accept at least this much. */
export const queryTextLimit = 16 * 1024;
/** Answers are planned to stay below this share of the limits, since estimates err. */
const plannedShare = 0.6;

/** One query for several requests that share a selector and a class of windows. */
export interface QueryPlan {
  readonly requests: readonly EvidenceRequest[];
  readonly text: string;
  readonly window: Millis;
  /** Two smaller plans, or none when there is only one request. */
  readonly halves: () => readonly QueryPlan[];
}

/** How large answers have been, per shape of request: what decides how many share a query. */
export interface AnswerSizes {
  readonly expect: (shape: string) => ExpectedSize;
  readonly learn: (plan: QueryPlan, answer: QueryAnswer) => void;
}

interface ExpectedSize {
  readonly seriesPerRequest: number;
  /** Per series. */
  readonly labelBytes: number;
  /** Milliseconds between samples. */
  readonly spacing: number;
}

const mostShapes = 1000;
/** Text of one sample in an answer: `[1700000000.123,"123456"],`. */
const sampleBytes = 27;
const firstGuess: ExpectedSize = { seriesPerRequest: 10, labelBytes: 350, spacing: 5000 };

export function answerSizes(): AnswerSizes {
  const known = new Map<string, ExpectedSize>();
  return {
    expect: (shape) => known.get(shape) ?? firstGuess,
    learn: (plan, { bytes, matrix }) => {
      const [first] = plan.requests;
      if (first === undefined || matrix.series.length === 0) return;
      if (known.size > mostShapes) known.clear();
      const shape = shapeOf(first);
      const before = known.get(shape) ?? firstGuess;
      known.set(shape, blended(before, measured(plan, bytes, matrix)));
    },
  };
}

function measured(plan: QueryPlan, bytes: number, matrix: Matrix): ExpectedSize {
  const perSeries = matrix.samples / matrix.series.length;
  return {
    seriesPerRequest: matrix.series.length / plan.requests.length,
    labelBytes: Math.max(50, (bytes - matrix.samples * sampleBytes) / matrix.series.length),
    spacing: Math.max(500, plan.window / Math.max(1, perSeries)),
  };
}

/** Rises at once, falls slowly: an answer that is cut costs a second query. */
function blended(before: ExpectedSize, now: ExpectedSize): ExpectedSize {
  const up = (old: number, fresh: number) => (fresh > old ? fresh : 0.8 * old + 0.2 * fresh);
  return {
    seriesPerRequest: up(before.seriesPerRequest, now.seriesPerRequest),
    labelBytes: up(before.labelBytes, now.labelBytes),
    spacing: 0.5 * before.spacing + 0.5 * now.spacing,
  };
}

/** Joins requests into as few queries as the limits on text, bytes and samples allow. */
export function planQueries(
  requests: readonly EvidenceRequest[],
  sizes: AnswerSizes,
): readonly QueryPlan[] {
  const groups = new Map<string, EvidenceRequest[]>();
  for (const request of requests) {
    const key = shapeOf(request);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [request]);
    else group.push(request);
  }
  return [...groups.values()].flatMap((group) => chunked(group, sizes));
}

/** Requests of one shape can share a query, and their answers are alike in size. */
function shapeOf({ check, window, resolution, bounds }: EvidenceRequest): string {
  const buckets = bounds === undefined ? 'all' : bounds.length;
  return `${windowClass(window)} ${resolution ?? 0} ${buckets} ${check.selectorText}`;
}

function chunked(group: readonly EvidenceRequest[], sizes: AnswerSizes): QueryPlan[] {
  const plans: QueryPlan[] = [];
  const most = requestsPerQuery(group, sizes);
  for (let start = 0; start < group.length; start += most) {
    plans.push(...withinTextLimit(plan(group.slice(start, start + most))));
  }
  return plans;
}

function requestsPerQuery(group: readonly EvidenceRequest[], sizes: AnswerSizes): number {
  const [first] = group;
  if (first === undefined) return 1;
  const { seriesPerRequest, labelBytes, spacing } = sizes.expect(shapeOf(first));
  const step = Math.max(spacing, first.resolution ?? 0);
  const samples = seriesPerRequest * Math.ceil(longest(group) / step + 1);
  const bytes = seriesPerRequest * labelBytes + samples * sampleBytes;
  const most = plannedShare * Math.min(answerLimit / bytes, sampleLimit / samples);
  const even = Math.ceil(group.length / Math.max(1, Math.floor(most)));
  return Math.ceil(group.length / Math.max(1, even));
}

const longest = (requests: readonly EvidenceRequest[]): Millis =>
  millis(requests.reduce((most, { window }) => Math.max(most, window), 0));

function plan(requests: readonly EvidenceRequest[]): QueryPlan {
  const window = longest(requests);
  const middle = Math.ceil(requests.length / 2);
  return {
    requests,
    window,
    text: rangeQuery(requests, window, requests[0]?.resolution),
    halves: () =>
      requests.length < 2 ? [] : [plan(requests.slice(0, middle)), plan(requests.slice(middle))],
  };
}

function withinTextLimit(whole: QueryPlan): readonly QueryPlan[] {
  if (whole.text.length <= queryTextLimit) return [whole];
  const halves = whole.halves();
  return halves.length === 0 ? [whole] : halves.flatMap(withinTextLimit);
}
