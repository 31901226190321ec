import type { Counts, PodGauges } from './counts.ts';
import type { GaugePolicy } from './policy.ts';

/**
 * One look at a gauge as one trial, which is bad when at least half of the canary's pods lie beyond
 * the line `worst stable pod · ratio + slack`. Pods of one release differ for as long as they live,
 * so that more looks, or more pods, at the same moment prove nothing: only that a look is bad more
 * often than in `delta` of cases, given all looks before, is evidence. Stable's part is how many of
 * its pods lie beyond the line that the others draw: as often as that, a healthy canary may too.
 * Undefined when either arm shows no pod.
 */
export function lookAt({ canary, stable }: PodGauges, policy: GaugePolicy): Counts | undefined {
  const line = lineOf(stable, policy);
  if (line === undefined || canary.length === 0) return undefined;
  const beyond = canary.filter((value) => isBeyond(value, line, policy)).length;
  const others = strayPods(stable, policy);
  return { nc: 1, xc: 2 * beyond >= canary.length ? 1 : 0, ns: others.pods, xs: others.stray };
}

/** Pods beyond the line that the others draw, and pods; none where a pod is alone. */
export function strayPods(
  values: readonly number[],
  policy: GaugePolicy,
): { readonly pods: number; readonly stray: number } {
  if (values.length < 2) return { pods: 0, stray: 0 };
  const stray = values.filter((value, i) => {
    const line = lineOf(values.toSpliced(i, 1), policy);
    return line !== undefined && isBeyond(value, line, policy);
  });
  return { pods: values.length, stray: stray.length };
}

/** Share of looks, in a history of stable, at which a pod lay beyond the others' line. */
export function strayRate(
  looks: readonly (readonly number[])[],
  policy: GaugePolicy,
): number | undefined {
  let [pods, stray] = [0, 0];
  for (const look of looks) {
    const found = strayPods(look, policy);
    pods += found.pods;
    stray += found.stray;
  }
  return pods === 0 ? undefined : stray / pods;
}

/** Where the tolerance of the worst pod ends; a negative value is tolerated by its size too. */
function lineOf(
  values: readonly number[],
  { worseWhen, ratio, slack }: GaugePolicy,
): number | undefined {
  if (values.length === 0) return undefined;
  if (worseWhen === 'higher') {
    const worst = Math.max(...values);
    return worst + Math.abs(worst) * (ratio - 1) + slack;
  }
  const worst = Math.min(...values);
  return worst - Math.abs(worst) * (1 - 1 / ratio) - slack;
}

const isBeyond = (value: number, line: number, { worseWhen }: GaugePolicy): boolean =>
  worseWhen === 'higher' ? value > line : value < line;
