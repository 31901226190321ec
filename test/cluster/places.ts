import { createHash } from 'node:crypto';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

/** Root of the checkout. */
export const repository = resolve(import.meta.dirname, '../..');

/** Go modules that pin the built components, one folder each. */
export const toolModules = join(import.meta.dirname, 'tools');

/**
 * Built components, shared by all checkouts of one user; each entry is named by what it was built
 * from.
 */
export const builtTools = join(
  process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'),
  'haldane',
  'tools',
);

/** Certificates, logs and wrappers of this checkout. */
export const clusterCache = join(repository, '.cache', 'cluster');

/** Sixteen hexadecimal digits that change when any part changes. */
export function contentHash(parts: readonly (string | Buffer)[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(String(part.length)).update(':').update(part);
  return hash.digest('hex').slice(0, 16);
}
