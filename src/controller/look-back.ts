import { type Instant, type Millis, millis } from '../lib/units.ts';
import { historyOf } from '../metric-sources/history.ts';
import type { EvidenceNames, EvidenceRequest, SeriesSet } from '../metric-sources/metric-source.ts';
import type { CompiledCheck } from '../metric-sources/template.ts';
import { cellWidth } from './evidence.ts';
import type { Parts } from './parts.ts';

/** A native histogram takes kilobytes: a few of them tell the tail as well as many. */
const nativeLooks = 16;

type LookParts = Pick<Parts, 'sources' | 'settings'>;

/** Time between two looks at stable's history. */
export function lookWidth(
  { native }: CompiledCheck,
  { settings }: Pick<Parts, 'settings'>,
): Millis {
  const { history } = settings.config.limits;
  return native ? millis(Math.max(cellWidth, Math.round(history / nativeLooks))) : cellWidth;
}

/**
 * Stable before a rollout, as far back as the configuration says; `undefined` without an answer.
 * Looks at a native histogram may be minutes apart, and pods younger than two of them show no
 * request in between: then the last minutes alone are looked at, as often as a counter is.
 */
export async function lookBack(
  check: CompiledCheck,
  names: EvidenceNames,
  at: Instant,
  parts: LookParts,
): Promise<SeriesSet | undefined> {
  const look = async (window: Millis, resolution: Millis): Promise<SeriesSet | undefined> => {
    const request: EvidenceRequest = { id: check.name, check, names, window, resolution };
    const source = parts.sources.get(check.source);
    const readings = await source?.read([request], at, AbortSignal.timeout(5000));
    const reading = readings?.get(check.name);
    return reading?.kind === 'series' ? reading : undefined;
  };
  const width = lookWidth(check, parts);
  const whole = await look(parts.settings.config.limits.history, width);
  if (whole === undefined || width === cellWidth || historyOf(whole).requests > 0) return whole;
  return (await look(millis(nativeLooks * cellWidth), cellWidth)) ?? whole;
}
