import { type BackoffPolicy, backoff } from '../lib/backoff.ts';
import { type Clock, sleep } from '../lib/clock.ts';
import { isOperatingError, OperatingError } from '../lib/errors.ts';
import type { Random } from '../lib/random.ts';
import { type Millis, millis, minutes, seconds } from '../lib/units.ts';
import type { Notice } from '../rollout/notice.ts';
import type { Notifier } from './notifier.ts';

/** How a notice ended for one notifier, or for all of its notifiers together. */
export type Settlement = 'delivered' | 'given-up';

/**
 * One try, or the end without one. `dropped`: the queue was full, or no such notifier is
 * configured.
 */
export type TryOutcome = 'delivered' | 'retried' | 'given-up' | 'dropped';

export interface OutboxObserver {
  /** Called once per try and per drop; `error` says why it was not delivered. */
  tried(notifier: string, notice: Notice, outcome: TryOutcome, error?: unknown): void;
  depth(notifier: string, waiting: number): void;
  /** The outbox's owner threw from a callback: a bug to report, not a reason to stop delivering. */
  callbackFailed(error: unknown): void;
}

export interface OutboxLimits {
  /** Notices waiting for one notifier. */
  readonly waiting: number;
  readonly tryTimeout: Millis;
  /** A notice is given up at the failure after which its next try would come later than this. */
  readonly giveUpAfter: Millis;
  /** Ids of settled notices that are remembered, so that the same event is not sent again. */
  readonly remembered: number;
  readonly backoff: BackoffPolicy;
}

export const outboxLimits: OutboxLimits = {
  waiting: 1000,
  tryTimeout: seconds(5),
  giveUpAfter: minutes(60),
  remembered: 4000,
  backoff: { first: seconds(1), longest: seconds(60), factor: 2 },
};

export interface LaneParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly observer: OutboxObserver;
  readonly limits: OutboxLimits;
  readonly onEnded: (notice: Notice, settlement: Settlement) => void;
}

/**
 * One notifier's bounded queue and its single worker, which sleeps while there is nothing to
 * send.
 */
export interface Lane {
  add(notice: Notice): void;
  /** One more try for what waits, within `bound`; resolves to the number of notices left. */
  stop(bound: Millis): Promise<number>;
}

interface Job {
  readonly notice: Notice;
  readonly since: Millis;
  tries: number;
  triedLast: boolean;
}

/**
 * After so many failures in a row a notice lets the next one try: it may be this one that is
 * refused.
 */
const turn = 4;

export function createLane(notifier: Notifier, parts: LaneParts): Lane {
  const lane = new NotifierLane(notifier, parts);
  return { add: (notice) => lane.add(notice), stop: (bound) => lane.stop(bound) };
}

class NotifierLane {
  readonly #notifier: Notifier;
  readonly #parts: LaneParts;
  readonly #waiting: Job[] = [];
  /** Ends pauses: what waits gets its last try. */
  readonly #stopping = new AbortController();
  /** Nothing more is tried. */
  #isOver = false;
  #trying: { readonly job: Job; readonly end: AbortController } | undefined;
  #failures = 0;
  #worker: Promise<void> | undefined;

  constructor(notifier: Notifier, parts: LaneParts) {
    this.#notifier = notifier;
    this.#parts = parts;
  }

