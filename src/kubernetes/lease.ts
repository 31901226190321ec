import { type Clock, sleep } from '../lib/clock.ts';
import { describeError, isOperatingError } from '../lib/errors.ts';
import type { Random } from '../lib/random.ts';
import { type Millis, millis, seconds } from '../lib/units.ts';
import type { KubernetesClient } from './client.ts';
import { LeaseObject } from './lease-object.ts';
import { type Watchdog, watchdog } from './watchdog.ts';

export interface LeaseOptions {
  readonly client: KubernetesClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly namespace: string;
  readonly name: string;
  /** Unique per process start: a restarted controller must not take itself for the leader. */
  readonly identity: string;
  /** A follower takes over when the Lease has not changed for this long by its own clock. */
  readonly duration?: Millis;
  /**
   * The leader gives up when its last successful renewal began this long ago. Shorter than
   * `duration`.
   */
  readonly renewDeadline?: Millis;
  /** Between two tries, the leader's and the followers'. */
  readonly retryPeriod?: Millis;
  readonly onNotice?: (notice: LeaseNotice) => void;
}

export type LeaseNotice =
  | { readonly kind: 'elected'; readonly epoch: number }
  | { readonly kind: 'lost'; readonly epoch: number; readonly because: string }
  | { readonly kind: 'released'; readonly epoch: number }
  | { readonly kind: 'leader-seen'; readonly holder: string }
  | { readonly kind: 'failed'; readonly message: string };

/** One term as leader. */
export interface Leadership {
  /** Higher than every earlier one, ours or another's. */
  readonly epoch: number;
  /** Aborted at the moment the term ends, by loss or release. */
  readonly signal: AbortSignal;
  /**
   * How long the term lasts at least, as of now; 0 when it is over. A write must have its answer
   * within it.
   */
  remaining(): Millis;
}

export interface LeaderElection {
  /** The current term, if we lead. */
  readonly leadership: Leadership | undefined;
  /** Who is thought to lead; empty when unknown. */
  readonly holder: string;
  /**
   * Stands for election until aborted. Calls `lead` for each term and waits for it after the term's
   * signal aborted; when `signal` aborts, work ends first and then the Lease is released. Never
   * rejects.
   */
  run(lead: (term: Leadership) => Promise<void>, signal: AbortSignal): Promise<void>;
}

/**
 * Leader election by a `coordination.k8s.io` Lease. Times are spans of the local monotonic clock
 * since a change was *observed*; nobody's wall clock is believed. Every write carries the
 * resourceVersion it was decided on, so of two contenders one gets a conflict; who loses a term
 * does not fight for it but stands again as a follower.
 */
export const createLeaderElection = (options: LeaseOptions): LeaderElection =>
  new LeaseElection(options);

class LeaseElection implements LeaderElection {
  readonly #options: LeaseOptions;
  readonly #times: LeaseTimes;
  readonly #lease: LeaseObject;
  leadership: Leadership | undefined;

  constructor(options: LeaseOptions) {
    this.#options = options;
    const {
      duration = seconds(15),
      renewDeadline = seconds(10),
      retryPeriod = seconds(2),
    } = options;
    this.#times = { duration, renewDeadline, retryPeriod };
    const onHolder = (holder: string) => this.#notice({ kind: 'leader-seen', holder });
    this.#lease = new LeaseObject({ ...options, duration, renewDeadline, onHolder });
  }

  get holder(): string {
    return this.#lease.holder;
  }

