/** A signal that follows another one, and can be aborted by itself. */
export interface Linked {
  readonly signal: AbortSignal;
  abort(reason?: unknown): void;
  /** Follows no longer. */
  unlink(): void;
}

/**
 * A signal that follows `parent` until unlinked: the parent may live as long as the process.
 *
 * `AbortSignal.any` does the same without the need to unlink, but by weak references, which V8
 * allocates as old objects: all that listens to either signal then outlives every young collection.
 */
export function linked(parent: AbortSignal): Linked {
  const controller = new AbortController();
  const follow = () => controller.abort(parent.reason);
  if (parent.aborted) follow();
  else parent.addEventListener('abort', follow, { once: true });
  return {
    signal: controller.signal,
    abort: (reason) => controller.abort(reason),
    unlink: () => parent.removeEventListener('abort', follow),
  };
}
