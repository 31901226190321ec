const decimal = /^(0|[1-9]\d*)$/;

/**
 * Order of two resourceVersions: negative when `a` is older, `undefined` when they cannot be
 * compared. They are etcd revisions, and comparable by contract since Kubernetes 1.35 (KEP-5504).
 * Compared as decimal text, because a revision may exceed 2⁵³.
 */
export function compareResourceVersions(a: string, b: string): number | undefined {
  if (!decimal.test(a) || !decimal.test(b)) return undefined;
  if (a.length !== b.length) return a.length - b.length;
  return a < b ? -1 : a > b ? 1 : 0;
}