  async run(lead: (term: Leadership) => Promise<void>, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        const start = this.#options.clock.monotonic();
        const epoch = await this.#lease.tryAcquire(signal);
        if (epoch !== undefined) await this.#serve({ epoch, start }, lead, signal);
      } catch (error) {
        if (!signal.aborted && !isContention(error)) this.#failed(error);
      }
      await this.#pause(signal).catch(() => {});
    }
  }

  /** One term, from election to loss or release. */
  async #serve(
    won: { readonly epoch: number; readonly start: Millis },
    lead: (term: Leadership) => Promise<void>,
    signal: AbortSignal,
  ): Promise<void> {
    const { clock } = this.#options;
    const { renewDeadline } = this.#times;
    const { epoch } = won;
    const term = new Term(epoch, won.start, clock, renewDeadline);
    this.leadership = term;
    this.#notice({ kind: 'elected', epoch });
    const working = lead(term).catch((error: unknown) => this.#failed(error));
    const onStop = () => term.end('shutting down');
    signal.addEventListener('abort', onStop, { once: true });
    if (signal.aborted) onStop();
    // The Lease is renewed until the work has ended: nobody else may begin before.
    const keeping = this.#keep(term);
    await working;
    term.workEnded();
    const lost = await keeping;
    signal.removeEventListener('abort', onStop);
    term.end('the work has ended');
    this.leadership = undefined;
    if (!lost) await this.#release(epoch);
  }

  /** Renews until the work has ended (false) or the term is lost (true). */
  async #keep(term: Term): Promise<boolean> {
    const life = term.renewing;
    const lose = (because: string) => {
      this.leadership = undefined;
      term.end(because);
      this.#notice({ kind: 'lost', epoch: term.epoch, because });
      return true;
    };
    try {
      while (true) {
        await this.#pause(life);
        const start = this.#options.clock.monotonic();
        // After a stall the deadline is over although no renewal has failed: too late to renew.
        if (term.isOverdue) break;
        try {
          if (!(await this.#lease.renew(term.epoch, life))) return lose('the lease is not ours');
          term.renewed(start);
        } catch (error) {
          life.throwIfAborted();
          this.#failed(error);
        }
      }
    } catch {
      // Only an abort of `life` comes here.
      if (life.reason === workDone) return false;
    } finally {
      term.stopClock();
    }
    return lose(`not renewed within ${this.#times.renewDeadline} ms`);
  }

  async #release(epoch: number): Promise<void> {
    try {
      if (await this.#lease.release()) this.#notice({ kind: 'released', epoch });
    } catch (error) {
      // It runs out by itself.
      this.#failed(error);
    }
  }

  #pause(signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#options;
    return sleep(clock, millis(this.#times.retryPeriod * (0.8 + random() * 0.4)), signal);
  }

  #failed(error: unknown): void {
    this.#notice({ kind: 'failed', message: describeError(error) });
  }

  #notice(notice: LeaseNotice): void {
    this.#options.onNotice?.(notice);
  }
}

interface LeaseTimes {
  readonly duration: Millis;
  readonly renewDeadline: Millis;
  readonly retryPeriod: Millis;
}

const isContention = (error: unknown): boolean =>
  isOperatingError(error, 'KUBERNETES_CONFLICT') ||
  isOperatingError(error, 'KUBERNETES_ALREADY_EXISTS');

const workDone = new Error('the term is over');

class Term implements Leadership {
  readonly epoch: number;
  readonly #clock: Clock;
  readonly #deadline: Millis;
  readonly #watchdog: Watchdog;
  readonly #over = new AbortController();
  #renewedAt: Millis;

  constructor(epoch: number, start: Millis, clock: Clock, deadline: Millis) {
    this.epoch = epoch;
    this.#clock = clock;
    this.#deadline = deadline;
    this.#renewedAt = start;
    this.#watchdog = watchdog(
      clock,
      deadline,
      () => new Error('the lease was not renewed in time'),
    );
    this.#watchdog.feed(start);
  }

  get signal(): AbortSignal {
    return this.#over.signal;
  }

  /** Aborted when the deadline of the last successful renewal is over, or the work has ended. */
  get renewing(): AbortSignal {
    return this.#watchdog.signal;
  }

  get isOverdue(): boolean {
    return this.#clock.monotonic() >= this.#renewedAt + this.#deadline;
  }

  remaining(): Millis {
    if (this.#over.signal.aborted) return millis(0);
    return millis(Math.max(0, this.#renewedAt + this.#deadline - this.#clock.monotonic()));
  }

  /** `start`: when the successful renewal was *sent*; its answer may have taken long. */
  renewed(start: Millis): void {
    this.#renewedAt = start;
    this.#watchdog.feed(start);
  }

  end(because: string): void {
    if (!this.#over.signal.aborted) this.#over.abort(new Error(because));
  }

  workEnded(): void {
    this.#watchdog.end(workDone);
  }

  stopClock(): void {
    this.#watchdog.stop();
  }
}
