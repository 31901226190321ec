import type { Clock } from '../lib/clock.ts';
import { type Instant, type Millis, millis } from '../lib/units.ts';
import type { SourceConfig } from '../spec/config.ts';
import type { ArmSelector } from './arms.ts';
import { type AnswerSizes, answerSizes, planQueries, type QueryPlan } from './batch.ts';
import { ofFailures, withFailures } from './failures.ts';
import {
  type EvidenceRequest,
  type MetricSource,
  type Reading,
  type Unusable,
  type UnusableCode,
  unusable,
} from './metric-source.ts';
import { createPrometheusClient, type PrometheusClient } from './prometheus-client.ts';
import { armsOf, groupByLabels, type LabelGroup, readingOf, tellingLabels } from './series-set.ts';
import { createTurnstile, type Turnstile } from './turnstile.ts';

export interface PrometheusOptions {
  readonly config: SourceConfig;
  readonly clock: Clock;
}

/** Evidence from the query API of Prometheus, or of anything that speaks it. */
export async function createPrometheusSource(options: PrometheusOptions): Promise<MetricSource> {
  const client = await createPrometheusClient(options);
  const outcomes = new Map<'ok' | UnusableCode, number>();
  const sender: Sender = {
    client,
    turnstile: createTurnstile(options.config.maxInFlight),
    sizes: answerSizes(),
    deadline: millis(2 * options.config.timeout),
    count: (outcome) => outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1),
  };
  return {
    read: (requests, at, signal) => read(sender, requests, at, signal),
    queries: () => outcomes,
    close: () => client.close(),
  };
}

interface Sender {
  readonly client: PrometheusClient;
  readonly turnstile: Turnstile;
  readonly sizes: AnswerSizes;
  /** For all queries of one call together: those that wait behind a hanging one give up. */
  readonly deadline: Millis;
  readonly count: (outcome: 'ok' | UnusableCode) => void;
}

interface Asked {
  readonly request: EvidenceRequest;
  readonly arms: readonly ArmSelector[];
}

async function read(
  sender: Sender,
  requests: readonly EvidenceRequest[],
  at: Instant,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, Reading>> {
  const stop = AbortSignal.any([signal, AbortSignal.timeout(sender.deadline)]);
  const readings = await readAll(sender, requests, at, { signal, stop });
  // Asked after the answer to the first: a failed request is then never older than its request.
  const apart = requests
    .filter(({ id }) => readings.get(id)?.kind === 'series')
    .flatMap(ofFailures);
  if (apart.length === 0) return readings;
  const failures = await readAll(sender, apart, at, { signal, stop });
  for (const { id } of apart) {
    const [all, failed] = [readings.get(id), failures.get(id)];
    if (all !== undefined && failed !== undefined) readings.set(id, withFailures(all, failed));
  }
  return readings;
}

interface Signals {
  /** The caller's. */
  readonly signal: AbortSignal;
  /** That, or the deadline for everything. */
  readonly stop: AbortSignal;
}

async function readAll(
  sender: Sender,
  requests: readonly EvidenceRequest[],
  at: Instant,
  { signal, stop }: Signals,
): Promise<Map<string, Reading>> {
  const readings = new Map<string, Reading>();
  const asked = new Map<string, Asked>();
  for (const request of requests) {
    const arms = armsOf(request);
    if ('code' in arms) readings.set(request.id, arms);
    else asked.set(request.id, { request, arms });
  }
  const plans = planQueries(
    [...asked.values()].map((one) => one.request),
    sender.sizes,
  );
  const answers = await Promise.all(plans.map((plan) => ask(sender, plan, at, stop)));
  for (const { plan, answer } of answers.flat()) {
    const late = 'code' in answer && answer.code === 'cancelled' && !signal.aborted;
    for (const { id } of plan.requests) {
      const one = asked.get(id);
      if (late) readings.set(id, unusable('timeout', 'no answer in the time for all queries'));
      else if ('code' in answer) readings.set(id, answer);
      else if (one !== undefined) readings.set(id, readingOf(one.request, one.arms, answer, at));
    }
  }
  return readings;
}

interface Answered {
  readonly plan: QueryPlan;
  readonly answer: readonly LabelGroup[] | Unusable;
}

/** Sends one planned query; one that proves too large is halved until single requests remain. */
async function ask(
  sender: Sender,
  plan: QueryPlan,
  at: Instant,
  signal: AbortSignal,
): Promise<readonly Answered[]> {
  const answer = await sender.turnstile(signal, () => sender.client.query(plan.text, at, signal));
  if (answer === undefined) {
    return [{ plan, answer: unusable('cancelled', 'stopped while waiting for a turn') }];
  }
  if ('code' in answer) {
    sender.count(answer.code);
    const [first, second] = answer.code === 'too-large' ? plan.halves() : [];
    if (first === undefined || second === undefined) return [{ plan, answer }];
    const halves = await Promise.all([first, second].map((half) => ask(sender, half, at, signal)));
    return halves.flat();
  }
  sender.count('ok');
  sender.sizes.learn(plan, answer);
  const telling = plan.requests[0] === undefined ? [] : tellingLabels(plan.requests[0]);
  return [{ plan, answer: groupByLabels(answer.matrix.series, telling) }];
}
