import { double, message, signed, unsigned } from './protobuf.ts';

/** Eight buckets for each doubling, each 9 % wider than the one before; a lower one merges them. */
export const finestSchema = 3;
/** What client libraries take for zero unless told: 2^−128. */
const zeroThreshold = 2 ** -128;

/**
 * The buckets of a native histogram of times, which are never below zero. There are as many as were
 * ever hit: bucket i holds what is above 2^((i−1)/8) and not above 2^(i/8).
 */
export class NativeBuckets {
  readonly #counts = new Map<number, number>();
  #zero = 0;

  count(value: number): void {
    if (value <= zeroThreshold) {
      this.#zero += 1;
      return;
    }
    const index = Math.ceil(Math.log2(value) * 2 ** finestSchema);
    this.#counts.set(index, (this.#counts.get(index) ?? 0) + 1);
  }

  /** Their fields in `io.prometheus.client.Histogram`, with 2^schema buckets for each doubling. */
  fields(schema: number): readonly Buffer[] {
    const spans: { offset: number; length: number }[] = [];
    const deltas: number[] = [];
    let next = 0;
    let before = 0;
    for (const [index, count] of this.#merged(schema)) {
      const span = spans.at(-1);
      if (span !== undefined && index === next) span.length += 1;
      else spans.push({ offset: index - next, length: 1 });
      deltas.push(count - before);
      next = index + 1;
      before = count;
    }
    return [
      signed(5, schema),
      double(6, zeroThreshold),
      unsigned(7, this.#zero),
      ...spans.map(({ offset, length }) => message(12, signed(1, offset), unsigned(2, length))),
      ...deltas.map((delta) => signed(13, delta)),
    ];
  }

  #merged(schema: number): readonly (readonly [index: number, count: number])[] {
    const merged = new Map<number, number>();
    for (const [index, count] of this.#counts) {
      const coarse = Math.ceil(index / 2 ** (finestSchema - schema));
      merged.set(coarse, (merged.get(coarse) ?? 0) + count);
    }
    return [...merged].sort(([a], [b]) => a - b);
  }
}
