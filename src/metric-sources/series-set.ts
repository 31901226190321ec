import { type Instant, instant, type Millis } from '../lib/units.ts';
import { type RawSeries, readValue } from './answer.ts';
import { type ArmSelector, armSelector, fixedTest, labelOf, missingName } from './arms.ts';
import {
  type Arm,
  type EvidenceRequest,
  type Labels,
  type Reading,
  type Series,
  type Unusable,
  unusable,
} from './metric-source.ts';
import { countUpTo, nativeBounds, readNative } from './native-histogram.ts';

/** What must be known of a request before it can be asked; `Unusable` says why it cannot. */
export function armsOf({ check, names }: EvidenceRequest): readonly ArmSelector[] | Unusable {
  const missing = missingName(check.selector, names);
  if (missing !== undefined) return unusable('names-missing', `$${missing} has no value here`);
  const arms = [
    armSelector(check.selector, names, 'stable'),
    armSelector(check.selector, names, 'canary'),
  ];
  const [stable, canary] = arms.map(({ matchers }) => JSON.stringify(matchers));
  if (stable === canary) {
    return unusable('arms-not-separable', 'the names of both arms give the same selector');
  }
  return arms;
}

/**
 * Series of an answer, grouped by the labels that tell arms apart, so that each is matched once.
 */
export interface LabelGroup {
  readonly labels: Labels;
  readonly rows: readonly RawSeries[];
}

export function groupByLabels(
  rows: readonly RawSeries[],
  telling: readonly string[],
): readonly LabelGroup[] {
  const groups = new Map<string, { labels: Labels; rows: RawSeries[] }>();
  for (const row of rows) {
    const key = telling.map((label) => labelOf(row.labels, label)).join('\u0000');
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { labels: row.labels, rows: [row] });
    else group.rows.push(row);
  }
  return [...groups.values()];
}

/**
 * The part of an answer that belongs to one request, with every value checked. What is wrong with
 * another request's series has no bearing here: together or alone, the reading is the same.
 */
export function readingOf(
  request: EvidenceRequest,
  arms: readonly ArmSelector[],
  groups: readonly LabelGroup[],
  at: Instant,
): Reading {
  const from = at - request.window;
  const rows = ownRows(arms, groups);
  const bounds = boundsFor(rows, request, { from, at });
  const context = { isBad: badTest(request), from, at, bounds };
  const series: Series[] = [];
  let badLabelSeen = request.check.bad.length === 0;
  for (const own of rows) {
    const read = request.check.native
      ? readNativeRow(own, request, context)
      : readRow(own, request, context);
    if ('code' in read) return read;
    if (read.length === 0) continue;
    if (own.inBoth) return unusable('arms-not-separable', 'one series belongs to both arms');
    series.push(...read);
    badLabelSeen ||= carriesBadLabel(own.row, request);
  }
  return (
    (badLabelSeen || series.length === 0 ? undefined : badLabelFault(request)) ??
    duplicateFault(series, groups, request) ?? { kind: 'series', from: instant(from), at, series }
  );
}

/**
 * The series of either arm in the order of their keys, so that sums and the first fault do not
 * depend on the order of an answer.
 */
function ownRows(arms: readonly ArmSelector[], groups: readonly LabelGroup[]): readonly OwnRow[] {
  const rows: OwnRow[] = [];
  for (const group of groups) {
    const [first, second] = arms.filter(({ matches }) => matches(group.labels));
    if (first === undefined) continue;
    const own = { arm: first.arm, inBoth: second !== undefined };
    for (const row of group.rows) rows.push({ ...own, row, key: keyOf(row.labels) });
  }
  return rows.sort((a, b) => (a.key < b.key ? -1 : 1));
}

/** Failed requests: by their labels, or all of a counter that counts nothing else. */
function badTest({ check }: EvidenceRequest): (labels: Labels) => boolean {
  if (check.kind !== 'ratio' || check.failures !== undefined) return () => false;
  return fixedTest(check.bad);
}

/** Of a native histogram whose bounds nobody has chosen yet: those that all samples can tell. */
function boundsFor(
  rows: readonly OwnRow[],
  { check, bounds }: EvidenceRequest,
  { from, at }: Pick<RowContext, 'from' | 'at'>,
): readonly number[] | undefined {
  if (!check.native || bounds !== undefined) return bounds;
  return nativeBounds(
    rows.flatMap(({ row }) =>
      row.histograms
        .filter(([seconds]) => seconds * 1000 > from && seconds * 1000 <= at)
        .flatMap(([, shape]) => readNative(shape) ?? []),
    ),
  );
}

interface OwnRow {
  readonly row: RawSeries;
  readonly key: string;
  readonly arm: Arm;
  readonly inBoth: boolean;
}

const carriesBadLabel = ({ labels }: RawSeries, { check }: EvidenceRequest): boolean =>
  check.bad.some(({ label }) => labelOf(labels, label) !== '');

/** A label of another name would silently mean that no request ever fails. */
const badLabelFault = ({ check }: EvidenceRequest): Unusable =>
  unusable('bad-label-absent', `no series has a label ${check.bad[0]?.label ?? ''}`);

interface RowContext {
  readonly isBad: (labels: Labels) => boolean;
  readonly from: number;
  readonly at: number;
  /** Bounds wanted of a histogram; absent: all. */
  readonly bounds: readonly number[] | undefined;
}

