import { within } from '../lib/clock.ts';
import { type Instant, type Millis, millis, seconds } from '../lib/units.ts';
import { historyOf } from '../metric-sources/history.ts';
import type {
  EvidenceNames,
  EvidenceRequest,
  Reading,
  SeriesSet,
  UnusableCode,
} from '../metric-sources/metric-source.ts';
import type { CompiledCheck } from '../metric-sources/template.ts';
import { cellWidth } from './evidence.ts';
import type { Parts } from './parts.ts';

/** A native histogram takes kilobytes: a few of them tell the tail as well as many. */
const nativeLooks = 16;

/** An answer that is too large is asked for again with so many times fewer looks. */
const thinning = 4;

/** A source that takes longer is asked again later. */
const patience = seconds(5);

/** What was seen of stable before a rollout. */
export interface LookBack {
  readonly set: SeriesSet;
  /** Time between two looks. */
  readonly width: Millis;
}

/** Answers that a source gives while it is away or ill, and not because of what was asked. */
const passing: ReadonlySet<UnusableCode> = new Set([
  'unreachable',
  'timeout',
  'cancelled',
  'secret-unreadable',
  'http-error',
  'partial',
  'clock-skew',
]);

/**
 * Stable before a rollout, as far back as the configuration says and as closely as fits into an
 * answer; `undefined` without one, `away` when another try may get one. What takes the source
 * too long is asked for the last minutes alone. Looks at a native histogram may be minutes
 * apart, and pods younger than two of them show no request in between: then the last minutes
 * alone are looked at, as often as a counter is.
 */
export async function lookBack(
  check: CompiledCheck,
  names: EvidenceNames,
  at: Instant,
  parts: Pick<Parts, 'clock' | 'sources' | 'settings'>,
): Promise<LookBack | 'away' | undefined> {
  const look = async (window: Millis, resolution: Millis): Promise<Reading | undefined> => {
    const request: EvidenceRequest = { id: check.name, check, names, window, resolution };
    const source = parts.sources.get(check.source);
    if (source === undefined) return undefined;
    const read = (signal: AbortSignal) => source.read([request], at, signal);
    const readings = await within(parts.clock, patience, read);
    return readings.get(check.name);
  };
  const lately = () => look(millis(nativeLooks * cellWidth), cellWidth);
  const { history } = parts.settings.config.limits;
  let width = check.native ? Math.max(cellWidth, Math.round(history / nativeLooks)) : cellWidth;
  let whole = await look(history, millis(width));
  // Some pods with a dozen buckets fill it; two looks at least tell something.
  while (isTooLarge(whole) && thinning * width <= history / 2) {
    width *= thinning;
    whole = await look(history, millis(width));
  }
  if (whole?.kind === 'unusable' && whole.code === 'timeout') {
    whole = await lately();
    width = cellWidth;
  }
  if (whole?.kind === 'unusable') return passing.has(whole.code) ? 'away' : undefined;
  if (whole === undefined) return undefined;
  const far = { set: whole, width: millis(width) };
  if (!check.native || width === cellWidth || historyOf(whole).requests > 0) return far;
  const near = await lately();
  return near?.kind === 'series' ? { set: near, width: cellWidth } : far;
}

const isTooLarge = (reading: Reading | undefined): boolean =>
  reading?.kind === 'unusable' && reading.code === 'too-large';
