/**
 * Lets at most `places` pieces of work go on at the same time, in the order of arrival. Resolves
 * with `undefined`, without starting the work, when the signal is aborted before its turn.
 */
export type Turnstile = <T>(signal: AbortSignal, work: () => Promise<T>) => Promise<T | undefined>;

export function createTurnstile(places: number): Turnstile {
  let free = places;
  const waiting: (() => void)[] = [];
  const enter = () =>
    new Promise<void>((resolve) => {
      if (free > 0) {
        free -= 1;
        resolve();
      } else {
        waiting.push(resolve);
      }
    });
  const leave = () => {
    const next = waiting.shift();
    if (next === undefined) free += 1;
    else next();
  };
  return async (signal, work) => {
    await enter();
    try {
      return signal.aborted ? undefined : await work();
    } finally {
      leave();
    }
  };
}
