import type { StreamPiece } from '../kubernetes/transport.ts';

type Answer = IteratorResult<StreamPiece, undefined>;
type Waiting = { resolve(answer: Answer): void; reject(failure: Error): void };

const over = { done: true, value: undefined } as const;

/**
 * Turns pushed pieces into an async iterable with one consumer. It is no generator: in one, each
 * piece goes through three promises.
 */
export class ChunkQueue implements AsyncIterableIterator<StreamPiece, undefined> {
  readonly #pieces: StreamPiece[] = [];
  #onReturn: (() => void) | undefined;
  #ended = false;
  #failure: Error | undefined;
  #waiting: Waiting | undefined;

  /** @param onReturn  called once: the consumer is told of the end, or stops early */
  constructor(onReturn: () => void) {
    this.#onReturn = onReturn;
  }

  push(piece: StreamPiece): void {
    this.#pieces.push(piece);
    this.#wake();
  }

  end(): void {
    this.#ended = true;
    this.#wake();
  }

  fail(failure: Error): void {
    this.#failure = failure;
    this.#wake();
  }

  next(): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.#wake();
    });
  }

  return(): Promise<Answer> {
    this.#ended = true;
    this.#pieces.length = 0;
    this.#failure = undefined;
    return this.next();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** Answers the consumer if it waits and there is something to tell. */
  #wake(): void {
    const waiting = this.#waiting;
    if (waiting === undefined) return;
    const piece = this.#pieces.shift();
    const failure = this.#failure;
    if (piece === undefined && failure === undefined && !this.#ended) return;
    this.#waiting = undefined;
    if (piece !== undefined) return waiting.resolve({ done: false, value: piece });
    this.#failure = undefined;
    this.#ended = true;
    this.#onReturn?.();
    this.#onReturn = undefined;
    if (failure === undefined) waiting.resolve(over);
    else waiting.reject(failure);
  }
}
