import { excessSurety, excessWords } from '../analysis/excess-words.ts';
import { rateWords } from '../analysis/restart-words.ts';
import { describeSpan, type Ratio } from '../lib/units.ts';
import type { MetricComparison, Notice, NoticeKind } from '../rollout/notice.ts';

// What a notice says, in words, whoever carries it. Every notifier for people speaks with these.

/** What happened, as the first words of a message. */
export const happened: Readonly<Record<NoticeKind, string>> = {
  rollback: 'Rolled back',
  promotion: 'Promoted',
  hold: 'Holding',
  paused: 'Paused',
  invalid: 'Cannot start',
  started: 'Canary started',
  superseded: 'Superseded',
};

/**
 * `0.041` → `4.1 %`: two significant digits below 10 %, and never a non-zero share shown as
 * nought.
 */
export function describeRatio(value: Ratio): string {
  if (!Number.isFinite(value)) return 'unknown';
  const points = value * 100;
  if (points === 0) return '0 %';
  if (points < 0.001) return '< 0.001 %';
  return `${Number(points.toPrecision(points >= 10 ? 3 : 2))} %`;
}

/** `103 of 100`: wealth of the test against what it takes. */
export function describeEvidence(metric: MetricComparison): string {
  const { evidence, threshold } = metric;
  const shown = evidence >= 10 ? Math.floor(evidence) : Math.floor(evidence * 10) / 10;
  const wealth = evidence > 99_999 ? 'over 99,999' : thousands(shown);
  return `${Number.isFinite(evidence) ? wealth : 'over 99,999'} of ${thousands(threshold)}`;
}

/** One arm's value: `4.1 %`, or `7.5 per pod-hour` of restarts. */
export const describeValue = ({ per }: Pick<MetricComparison, 'per'>, value: Ratio): string =>
  per === undefined ? describeRatio(value) : rateWords(value);

/** `error-ratio 4.1 % in canary, 0.2 % in stable`. */
export function describeMetric(metric: MetricComparison): string {
  const { check, canary, stable } = metric;
  const value = (one: Ratio) => describeValue(metric, one);
  return `${check} ${value(canary)} in canary, ${value(stable)} in stable`;
}

/**
 * The interval in one plain sentence; undefined where none is known.
 * `errors: the bad share of the canary is 1.2 to 4.5 points above stable (…).`
 */
export const describeExcess = ({ check, excess }: MetricComparison): string | undefined =>
  excess === undefined
    ? undefined
    : `${check}: the bad share of the canary is ${excessWords(excess)} (${excessSurety}).`;

/** `1,213 requests, 7 failed`: what users of the canary met. */
export function describeExposure(notice: Notice): string {
  const { exposedRequests: requests, failedRequests: failed } = notice;
  if (requests === 0 && failed === 0) return 'no request';
  const noun = requests === 1 ? 'request' : 'requests';
  return `${thousands(requests)} ${noun}, ${thousands(failed)} failed`;
}

/** `at 5 %, step 2 of 5`. */
export function describePlace(notice: Notice): string {
  const { kind, step, steps, weight } = notice;
  if (kind === 'promotion' && step >= steps)
    return `after ${steps === 1 ? 'its only step' : `all ${steps} steps`}`;
  if (step < 1) return 'before any traffic';
  return `at ${Number(weight.toFixed(2))} %, step ${Math.min(step, steps)} of ${steps}`;
}

export const describeDuration = (notice: Notice): string => describeSpan(notice.duration);

/** What a reader can do about it, as commands to copy; none where nothing is to be done. */
export function nextSteps(notice: Notice): { readonly words: string; readonly command: string } {
  const command = (verb: string) =>
    `kubectl haldane ${verb} ${notice.deployment} -n ${notice.namespace}`;
  switch (notice.kind) {
    case 'rollback':
      return {
        words: 'All traffic is on stable. Ship a fix, or try this revision again:',
        command: command('retry'),
      };
    case 'promotion':
      return {
        words: 'All traffic is on the new revision. Look back:',
        command: command('explain'),
      };
    case 'hold':
      return {
        words: 'Nothing is raised meanwhile. See what it waits for:',
        command: command('explain'),
      };
    case 'paused':
      return { words: 'The weight stays as it is. Go on with:', command: command('resume') };
    case 'invalid':
      return { words: 'Traffic is unchanged. See every problem:', command: command('explain') };
    case 'started':
      return { words: 'Follow it:', command: `${command('status')} --watch` };
    case 'superseded':
      return {
        words: 'The canary was withdrawn; nothing is held against it. See what runs now:',
        command: command('status'),
      };
    default:
      return notice.kind satisfies never;
  }
}

/** Digits in groups of three, the same whatever the machine's locale is. */
export const thousands = (value: number): string =>
  String(value).replace(/\B(?<!\.\d*)(?=(?:\d{3})+(?!\d))/g, ',');

/** How much worse the canary is, where that was the reason of the end. */
export function blamed({ kind, rule, metric }: Notice): readonly string[] {
  if (kind !== 'rollback' || rule !== 'evidenceWorse' || metric === undefined) return [];
  const sentence = describeExcess(metric);
  return sentence === undefined ? [] : [sentence];
}

/** The whole message in plain lines: Slack's fallback, and what screen readers say. */
export function plainLines(notice: Notice): readonly string[] {
  const { metric } = notice;
  const images = notice.images.map((i) => `${i.container}: ${i.from} → ${i.to}`);
  const place = notice.kind === 'invalid' ? '' : ` ${describePlace(notice)}`;
  return [
    `${happened[notice.kind]}: ${notice.namespace}/${notice.deployment}${place}`,
    `Why: ${notice.because} (${notice.rule})`,
    ...(metric === undefined
      ? []
      : [`Metric: ${describeMetric(metric)}; evidence ${describeEvidence(metric)}`]),
    ...blamed(notice),
    ...images.slice(0, 5).map((image) => `Image ${image}`),
    ...(notice.kind === 'invalid' || notice.kind === 'started'
      ? []
      : [`Canary answered ${describeExposure(notice)}, in ${describeDuration(notice)}`]),
  ];
}