  add(notice: Notice): void {
    const since = this.#parts.clock.monotonic();
    this.#waiting.push({ notice, since, tries: 0, triedLast: false });
    if (this.#waiting.length > this.#parts.limits.waiting) this.#drop();
    this.#showDepth();
    this.#worker ??= this.#work();
  }

  async stop(bound: Millis): Promise<number> {
    this.#stopping.abort();
    const cancel = this.#parts.clock.after(bound, () => {
      this.#isOver = true;
      this.#trying?.end.abort();
    });
    await this.#worker;
    cancel();
    return this.#waiting.length;
  }

  /**
   * The oldest notice that is no rollback makes room; if all are rollbacks, the oldest. Never
   * the one being tried.
   */
  #drop(): void {
    const free = this.#waiting.filter((job) => job !== this.#trying?.job);
    const job = free.find((candidate) => candidate.notice.kind !== 'rollback') ?? free[0];
    if (job === undefined) return;
    this.#parts.observer.tried(this.#notifier.name, job.notice, 'dropped');
    this.#end(job, 'given-up');
  }

  /**
   * Rollbacks first, then in order of arrival; who has failed `turn` times stands behind those
   * who have not.
   */
  #next(): Job | undefined {
    if (this.#isOver) return undefined;
    const stopping = this.#stopping.signal.aborted;
    const rank = (job: Job) =>
      (job.notice.kind === 'rollback' ? 0 : 0.5) + Math.floor(job.tries / turn);
    let best: Job | undefined;
    for (const job of this.#waiting) {
      if (stopping && job.triedLast) continue;
      if (best === undefined || rank(job) < rank(best)) best = job;
    }
    return best;
  }

  async #work(): Promise<void> {
    // Not within the caller's turn: enqueueing costs the reconcile that does it nothing.
    await Promise.resolve();
    for (let job = this.#next(); job !== undefined; job = this.#next()) {
      job.triedLast = this.#stopping.signal.aborted;
      const error = await this.#try(job);
      if (this.#isOver && error !== undefined) break;
      if (error === undefined) this.#delivered(job);
      else await this.#failed(job, error);
    }
    this.#worker = undefined;
  }

  /**
   * `undefined` when delivered. Races the signal, so that a notifier that ignores it cannot hold
   * the lane.
   */
  async #try(job: Job): Promise<OperatingError | undefined> {
    const { clock, limits } = this.#parts;
    const end = new AbortController();
    const cancel = clock.after(this.#notifier.timeout ?? limits.tryTimeout, () => end.abort());
    this.#trying = { job, end };
    try {
      await Promise.race([this.#notifier.send(job.notice, end.signal), whenAborted(end.signal)]);
      return undefined;
    } catch (error) {
      return isOperatingError(error)
        ? error
        : new OperatingError('NOTIFY_FAILED', 'the notifier failed unexpectedly', { cause: error });
    } finally {
      cancel();
      this.#trying = undefined;
    }
  }

  #delivered(job: Job): void {
    this.#failures = 0;
    this.#parts.observer.tried(this.#notifier.name, job.notice, 'delivered');
    this.#end(job, 'delivered');
  }

  async #failed(job: Job, error: OperatingError): Promise<void> {
    const { clock, limits, random, observer } = this.#parts;
    job.tries += 1;
    const asked = error.retryAfterMillis ?? 0;
    const pause = Math.max(backoff(limits.backoff, this.#failures, random), asked);
    const age = clock.monotonic() - job.since;
    const hopeless = error.retry === 'never' || age + pause > limits.giveUpAfter;
    observer.tried(this.#notifier.name, job.notice, hopeless ? 'given-up' : 'retried', error);
    if (hopeless) this.#end(job, 'given-up');
    // A refusal of this one notice says nothing about the next one; everything else does.
    if (error.retry === 'never') return;
    this.#failures += 1;
    const bounded = millis(Math.min(pause, limits.giveUpAfter));
    if (this.#waiting.length > 0) await this.#pause(bounded);
  }

  async #pause(span: Millis): Promise<void> {
    await sleep(this.#parts.clock, span, this.#stopping.signal).catch(() => undefined);
  }

  #end(job: Job, settlement: Settlement): void {
    const index = this.#waiting.indexOf(job);
    if (index >= 0) this.#waiting.splice(index, 1);
    this.#showDepth();
    this.#parts.onEnded(job.notice, settlement);
  }

  #showDepth(): void {
    this.#parts.observer.depth(this.#notifier.name, this.#waiting.length);
  }
}

function whenAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    const stop = () => reject(new OperatingError('NOTIFY_FAILED', 'no answer: timed out'));
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
  });
}
