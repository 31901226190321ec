import { noCounts } from './counts.ts';
import type { Rejection } from './evidence.ts';
import type { AnalysisPolicy, GaugePolicy } from './policy.ts';
import { countWords, podHours, rateWords } from './restart-words.ts';
import type { CheckWealth, TotalWealth } from './total.ts';

/** A rate for people: `0.31 %`, `12 %`. */
export function percentWords(rate: number): string {
  const value = rate * 100;
  const digits = value === 0 || value >= 9.95 ? 0 : value >= 0.995 ? 1 : 2;
  return `${value.toFixed(digits)} %`;
}

/** Why the canary was rejected, in one line. */
export function failureWords(
  { check, cause }: Rejection,
  { checks, wealth, needed }: TotalWealth,
  policy: AnalysisPolicy,
): string {
  const found = checks.find((one) => one.check.name === check);
  if (found?.check.gauge !== undefined) {
    return `${lookWords(found, found.check.gauge)}; ${evidenceWords(wealth, needed)}`;
  }
  if (found?.check.kind === 'restarts') {
    return `${check}: ${restartWords(found)}; ${evidenceWords(wealth, needed)}`;
  }
  const { worst } = found ?? {};
  const counts = worst === undefined || worst.step.nc > 0 ? worst?.step : worst.total;
  const { nc, xc, ns, xs } = counts ?? { nc: 0, xc: 0, ns: 0, xs: 0 };
  const bound = found?.check.bounds?.[found.worstIndex];
  const what = bound === undefined ? check : `${check} (slower than ${bound} s)`;
  const canary = `canary ${percentWords(nc > 0 ? xc / nc : 0)} (${xc} of ${nc})`;
  const arms = `${canary}, stable ${percentWords(ns > 0 ? xs / ns : 0)}`;
  if (cause === 'limit') {
    return `${what}: ${arms}; more than ${percentWords(policy.limit.rate)} is never acceptable`;
  }
  const rule = found?.check.worse;
  const line =
    rule === undefined ? '' : `, worse than ${rule.rho} × stable + ${percentWords(rule.delta)}`;
  return `${what}: ${arms}${line}; ${evidenceWords(wealth, needed)}`;
}

const evidenceWords = (wealth: number, needed: number): string =>
  `evidence ${Math.floor(wealth)} of ${Math.round(needed)}`;

/** `canary 3 restarts in 0.4 pod-hours, stable 1 in 10, worse than 1.25 × stable + 1 per hour`. */
function restartWords({ check, worst }: CheckWealth): string {
  const { nc, xc, ns, xs } = worst?.total ?? noCounts;
  const { rho, delta } = check.worse;
  const canary = countWords({ bad: xc, total: nc });
  const stable = `${xs} in ${podHours(ns)}`;
  return `canary ${canary}, stable ${stable}, worse than ${rho} × stable + ${rateWords(delta)}`;
}

/** What looks at a gauge have shown: `… were above 1.25 × stable's largest in 9 of 12 looks`. */
function lookWords({ check, worst }: CheckWealth, gauge: GaugePolicy): string {
  const { nc, xc } = worst?.total ?? { nc: 0, xc: 0 };
  const [side, which] = gauge.worseWhen === 'higher' ? ['above', 'largest'] : ['below', 'smallest'];
  const slack =
    gauge.slack === 0 ? '' : `${gauge.worseWhen === 'higher' ? ' +' : ' −'} ${gauge.slack}`;
  const factor = gauge.worseWhen === 'higher' ? `${gauge.ratio} ×` : `1/${gauge.ratio} of`;
  const line = `${side} ${factor} stable's ${which}${slack}`;
  return `${check.name}: the canary's pods were ${line} in ${xc} of ${nc} looks`;
}
