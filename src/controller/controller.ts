import { ladderWords } from '../analysis/ladder-words.ts';
import { within } from '../lib/clock.ts';
import { describeError, InvariantError, isOperatingError } from '../lib/errors.ts';
import { type Millis, millis, seconds } from '../lib/units.ts';
import type { Action } from '../rollout/action.ts';
import { carriedIndex, pinAnnotation, type Snapshot, stateOf } from '../rollout/snapshot.ts';
import { isNoticeOf } from '../rollout/state.ts';
import { recordedUids } from '../traffic-providers/route-record.ts';
import { checkAutoscalers } from './autoscaler-check.ts';
import { aboutDeployment } from './event-sink.ts';
import { emptyMemory, type RolloutMemory } from './memory.ts';
import type { Parts } from './parts.ts';
import { reconcile } from './reconcile.ts';
import { keyOf } from './sample.ts';
import { sweep } from './sweep.ts';
import { concerns, namespaceKey, wakeOnChange } from './wake.ts';
import type { WorkQueue } from './work-queue.ts';

/** What `createController` cannot be given before it exists: how its passes reach back to it. */
export interface Hooks {
  readonly forget: Parts['forget'];
  readonly acted: Parts['acted'];
}

export interface Controller {
  /** Works on one key. Never rejects: this is the one place that swallows. */
  work(key: string, signal: AbortSignal): Promise<void>;
  /** Subscribes to the caches and asks for a pass over everything opted in. */
  start(): () => void;
  noticeSettled(noticeId: string, key: string): void;
  readonly memories: ReadonlyMap<string, RolloutMemory>;
}

export function createController(parts: Parts, queue: WorkQueue): Controller {
  const memories = new Map<string, RolloutMemory>();
  const memoryOf = (key: string) => {
    const found = memories.get(key) ?? emptyMemory();
    memories.set(key, found);
    return found;
  };
  return {
    memories,
    work: async (key, signal) => {
      const started = parts.clock.monotonic();
      const took = () => millis(parts.clock.monotonic() - started);
      try {
        const [namespace = '', name = ''] = key.split('/');
        const deployment = parts.cluster.deployments.get(namespace, name);
        if (deployment === undefined || deployment.deleting || !concerns(deployment)) {
          await drop(key, namespace, name, memories, parts, signal);
        } else {
          const next = await reconcile(deployment, memoryOf(key), parts, signal);
          if (next.kind === 'again') queue.add(key);
          // It has looked at everything: what an earlier pass wanted to look at again is answered.
          if (next.kind === 'later') queue.postpone(key, next.after);
        }
        queue.forget(key);
        parts.metrics.reconciled('ok', took());
      } catch (error) {
        // Cut short by the end of this process or its term: nothing has failed.
        if (signal.aborted && error === signal.reason) return;
        failed(key, error, took(), memories.get(key), parts, queue);
      }
    },
    start: () => {
      const stop = wakeOnChange(parts.cluster, memories, queue, parts.clock);
      for (const deployment of parts.cluster.deployments.values()) {
        if (concerns(deployment)) queue.add(keyOf({ deployment }));
      }
      for (const namespace of namespacesWithMarks(parts)) queue.add(namespaceKey(namespace));
      return stop;
    },
    noticeSettled: (noticeId, key) => {
      memories.get(key)?.settledNotices.add(noticeId);
      queue.add(key);
    },
  };
}

/**
 * Where routes or Services carry our marks: a Deployment may have been deleted while nobody
 * watched.
 */
function namespacesWithMarks({ cluster }: Parts): ReadonlySet<string> {
  const routes = [...cluster.routes.values()].filter(({ raw }) => recordedUids(raw).length > 0);
  const services = [...cluster.services.values()].filter(
    ({ annotations }) => annotations[pinAnnotation] !== undefined,
  );
  return new Set([...routes, ...services].map(({ namespace }) => namespace));
}

/** The Deployment is gone or was never ours: what we left on other objects goes too. */
async function drop(
  key: string,
  namespace: string,
  name: string,
  memories: Map<string, RolloutMemory>,
  parts: Parts,
  signal: AbortSignal,
): Promise<void> {
  parts.sampler.remove(key);
  parts.polls.drop(key);
  await sweep(namespace, parts, signal);
  if (memories.delete(key)) parts.metrics.forgetDeployment({ namespace, deployment: name });
}

/**
 * Expected faults back off; a bug holds this rollout, is counted and told, and disturbs no other.
 */
