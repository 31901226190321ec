import { type Clock, sleep } from '../lib/clock.ts';
import { type Instant, type Millis, millis, seconds } from '../lib/units.ts';
import type {
  EvidenceNames,
  EvidenceRequest,
  MetricSource,
  Reading,
} from '../metric-sources/metric-source.ts';
import { type PollStream, windowOf } from '../metric-sources/poll-stream.ts';
import { nextTick, untilDue } from '../metric-sources/poll-timing.ts';
import type { CompiledCheck } from '../metric-sources/template.ts';
import type { Readings } from './evidence.ts';
import { afterRead, fullBudget, queriesPerInterval } from './query-budget.ts';

/** One rollout that wants evidence. */
export interface Sampled {
  readonly names: EvidenceNames;
  readonly checks: readonly CompiledCheck[];
  /** The stream as it stands; the sampler only reads it. */
  stream(): PollStream;
  take(readings: Readings): void;
}

export interface SamplerOptions {
  readonly sources: ReadonlyMap<string, MetricSource>;
  readonly clock: Clock;
  /** Around each read. */
  readonly onRead?: (source: string, took: Millis) => void;
}

/**
 * Asks each source on behalf of all rollouts at once, when the next samples are due. A source that
 * hangs holds up
 * its own rollouts and no others.
 */
export interface Sampler {
  set(key: string, sampled: Sampled): void;
  remove(key: string): void;
  run(signal: AbortSignal): Promise<void>;
}

/** Before the samples themselves tell. */
const unknownInterval = seconds(1);

/** Rollouts whose scrapes fall at different moments share at most this many reads an interval. */
const readsPerInterval = queriesPerInterval;

export function createSampler(options: SamplerOptions): Sampler {
  const rollouts = new Map<string, Sampled>();
  const wake = new Set<() => void>();
  return {
    set: (key, sampled) => {
      const isNew = !rollouts.has(key);
      rollouts.set(key, sampled);
      if (isNew) for (const call of wake) call();
    },
    remove: (key) => {
      rollouts.delete(key);
    },
    run: async (signal) => {
      await Promise.all(
        [...options.sources].map(([name, source]) => {
          return loop(name, source, rollouts, wake, options, signal);
        }),
      );
    },
  };
}

async function loop(
  name: string,
  source: MetricSource,
  rollouts: ReadonlyMap<string, Sampled>,
  wake: Set<() => void>,
  { clock, onRead }: SamplerOptions,
  signal: AbortSignal,
): Promise<void> {
  let budget = fullBudget(clock.monotonic());
  while (!signal.aborted) {
    const mine = [...rollouts].flatMap(([key, sampled]) => wanted(key, sampled, name));
    if (mine.length === 0) {
      await idle(wake, signal, clock);
      continue;
    }
    const at = clock.now();
    const start = clock.monotonic();
    const requests = mine.map((one) => one.request(at));
    const sent = queriesOf(source);
    const answers = await source.read(requests, at, signal);
    onRead?.(name, millis(clock.monotonic() - start));
    deliver(mine, answers, at, rollouts);
    const next = nextRead(mine, rollouts, clock.now());
    const read = { at: clock.monotonic(), queries: queriesOf(source) - sent, ...next };
    const { budget: left, wait } = afterRead(budget, read);
    budget = left;
    const pause = Math.max(next.due, wait);
    await sleep(clock, millis(Math.min(pause, 15_000)), signal).catch(() => undefined);
    // Passes have taken the answers in: what these brought is not asked for a second time.
    const early = untilNext(name, rollouts, clock.now());
    if (early > 0) await idle(wake, signal, clock, early);
  }
}

/** Asked so far; looks back at stable are among them. */
const queriesOf = (source: MetricSource): number =>
  [...source.queries().values()].reduce((sum, count) => sum + count, 0);

interface Wanted {
  readonly key: string;
  readonly check: string;
  readonly request: (at: Instant) => EvidenceRequest;
}

function wanted(key: string, sampled: Sampled, source: string): Wanted[] {
  return sampled.checks
    .filter((check) => check.source === source)
    .map((check) => ({
      key,
      check: check.name,
      request: (at) => ({
        id: `${key} ${check.name}`,
        check,
        names: sampled.names,
        window: windowOf(sampled.stream(), check.name, at, check),
        ...boundsOf(sampled.stream(), check.name),
      }),
    }));
}

/** Only the buckets that are compared. */
function boundsOf({ checks }: PollStream, name: string): Pick<EvidenceRequest, 'bounds'> {
  const bounds = checks.find((check) => check.name === name)?.bounds;
  return bounds === undefined ? {} : { bounds };
}

function deliver(
  mine: readonly Wanted[],
  answers: ReadonlyMap<string, Reading>,
  at: Instant,
  rollouts: ReadonlyMap<string, Sampled>,
): void {
  const byRollout = new Map<string, Map<string, Reading>>();
  for (const { key, check } of mine) {
    const reading = answers.get(`${key} ${check}`);
    if (reading === undefined) continue;
    const readings = byRollout.get(key) ?? new Map<string, Reading>();
    byRollout.set(key, readings.set(check, reading));
  }
  for (const [key, byCheck] of byRollout) rollouts.get(key)?.take({ at, byCheck });
}

/** How long until the next samples are due, and the shortest interval between them. */
function nextRead(
  mine: readonly Wanted[],
  rollouts: ReadonlyMap<string, Sampled>,
  now: Instant,
): { readonly due: Millis; readonly interval: Millis } {
  let due = Number.POSITIVE_INFINITY;
  let interval = seconds(15) as number;
  for (const { key } of mine) {
    const stream = rollouts.get(key)?.stream();
    if (stream === undefined) continue;
    due = Math.min(due, nextTick(stream, now, unknownInterval));
    interval = Math.min(interval, stream.cursor?.interval ?? unknownInterval);
  }
  const least = interval / readsPerInterval;
  return {
    due: millis(Number.isFinite(due) ? Math.max(least, due) : least),
    interval: millis(interval),
  };
}

/** Until the first rollout that asks this source can have new samples; 0 where none asks. */
function untilNext(source: string, rollouts: ReadonlyMap<string, Sampled>, now: Instant): Millis {
  const spans = [...rollouts.values()]
    .filter(({ checks }) => checks.some((check) => check.source === source))
    .map((sampled) => untilDue(sampled.stream(), now));
  return millis(spans.length === 0 ? 0 : Math.min(...spans));
}

/** Until another rollout wants evidence, or for `span`. */
function idle(
  wake: Set<() => void>,
  signal: AbortSignal,
  clock: Clock,
  span?: Millis,
): Promise<void> {
  return new Promise((resolve) => {
    const cancel = span === undefined ? () => undefined : clock.after(span, () => done());
    const done = () => {
      cancel();
      wake.delete(done);
      signal.removeEventListener('abort', done);
      resolve();
    };
    wake.add(done);
    signal.addEventListener('abort', done, { once: true });
  });
}
