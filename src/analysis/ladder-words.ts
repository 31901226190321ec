import { describeSpan, type Percent, percent, seconds } from '../lib/units.ts';
import type { Ladder } from './ladder.ts';

/**
 * Which steps a rollout takes, why, and how long the first one lasts, in one sentence without its
 * stop; undefined where nothing is known beyond the steps.
 */
export function ladderWords(ladder: Ladder, steps: readonly Percent[]): string | undefined {
  const [first = percent(1)] = steps;
  const { by, requestsPerSecond: rps, firstStepSeconds, onePercentSeconds } = ladder;
  if (rps === null) {
    const unknown = `stable's traffic is not known: ${stepWords(steps)}`;
    return by === 'unmeasured' ? unknown : undefined;
  }
  const takes =
    firstStepSeconds === null
      ? `how long ${first} % takes cannot be told`
      : `${first} % takes about ${describeSpan(seconds(firstStepSeconds))}`;
  const told = `stable gets ${rateText(rps)} requests/s: ${stepWords(steps)}; ${takes}`;
  if (by !== 'traffic' || first === 1 || onePercentSeconds === null) return told;
  return `${told}; 1 % would take about ${describeSpan(seconds(onePercentSeconds))}`;
}

/** `steps 10, 25, 50, 100`: the weights in percent, with the promotion. */
export const stepWords = (steps: readonly Percent[]): string =>
  `steps ${[...steps, percent(100)].join(', ')}`;

const rateText = (rps: number): string => (rps >= 100 ? rps.toFixed(0) : rps.toPrecision(2));
