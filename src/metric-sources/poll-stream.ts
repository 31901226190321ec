import type { CheckCounts, CheckPods } from '../analysis/counts.ts';
import { type Instant, type Millis, millis } from '../lib/units.ts';
import {
  earliestEnd,
  finalUntil,
  firstCommon,
  horizonOf,
  intervalShownAt,
  isLive,
  longestInterval,
  scrapeInterval,
} from './boundary.ts';
import {
  bucketCounts,
  commonBounds,
  type GaugeSpan,
  gaugeLookback,
  gaugesAt,
  type KnownSamples,
  knownAt,
  podCounts,
  ratioCounts,
} from './counts.ts';
import {
  type Reading,
  type Series,
  type SeriesSet,
  type Unusable,
  unusable,
} from './metric-source.ts';
import { wasEarly } from './poll-timing.ts';

/** A check as a stream counts it. */
export interface StreamCheck {
  readonly name: string;
  /** Histograms: the bounds to count, in seconds, in the order wanted. Absent: failed requests. */
  readonly bounds?: readonly number[];
  /**
   * A gauge: looked at in every poll and never waited for, since it says how things are and nothing
   * of what was served in between.
   */
  readonly gauge?: GaugeSpan;
}

/** What was served after `since` and up to `at`, in all checks that have a fresh answer. */
export interface CountedPoll {
  readonly since: Instant;
  readonly at: Instant;
  /** By name; one entry for a ratio, one per bound for a histogram, pods for a gauge. */
  readonly checks: Readonly<Record<string, CheckCounts>>;
  /** Canary pods by check and name, where a check that counts failures tells them apart. */
  readonly pods?: CheckPods;
}

/** How far one check has been counted. */
export interface CheckPlace {
  readonly countedTo: Instant;
  /** Last values there; `undefined` = rebuild them from the next answer. */
  readonly known: KnownSamples | undefined;
}

/**
 * The polls of one rollout from its beginning to its end: a value, of which the newest is kept. The
 * checks share the ends of polls. The first check is waited for a while when it has no answer; any
 * other is left out, and counted again from the present on: what it would have said of the time
 * between is given up, since its requests may have been served at another weight.
 */
export interface PollStream {
  readonly checks: readonly StreamCheck[];
  /** Where the first boundary may be: the rollout's beginning, or later once samples were lost. */
  readonly from: Instant;
  /** Δ as seen in the samples, 1 to 15 s, and the end of the last poll; `undefined` until found. */
  readonly cursor: StoredStream | undefined;
  readonly places: ReadonlyMap<string, CheckPlace>;
  /** The last answer of each check, for the moments when only another source was asked. */
  readonly recent: ReadonlyMap<string, SeriesSet>;
  /** A scrape was not there yet when it was asked for at the earliest: it is asked for later. */
  readonly isSlow: boolean;
}

export interface StreamStep {
  readonly stream: PollStream;
  /** Complete polls, oldest first; each is given exactly once. */
  readonly polls: readonly CountedPoll[];
  /** Checks of which nothing new can be said now, and why; polls given beside it still count. */
  readonly unusable: ReadonlyMap<string, Unusable>;
}

export const openStream = (since: Instant, checks: readonly StreamCheck[]): PollStream => ({
  checks,
  from: since,
  cursor: undefined,
  places: new Map(),
  recent: new Map(),
  isSlow: false,
});

/** All that must be stored, beside the analysis, to go on after a restart. */
export interface StoredStream {
  readonly interval: Millis;
  readonly boundary: Instant;
}

/** Continues where a stream was stored: the next answers rebuild what was known there. */
export function resumeStream(stored: StoredStream, checks: readonly StreamCheck[]): PollStream {
  const { interval, boundary } = stored;
  const place: CheckPlace = { countedTo: boundary, known: undefined };
  const places = new Map(checks.map(({ name }) => [name, place]));
  return { ...openStream(boundary, checks), cursor: { interval, boundary }, places };
}

/** What {@link resumeStream} takes; `undefined` before the first boundary. */
export const storedStream = ({ cursor }: PollStream): StoredStream | undefined => cursor;

/** History before a rollout in which three scrapes a minute apart are seen. */
const openingLookback = 200_000;
/** A series that pauses for longer than this across a restart is counted as new. */
const replayLookback = 600_000;

/** Longest span that is asked for at once; what lies further back is given up. */
const longestWindow = 7_200_000;
/** An answer that is too large although it reaches back less than this stays so. */
const worthGivingUp = 120_000;

/**
 * A native histogram is asked for so many scrapes before it is counted, the longest while the
 * interval is not known: each takes kilobytes.
 */
const nativeLookback = 4;

/** A gauge is looked at as it was at a poll's beginning: late samples then change nothing. */
const gaugeReach = ({ span }: GaugeSpan, interval: Millis = longestInterval): number =>
  Math.max(span, gaugeLookback) + 2 * interval;

