import { type StudyCell, studyRuns } from './study.ts';
import { mean, percents, quantile, short } from './table.ts';

/** What one rule did in one cell. */
export interface Measured {
  readonly runs: number;
  /** Of the runs that were rolled back. */
  readonly seconds: readonly number[];
  readonly failed: readonly number[];
}

/** Standard deviations of both simulations together that still count as chance. */
const sigmas = 3;

/** Two shares; the study's, rounded to a whole percent, is taken where it is nearest to ours. */
export function shareAgrees(share: number, runs: number, studyPercent: number): boolean {
  const rounding = studyPercent % 1 === 0 ? 0.005 : 0.0005;
  const study = studyPercent / 100;
  const nearest = Math.min(study + rounding, Math.max(study - rounding, share));
  const p = (share * runs + nearest * studyRuns) / (runs + studyRuns);
  const deviation = Math.sqrt(p * (1 - p) * (1 / runs + 1 / studyRuns));
  return Math.abs(share - nearest) <= sigmas * deviation;
}

/** The study's median lies where ours could, one poll more or less. */
export function medianAgrees(values: readonly number[], study: number, poll: number): boolean {
  const n = values.length;
  if (n === 0) return false;
  const reach = sigmas * Math.sqrt((0.25 * (1 + n / studyRuns)) / n);
  const low = quantile(values, Math.max(0, 0.5 - reach)) - poll;
  const high = quantile(values, Math.min(1, 0.5 + reach)) + poll;
  return study >= low && study <= high;
}

/** Means, the study's rounded to a whole number. */
export function meanAgrees(values: readonly number[], study: number): boolean {
  const n = values.length;
  const average = mean(values);
  const variance = mean(values.map((value) => (value - average) ** 2));
  const chance = sigmas * Math.sqrt(variance * (1 / n + 1 / studyRuns));
  return Math.abs(average - study) <= chance + 0.5;
}

/** Fewer rollbacks than this tell nothing of their median and mean. */
const leastFound = 30;

/** `ours = study ✓`, or `✗` where chance does not explain the difference; and which it was. */
export function againstStudy(
  { runs, seconds, failed }: Measured,
  study: StudyCell,
  poll: number,
): { readonly text: string; readonly agrees: boolean } {
  const found = seconds.length / runs;
  const ours =
    seconds.length === 0
      ? '–'
      : `${percents(found)}/${short(quantile(seconds, 0.5))}/${short(mean(failed))}`;
  const [percent, median, harm] = study ?? [0, Number.NaN, Number.NaN];
  const few = study === null || Math.min(seconds.length, (percent / 100) * studyRuns) < leastFound;
  const agrees =
    shareAgrees(found, runs, percent) &&
    (few || (medianAgrees(seconds, median, poll) && meanAgrees(failed, harm)));
  return { text: `${ours} = ${study?.join('/') ?? '–'} ${agrees ? '✓' : '✗'}`, agrees };
}