function failed(
  key: string,
  error: unknown,
  took: Millis,
  memory: RolloutMemory | undefined,
  parts: Parts,
  queue: WorkQueue,
): void {
  const operating = isOperatingError(error);
  const isQuick = memory !== undefined && memory.conflicts < 5;
  if (isOperatingError(error, 'KUBERNETES_CONFLICT') && isQuick) {
    // Somebody was quicker: the watch brings the news in milliseconds.
    memory.conflicts += 1;
    queue.addAfter(key, millis(20));
  } else {
    queue.retry(key, millis(operating ? (error.retryAfterMillis ?? 0) : 0));
  }
  const code = operating ? error.code : error instanceof InvariantError ? 'INVARIANT' : 'BUG';
  parts.metrics.failed(code);
  parts.metrics.reconciled(operating ? 'error' : 'invariant', took);
  const level = operating ? 'warn' : 'error';
  parts.log[level]({ rollout: key, code, because: describeError(error), error }, 'pass failed');
}

type HookParts = Pick<Parts, 'clock' | 'metrics' | 'log' | 'events' | 'effects' | 'polls'>;

/** Bookkeeping of the passes; kept apart from them so that they stay on one screen. */
export function createHooks(parts: HookParts): Hooks {
  return {
    forget: (memory, rollout) => {
      const { route, enqueued } = memory;
      // Of its end people may have been told before its canary was seen.
      const told = [...memory.settledNotices].filter((notice) => isNoticeOf(rollout, notice));
      const settledNotices = new Set(told);
      Object.assign(memory, emptyMemory(), { rollout, route, enqueued, settledNotices });
    },
    acted: (action, s, memory, started) => actedOn(action, s, memory, started, parts),
  };
}

function actedOn(
  action: Action,
  s: Snapshot,
  memory: RolloutMemory,
  started: Millis,
  parts: HookParts,
): void {
  const { clock, metrics } = parts;
  tellProgress(action, s, parts);
  memory.conflicts = 0;
  const took = millis(clock.monotonic() - started);
  const rollout = { namespace: s.deployment.namespace, deployment: s.deployment.name };
  if (action.kind === 'record' || action.kind === 'adopt-canary')
    memory.lastRecordedAt = clock.now();
  if (action.kind === 'cut-route') {
    metrics.verdictToRoute('cut', took);
    const failedSince = memory.firstFailureAt;
    if (failedSince) metrics.firstFailureToCut(millis(clock.now() - failedSince));
  }
  if (action.kind === 'flinch-route') metrics.verdictToRoute('flinch', took);
  if (action.kind === 'shift-route') metrics.verdictToRoute('raise', took);
  const ends = action.kind === 'finish-rollout' || action.kind === 'mark-rejected';
  const state = stateOf(s);
  if (!ends || state === undefined || !memory.counted) return;
  const outcome = action.kind === 'finish-rollout' ? 'promotion' : 'rollback';
  const rule = action.kind === 'mark-rejected' ? action.rejection.rule : 'stepPassed';
  metrics.rolloutEnded(rollout, outcome, rule, millis(clock.now() - state.startedAt));
  metrics.forget(rollout);
  memory.ended = true;
  parts.polls.end(keyOf(s));
}

/** Progress as Events: what `kubectl describe` shows beside the notices. */
function tellProgress(action: Action, s: Snapshot, parts: HookParts): void {
  const say = (reason: string, message: string) =>
    parts.events.record({
      subject: aboutDeployment(s.deployment),
      type: 'Normal',
      reason,
      message,
    });
  if (action.kind === 'create-canary') {
    const { revision, attempt } = action.state;
    say('CanaryStarted', `revision ${revision}${attempt > 1 ? `, attempt ${attempt}` : ''}`);
    void within(parts.clock, seconds(5), (signal) => checkAutoscalers(s.deployment, parts, signal));
  }
  if (action.kind === 'record' && action.state.step.index === 0 && carriedIndex(s) < 0) {
    const { ladder, revision, spec } = action.state;
    const words = ladder ? ladderWords(ladder, spec.steps) : undefined;
    if (words !== undefined) say('CanarySteps', `revision ${revision}: ${words}`);
  }
  if (action.kind === 'shift-route') {
    const revision = s.canary?.podHash ?? '';
    say('CanaryWeightRaised', `revision ${revision}: ${action.from} % → ${action.to} %`);
  }
}