/** How far back the next request for a check must reach. */
export function windowOf(
  stream: PollStream,
  name: string,
  at: Instant,
  { native = false }: { readonly native?: boolean } = {},
): Millis {
  const { from, cursor, places } = stream;
  const place = places.get(name);
  const gauge = gaugeOf(stream, name);
  const start = place?.countedTo ?? cursor?.boundary ?? from;
  if (gauge !== undefined) {
    const back = Math.max(0, at - (cursor?.boundary ?? at));
    return millis(Math.min(longestWindow, back + gaugeReach(gauge, cursor?.interval)));
  }
  const back = Math.max(0, at - start);
  if (native && place?.known === undefined) {
    const lookback = nativeLookback * (cursor?.interval ?? longestInterval);
    return millis(Math.min(longestWindow, back + lookback));
  }
  if (place === undefined) return millis(Math.min(longestWindow, back + openingLookback));
  const more = place.known === undefined ? replayLookback : 1000;
  return millis(Math.min(longestWindow, Math.max(1000, back) + more));
}

/**
 * Takes the readings of one moment in, by name of the check. Pure; the same samples in any portions
 * give the same polls, so that replaying a whole rollout gives the numbers it had live.
 */
export function advance(
  before: PollStream,
  readings: ReadonlyMap<string, Reading>,
  at: Instant,
): StreamStep {
  const unusable = new Map<string, Unusable>();
  const sets = usableSets(before, readings, unusable);
  const stream = { ...withoutLost(before, unusable, at), recent: sets };
  const opened = stream.cursor === undefined ? open(stream, sets, unusable) : placed(stream, sets);
  const { cursor } = opened;
  if (cursor === undefined) return { stream: opened, polls: [], unusable };
  const { stream: counted, polls } = count(opened, cursor, sets, at);
  const isSlow = before.isSlow || (polls.length === 0 && wasEarly(before, readings, at));
  for (const [name, set] of sets) {
    const gauge = gaugeOf(stream, name);
    const stale = staleness(
      set,
      gauge === undefined ? staleAfter(cursor.interval) : gaugeLookback,
      at,
    );
    if (stale !== undefined) unusable.set(name, stale);
  }
  return { stream: { ...counted, isSlow }, polls, unusable };
}

type Sets = ReadonlyMap<string, SeriesSet>;

const gaugeOf = ({ checks }: PollStream, name: string): GaugeSpan | undefined =>
  checks.find((check) => check.name === name)?.gauge;

/**
 * Gives up the place of a check whose samples cannot be had back, so that it is counted anew from
 * the present on; skipping polls without regard to what they held keeps the evidence valid.
 */
function withoutLost(
  stream: PollStream,
  faults: ReadonlyMap<string, Unusable>,
  at: Instant,
): PollStream {
  if (faults.size === 0) return stream;
  const places = new Map(stream.places);
  const start = stream.cursor?.boundary ?? stream.from;
  let lost = false;
  for (const [name, { code }] of faults) {
    const reach = at - (places.get(name)?.countedTo ?? start);
    if (code !== 'history-lost' && (code !== 'too-large' || reach < worthGivingUp)) continue;
    places.delete(name);
    lost = true;
  }
  if (!lost) return stream;
  if (places.size > 0) return { ...stream, places };
  return { ...stream, places, cursor: undefined, from: at };
}

function usableSets(
  { checks, places, cursor, recent }: PollStream,
  readings: ReadonlyMap<string, Reading>,
  faults: Map<string, Unusable>,
): Sets {
  const sets = new Map<string, SeriesSet>();
  for (const { name, bounds } of checks) {
    const reading = readings.get(name) ?? recent.get(name);
    if (reading === undefined) continue;
    const start = places.get(name)?.countedTo ?? cursor?.boundary;
    const fault = reading.kind === 'unusable' ? reading : faultOf(reading, bounds, start);
    if (fault !== undefined) faults.set(name, fault);
    else if (reading.kind === 'series') sets.set(name, reading);
  }
  return sets;
}

function faultOf(
  set: SeriesSet,
  bounds: readonly number[] | undefined,
  start: Instant | undefined,
): Unusable | undefined {
  if (start !== undefined && set.from > start) {
    return unusable('history-lost', 'the answer does not reach back to the last poll');
  }
  if (bounds === undefined || set.series.length === 0) return undefined;
  const common = new Set(commonBounds(set.series));
  const absent = bounds.find((bound) => !common.has(bound));
  return absent === undefined
    ? undefined
    : unusable('bounds-absent', `no bucket of both arms ends at ${absent} s`);
}

