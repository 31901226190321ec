import type { Counts, PodGauges } from './counts.ts';
import type { GaugePolicy } from './policy.ts';

/**
 * Pods beyond the line `stable's median · (1 + tolerance) + slack` (below it, for "lower"), as
 * counts: one request per pod. Undefined when stable shows no pod to draw a line from.
 */
export function pastLine(gauges: PodGauges, policy: GaugePolicy): Counts | undefined {
  const middle = median(gauges.stable);
  if (middle === undefined) return undefined;
  const margin = Math.abs(middle) * policy.tolerance + policy.slack;
  const bad =
    policy.worseWhen === 'higher'
      ? (value: number) => value > middle + margin
      : (value: number) => value < middle - margin;
  return {
    nc: gauges.canary.length,
    xc: gauges.canary.filter(bad).length,
    ns: gauges.stable.length,
    xs: gauges.stable.filter(bad).length,
  };
}

function median(values: readonly number[]): number | undefined {
  const sorted = values.toSorted((a, b) => a - b);
  const upper = sorted[sorted.length >> 1];
  const lower = sorted[(sorted.length - 1) >> 1];
  return upper === undefined || lower === undefined ? undefined : (upper + lower) / 2;
}
