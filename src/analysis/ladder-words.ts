import { describeSpan, type Percent, percent, seconds } from '../lib/units.ts';
import type { Ladder } from './ladder.ts';

/**
 * Why a rollout begins where it does, and how long that takes, in one sentence without its stop;
 * undefined where nothing is known.
 */
export function ladderWords(ladder: Ladder, steps: readonly Percent[]): string | undefined {
  const [first = percent(1)] = steps;
  const { by, requestsPerSecond: rps, firstStepSeconds, onePercentSeconds } = ladder;
  if (rps === null) {
    return by === 'unmeasured' ? `stable's traffic is not known: begins at ${first} %` : undefined;
  }
  const takes =
    firstStepSeconds === null
      ? ', for how long cannot be told'
      : `, which takes about ${describeSpan(seconds(firstStepSeconds))}`;
  const told = `stable gets ${rateText(rps)} requests/s: begins at ${first} %${takes}`;
  if (by !== 'traffic' || first === 1 || onePercentSeconds === null) return told;
  return `${told}; 1 % would take about ${describeSpan(seconds(onePercentSeconds))}`;
}

const rateText = (rps: number): string => (rps >= 100 ? rps.toFixed(0) : rps.toPrecision(2));
