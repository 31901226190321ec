import type { KubernetesClient } from '../kubernetes/client.ts';
import { createEventRecorder, type EventRecorder } from '../kubernetes/events.ts';
import { type Clock, sleep } from '../lib/clock.ts';
import type { Random } from '../lib/random.ts';
import { seconds } from '../lib/units.ts';
import type { MetricSource } from '../metric-sources/metric-source.ts';
import { type OutboxObserver, outboxLimits } from '../notifiers/lane.ts';
import type { Notifier } from '../notifiers/notifier.ts';
import { createOutbox, type Outbox } from '../notifiers/outbox.ts';
import type { Notice } from '../rollout/notice.ts';
import type { Config } from '../spec/config.ts';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { trafficProviders } from '../traffic-providers/registry.ts';
import type { WatchedCluster } from './cluster.ts';
import { type Controller, createController, createHooks } from './controller.ts';
import type { Effects } from './effects.ts';
import type { Parts } from './parts.ts';
import { createPauseProbe } from './pause-probe.ts';
import { createPollBook, type PollBook } from './poll-book.ts';
import { createSampler } from './sampler.ts';
import { settingsOf } from './settings.ts';
import { createWorkQueue, type WorkQueue } from './work-queue.ts';

/** What the outside gives: real in `main.ts`, virtual in a simulation. */
export interface Outside {
  readonly config: Config;
  readonly checks: Parts['checks'];
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly client: KubernetesClient;
  readonly watched: WatchedCluster;
  readonly sources: ReadonlyMap<string, MetricSource>;
  readonly notifiers: readonly Notifier[];
  /** Names this copy in Events. */
  readonly instance: string;
}

export interface Assembled {
  readonly controller: Controller;
  /** The last polls of each rollout, as people are shown them. */
  readonly polls: Pick<PollBook, 'read'>;
  /** Works until aborted, as leader; ends its writes and hands over its notices at the end. */
  run(signal: AbortSignal): Promise<void>;
}

/** Everything a leader works with; nothing runs until `run` is called. */
export function assemble(outside: Outside): Assembled {
  const { clock, random, log, metrics } = outside;
  const events = eventsOf(outside);
  const effects = effectsOf(outside);
  const sampler = createSampler({
    sources: outside.sources,
    clock,
    onRead: (source, took) => metrics.prometheusRead(source, took),
  });
  const polls = createPollBook();
  const post = postOffice(outside, (id, key) => controller.noticeSettled(id, key));
  const parts: Parts = {
    clock,
    cluster: outside.watched.cluster,
    settings: settingsOf(outside.config),
    probe: createPauseProbe({ client: outside.client, clock }),
    effects,
    sampler,
    polls,
    sources: outside.sources,
    checks: outside.checks,
    enqueue: post.enqueue,
    events,
    metrics,
    log,
    wake: (key) => queue.add(key, 'now'),
    ...createHooks({ clock, metrics, log, events, effects, polls }),
  };
  const queue = createWorkQueue({
    clock,
    random,
    work: (key, signal) => controller.work(key, signal),
    onStart: (waited) => metrics.workQueueWaited(waited),
  });
  const controller = createController(parts, queue);
  const run = async (signal: AbortSignal) => {
    const stop = controller.start();
    const running = [sampler.run(signal), countWork({ controller, queue, clock, metrics }, signal)];
    await aborted(signal);
    stop();
    await queue.drain(seconds(5));
    await Promise.all([post.outbox.stop(seconds(2)), ...running]);
    await events.drain(seconds(1));
  };
  return { controller, polls, run };
}

const eventsOf = ({ client, clock, random, instance, log }: Outside): EventRecorder =>
  createEventRecorder({
    client,
    clock,
    random,
    instance,
    onDropped: (event, because) =>
      log.debug({ object: event.subject.name, because }, 'event dropped'),
  });

const effectsOf = ({ client, clock, watched }: Outside): Effects => ({
  client,
  clock,
  accept: (raw) => watched.accept(raw),
  beginRead: (kind) => watched.beginRead(kind),
  forget: (kind, gone) => watched.forget(kind, gone),
  deploymentVersion: (namespace, name) =>
    watched.cluster.deployments.get(namespace, name)?.resourceVersion,
  rawRoute: (_kind, namespace, name) => watched.cluster.routes.get(namespace, name)?.raw,
  providers: trafficProviders,
});

/** Notices leave here, and their fate comes back to the rollout that sent them. */
function postOffice(
  { config, notifiers, clock, random, log, metrics }: Outside,
  settled: (noticeId: string, key: string) => void,
): { readonly outbox: Outbox; readonly enqueue: Parts['enqueue'] } {
  const keys = new Map<string, string>();
  const outbox = createOutbox({
    notifiers,
    // Notices name their notifiers themselves; `none` is a wish, too.
    defaults: [],
    clock,
    random,
    limits: outboxLimits,
    observer: outboxObserver(metrics, log),
    onSettled: (id) => {
      const key = keys.get(id);
      keys.delete(id);
      if (key !== undefined) settled(id, key);
    },
  });
  const enqueue = (notice: Notice, key: string) => {
    keys.set(notice.id, key);
    // Annotations that cannot be read name nobody.
    const unnamed = notice.kind === 'invalid' && notice.notifiers.length === 0;
    outbox.enqueue(unnamed ? { ...notice, notifiers: config.defaults.notify } : notice);
  };
  return { outbox, enqueue };
}

const outboxObserver = (metrics: Metrics, log: Log): OutboxObserver => ({
  tried: (notifier, notice, outcome, error) => {
    metrics.noticeTried(notifier, notice.kind, outcome);
    const fields = { notifier, noticeId: notice.id, noticeKind: notice.kind };
    if (error === undefined) log.info(fields, 'notice delivered');
    else log.warn({ ...fields, error }, 'notice not delivered');
  },
  depth: (notifier, waiting) => metrics.outboxDepth(notifier, waiting),
  callbackFailed: (error) => log.error({ error }, 'outbox callback failed'),
});

interface Counted {
  readonly controller: Controller;
  readonly queue: WorkQueue;
  readonly clock: Clock;
  readonly metrics: Metrics;
}

/** How many Deployments are ours, how many roll out, and how many wait, every few seconds. */
async function countWork(counted: Counted, signal: AbortSignal): Promise<void> {
  const { controller, queue, clock, metrics } = counted;
  while (!signal.aborted) {
    const memories = [...controller.memories.values()];
    const active = memories.filter((memory) => memory.counted && !memory.ended).length;
    metrics.deployments(memories.length, active);
    metrics.workQueueDepth(queue.size.ready);
    await sleep(clock, seconds(2), signal).catch(() => undefined);
  }
}

export const aborted = (signal: AbortSignal): Promise<void> =>
  signal.aborted
    ? Promise.resolve()
    : new Promise((resolve) => {
        signal.addEventListener('abort', () => resolve(), { once: true });
      });
