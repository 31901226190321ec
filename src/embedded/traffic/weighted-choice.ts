import type { Backend } from './routing-table.ts';

/**
 * Smooth weighted round robin: in any run of Σ weights choices each backend is chosen exactly as
 * often as its weight says. Keeps its place while labels and weights stay the same.
 * Source: the algorithm of nginx's upstream module.
 */
export class WeightedChoice {
  readonly #credit = new Map<string, number>();

  /** `undefined` when every weight is 0. */
  choose(backends: readonly Backend[]): Backend | undefined {
    const total = backends.reduce((sum, { weight }) => sum + weight, 0);
    if (total === 0) return undefined;
    let best: Backend | undefined;
    let most = Number.NEGATIVE_INFINITY;
    for (const backend of backends) {
      if (backend.weight === 0) continue;
      const credit = (this.#credit.get(backend.label) ?? 0) + backend.weight;
      this.#credit.set(backend.label, credit);
      if (credit > most) {
        best = backend;
        most = credit;
      }
    }
    if (best !== undefined) this.#credit.set(best.label, most - total);
    this.#forget(backends);
    return best;
  }

  /** Backends that are gone or carry nothing keep no credit for later. */
  #forget(backends: readonly Backend[]): void {
    if (this.#credit.size <= backends.length) return;
    const carrying = new Set(backends.filter(({ weight }) => weight > 0).map(({ label }) => label));
    for (const label of this.#credit.keys()) if (!carrying.has(label)) this.#credit.delete(label);
  }
}