/** Finds Δ and the first boundary from the first check that shows them. */
function open(stream: PollStream, sets: Sets, faults: Map<string, Unusable>): PollStream {
  for (const [name, { series }] of sets) {
    if (gaugeOf(stream, name) !== undefined) continue;
    // Stable may be as young as the rollout: nothing is counted until its interval is known.
    const earliest = Math.max(stream.from, intervalShownAt(series));
    const boundary = firstCommon(series, earliest, longestInterval);
    const interval = boundary === undefined ? undefined : scrapeInterval(series, boundary);
    if (boundary !== undefined && interval !== undefined) {
      return placed({ ...stream, cursor: { interval, boundary } }, sets);
    }
    const seen = series.some(({ arm }) => arm === 'stable');
    faults.set(
      name,
      seen
        ? unusable('too-few-samples', 'stable has been seen less than three times')
        : unusable('no-stable-data', 'no series of stable'),
    );
  }
  return stream;
}

/** Brings every check with an answer to the last boundary, whatever it missed before that. */
function placed(stream: PollStream, sets: Sets): PollStream {
  const { cursor } = stream;
  if (cursor === undefined) return stream;
  const { boundary } = cursor;
  const places = new Map(stream.places);
  for (const [name, { series }] of sets) {
    if (gaugeOf(stream, name) !== undefined) continue;
    const { countedTo, known } = places.get(name) ?? {};
    if (known !== undefined && countedTo === boundary) continue;
    places.set(name, { countedTo: boundary, known: knownAt(series, known ?? new Map(), boundary) });
  }
  return { ...stream, places };
}

/** The first check is what most rollbacks rest on: its gaps are waited for, for so long. */
const patience = 30_000;

interface Live {
  readonly check: StreamCheck;
  readonly series: readonly Series[];
}

function isAwaited(
  { checks, places, from }: PollStream,
  live: readonly Live[],
  at: Instant,
): boolean {
  const [first] = checks;
  if (first === undefined || live.some(({ check }) => check === first)) return false;
  return at - (places.get(first.name)?.countedTo ?? from) <= patience;
}

function count(
  stream: PollStream,
  { interval, boundary: begun }: StoredStream,
  sets: Sets,
  at: Instant,
): { readonly stream: PollStream; readonly polls: readonly CountedPoll[] } {
  const counters = [...sets].filter(([name]) => gaugeOf(stream, name) === undefined);
  const horizon = Math.max(...counters.map(([, { series }]) => horizonOf(series)));
  const live = stream.checks.flatMap((check): readonly Live[] => {
    const set = check.gauge === undefined ? sets.get(check.name) : undefined;
    if (set === undefined || !isLive(horizonOf(set.series), horizon, interval)) return [];
    return set.series.some(({ arm }) => arm === 'stable') ? [{ check, series: set.series }] : [];
  });
  if (isAwaited(stream, live, at)) return { stream, polls: [] };
  const until = Math.min(...live.map(({ series }) => finalUntil(series, horizon, interval)));
  const places = new Map(stream.places);
  const polls: CountedPoll[] = [];
  let boundary = begun;
  for (;;) {
    const end = firstCommon(live[0]?.series ?? [], earliestEnd(boundary, interval), interval);
    if (end === undefined || end > until) break;
    const checks: Record<string, CheckCounts> = lookedAt(stream, sets, boundary);
    const pods: Record<string, CheckPods[string]> = {};
    for (const { check, series } of live) {
      const known = places.get(check.name)?.known ?? new Map();
      const byPod = check.bounds === undefined ? podCounts(series, known, end) : undefined;
      if (byPod !== undefined) pods[check.name] = byPod;
      checks[check.name] =
        check.bounds === undefined
          ? [ratioCounts(series, known, end)]
          : bucketCounts(series, known, end, check.bounds);
      places.set(check.name, { countedTo: end, known: knownAt(series, known, end) });
    }
    const told = Object.keys(pods).length === 0 ? {} : { pods };
    polls.push({ since: boundary, at: end, checks, ...told });
    boundary = end;
  }
  return { stream: { ...stream, cursor: { interval, boundary }, places }, polls };
}

/** The gauges that show pods of both arms. */
function lookedAt(
  { checks }: PollStream,
  sets: Sets,
  moment: Instant,
): Record<string, CheckCounts> {
  const looks: Record<string, CheckCounts> = {};
  for (const { name, gauge } of checks) {
    const set = sets.get(name);
    if (gauge === undefined || set === undefined) continue;
    const gauges = gaugesAt(set.series, gauge, moment);
    if (gauges.canary.length > 0 && gauges.stable.length > 0) looks[name] = gauges;
  }
  return looks;
}

/** Stable is what canary is compared with: no fresh sample of it, no judgement. */
function staleness(set: SeriesSet, longest: Millis, at: Instant): Unusable | undefined {
  const last = horizonOf(set.series.filter(({ arm }) => arm === 'stable'));
  if (at - last <= longest) return undefined;
  const age = Math.round((at - Math.max(last, set.from)) / 1000);
  return unusable('stale', `no sample of stable for ${age} s${last < set.from ? ' and more' : ''}`);
}

/** Two and a half scrapes, and at least 5 s. */
export const staleAfter = (interval: Millis): Millis => millis(Math.max(5000, 2.5 * interval));
