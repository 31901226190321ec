import type { StreamPiece } from '../kubernetes/transport.ts';

/** Turns pushed pieces into an async iterable with one consumer. */
export class ChunkQueue implements AsyncIterable<StreamPiece> {
  readonly #pieces: StreamPiece[] = [];
  readonly #onReturn: () => void;
  #ended = false;
  #failure: Error | undefined;
  #wake: (() => void) | undefined;

  /** @param onReturn  called when the consumer stops early */
  constructor(onReturn: () => void) {
    this.#onReturn = onReturn;
  }

  push(piece: StreamPiece): void {
    this.#pieces.push(piece);
    this.#wake?.();
  }

  end(): void {
    this.#ended = true;
    this.#wake?.();
  }

  fail(failure: Error): void {
    this.#failure = failure;
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<StreamPiece> {
    try {
      for (;;) {
        const piece = this.#pieces.shift();
        if (piece !== undefined) yield piece;
        else if (this.#failure !== undefined) throw this.#failure;
        else if (this.#ended) return;
        else await new Promise<void>((resolve) => (this.#wake = resolve));
      }
    } finally {
      this.#onReturn();
    }
  }
}
