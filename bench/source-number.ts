import { createHash } from 'node:crypto';
import { globSync, readFileSync } from 'node:fs';

const root = new URL('../', import.meta.url);

/**
 * A number below 2³¹ that stands for the sources: another one after each change of them, so that
 * what is drawn from it is fresh, and the same for everybody who looks for the cause of a failure.
 */
export function sourceNumber(): number {
  const hash = createHash('sha256');
  const files = globSync('{src,test/simulation}/**/*.ts', { cwd: root });
  for (const file of files.toSorted()) hash.update(file).update(readFileSync(new URL(file, root)));
  return hash.digest().readUInt32BE() % 2 ** 31;
}
