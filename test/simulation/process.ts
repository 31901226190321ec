import type {
  KubernetesRequest,
  KubernetesStream,
  KubernetesTransport,
} from '../../src/kubernetes/transport.ts';
import type { Clock } from '../../src/lib/clock.ts';

/** Ends a process before or after its n-th write. */
export interface KillAt {
  readonly write: number;
  readonly moment: 'before' | 'after';
}

/**
 * One process of ours as the kernel sees it: it runs, it is stopped for a while, or it is dead. A
 * stopped one is given neither timers nor answers until it goes on, although time passes.
 */
export class Process {
  #alive = true;
  #writes = 0;
  #stopped: { readonly resumed: Promise<void>; readonly resume: () => void } | undefined;
  /** Stalls under way: they may overlap, and it goes on after the last. */
  #stalls = 0;
  #held: (() => void)[] = [];
  readonly #onDeath: () => void;

  constructor(onDeath: () => void) {
    this.#onDeath = onDeath;
  }

  get alive(): boolean {
    return this.#alive;
  }

  /** Writes it has made, Events and Leases aside. */
  get writes(): number {
    return this.#writes;
  }

  kill(): void {
    if (!this.#alive) return;
    this.#alive = false;
    this.#held = [];
    this.#onDeath();
  }

  /** SIGSTOP; the returned function is SIGCONT. */
  stall(): () => void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#stopped ??= { resumed: promise, resume: resolve };
    this.#stalls += 1;
    return () => {
      this.#stalls -= 1;
      const stopped = this.#stopped;
      if (this.#stalls > 0 || stopped === undefined) return;
      this.#stopped = undefined;
      const overdue = this.#held.splice(0);
      for (const callback of overdue) if (this.#alive) callback();
      stopped.resume();
    };
  }

  clock(clock: Clock): Clock {
    const run = (callback: () => void) => {
      if (!this.#alive) return;
      if (this.#stopped === undefined) callback();
      else this.#held.push(callback);
    };
    return {
      now: () => clock.now(),
      monotonic: () => clock.monotonic(),
      after: (span, callback) => {
        let cancelled = false;
        const cancel = clock.after(span, () => run(() => cancelled || callback()));
        return () => {
          cancelled = true;
          cancel();
        };
      },
    };
  }

  /** `onKill` is told when it has died at the write that `killAt` names. */
  transport(
    transport: KubernetesTransport,
    killAt?: KillAt,
    onKill: () => void = () => undefined,
  ): KubernetesTransport {
    const die = () => {
      if (!this.#alive) return;
      this.kill();
      onKill();
    };
    return {
      stream: async (path, query, signal) => {
        if (!this.#alive) return never();
        return this.#gated(await transport.stream(path, query, signal));
      },
      request: async (request, signal) => {
        if (!this.#alive) return never();
        const counts = isWrite(request);
        if (counts) this.#writes += 1;
        const due = counts && this.#writes === killAt?.write;
        if (due && killAt?.moment === 'before') {
          die();
          return never();
        }
        try {
          const answer = await transport.request(request, signal);
          if (due) die();
          return answer;
        } finally {
          await this.#running();
        }
      },
    };
  }

  #gated(stream: KubernetesStream): KubernetesStream {
    return { ...stream, chunks: gated(stream.chunks, () => this.#running()) };
  }

  /** Resolves while it runs, later while it is stopped, and never when it is dead. */
  async #running(): Promise<void> {
    await this.#stopped?.resumed;
    if (!this.#alive) await never();
  }
}

/** One for each who waits: a promise that all share would keep everything that waits for it. */
const never = (): Promise<never> => new Promise(() => undefined);

/** Events, Leases and dry runs change nothing that a rollout depends on. */
export const isWrite = ({ method, path, query }: KubernetesRequest): boolean =>
  method !== 'GET' && query?.['dryRun'] === undefined && !/\/(events|leases)(\/|$)/.test(path);

/** Each piece waits until `running` resolves. */
async function* gated<T>(
  pieces: AsyncIterable<T>,
  running: () => Promise<void>,
): AsyncGenerator<T> {
  for await (const piece of pieces) {
    await running();
    yield piece;
  }
  await running();
}