/** One checked series; none when it has no sample in the window. */
function readRow(
  { row, key, arm }: OwnRow,
  { check }: EvidenceRequest,
  { isBad, from, at, bounds }: RowContext,
): readonly Series[] | Unusable {
  if (row.histograms.some(([seconds]) => seconds * 1000 > from && seconds * 1000 <= at)) {
    return unusable('native-histogram', 'plain samples were expected');
  }
  const read = readSamples(row, check.kind === 'gauge-per-pod', from, at);
  if ('code' in read) return read;
  if (read.times.length === 0) return [];
  const bound = check.kind === 'histogram' ? readBound(row.labels) : undefined;
  if (check.kind === 'histogram' && bound === undefined) {
    return unusable('bounds-absent', 'a bucket without a readable le');
  }
  if (bound !== undefined && !isWanted(bound, bounds)) return [];
  const pod = podOf(row, check);
  if (pod === '' && check.kind === 'gauge-per-pod') {
    return unusable('pod-label-absent', `a series has no label ${check.podLabel ?? ''}`);
  }
  return [{ key, arm, bad: isBad(row.labels), bound, pod, ...read }];
}

const podOf = ({ labels }: RawSeries, { podLabel }: EvidenceRequest['check']): string =>
  podLabel === undefined ? '' : labelOf(labels, podLabel);

type Samples = Pick<Series, 'times' | 'values'>;

function readSamples(
  row: RawSeries,
  mayBeNegative: boolean,
  from: number,
  at: number,
): Samples | Unusable {
  const times: number[] = [];
  const values: number[] = [];
  for (const [seconds, text] of row.samples) {
    const time = Math.round(seconds * 1000);
    if (time <= from || time > at) continue;
    const value = readValue(text);
    if (value === undefined) return unusable('malformed', 'a value that is no number');
    if (!Number.isFinite(value)) return unusable('not-finite', 'a value that is not finite');
    if (value < 0 && !mayBeNegative) return unusable('negative', 'a counter below zero');
    if (time <= (times.at(-1) ?? Number.NEGATIVE_INFINITY)) {
      return unusable('malformed', 'samples out of order');
    }
    times.push(time);
    values.push(value);
  }
  return { times, values };
}

/** One native series as the series of its bounds, and of all requests: as classic buckets are. */
function readNativeRow(
  { row, key, arm }: OwnRow,
  { check }: EvidenceRequest,
  { from, at, bounds = [] }: RowContext,
): readonly Series[] | Unusable {
  const inside = (seconds: number) => seconds * 1000 > from && seconds * 1000 <= at;
  if (row.samples.some(([seconds]) => inside(seconds))) {
    return unusable('native-histogram', 'one was expected, and plain samples came');
  }
  const times: number[] = [];
  const counts = [...bounds, Number.POSITIVE_INFINITY].map((bound) => ({
    bound,
    values: [] as number[],
  }));
  for (const [seconds, shape] of row.histograms.filter(([time]) => inside(time))) {
    const time = Math.round(seconds * 1000);
    const histogram = readNative(shape);
    if (histogram === undefined || time <= (times.at(-1) ?? Number.NEGATIVE_INFINITY)) {
      return unusable('malformed', 'a native histogram that cannot be read');
    }
    times.push(time);
    for (const { bound, values } of counts) {
      const value =
        bound === Number.POSITIVE_INFINITY ? histogram.count : countUpTo(histogram, bound);
      if (value === undefined) {
        return unusable('bounds-absent', `a native bucket lies across ${bound} s`);
      }
      values.push(value);
    }
  }
  if (times.length === 0) return [];
  const pod = podOf(row, check);
  return counts.map(({ bound, values }) => {
    const own = `${key}\u0000le\u0001${bound}`;
    return { key: own, arm, bad: false, bound, pod, times, values };
  });
}

const isWanted = (bound: number, bounds: readonly number[] | undefined): boolean =>
  bounds === undefined || bound === Number.POSITIVE_INFINITY || bounds.includes(bound);

function readBound(labels: Labels): number | undefined {
  const text = labelOf(labels, 'le');
  if (text === '+Inf' || text === 'Inf') return Number.POSITIVE_INFINITY;
  const bound = readValue(text);
  return bound === undefined || !Number.isFinite(bound) ? undefined : bound;
}

/** Labels in one order and one text. */
function keyOf(labels: Labels): string {
  return Object.keys(labels)
    .sort()
    .map((name) => `${name}\u0001${labels[name] ?? ''}`)
    .join('\u0000');
}

/** Copies of one series would count every request twice: never add them up, never choose one. */
function duplicateFault(
  series: readonly Series[],
  groups: readonly LabelGroup[],
  { check }: EvidenceRequest,
): Unusable | undefined {
  const replicas = new Set(check.replicaLabels);
  const carries = ({ rows }: LabelGroup) =>
    rows.some(({ labels }) => check.replicaLabels.some((name) => Object.hasOwn(labels, name)));
  if (!groups.some(carries)) return undefined;
  const seen = new Set<string>();
  for (const { key } of series) {
    const bare = key
      .split('\u0000')
      .filter((pair) => !replicas.has(pair.slice(0, pair.indexOf('\u0001'))))
      .join('\u0000');
    if (seen.has(bare)) {
      return unusable(
        'duplicate-series',
        `copies differ only by ${check.replicaLabels.join(', ')}`,
      );
    }
    seen.add(bare);
  }
  return undefined;
}

/** Labels that hold names in a selector: those by which an answer is split. */
export const tellingLabels = ({ check }: EvidenceRequest): readonly string[] => [
  ...new Set(
    check.selector.matchers
      .filter(({ parts }) => parts.some(({ kind }) => kind === 'placeholder'))
      .map(({ label }) => label),
  ),
];

/** Spans that are asked together: windows of one class differ too little to waste an answer. */
const windowClasses: readonly number[] = [30_000, 120_000, 600_000, 3_600_000, 21_600_000];

export const windowClass = (window: Millis): number =>
  windowClasses.findIndex((longest) => window <= longest);
