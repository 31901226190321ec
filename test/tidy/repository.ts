import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export const root = join(import.meta.dirname, '..', '..');

/** Every file that belongs to the repository, also those that are not committed yet. */
export function repositoryFiles(): readonly string[] {
  const list = execFileSync('git', ['ls-files', '-z', '-co', '--exclude-standard'], { cwd: root });
  return [...new Set(list.toString('utf8').split('\0'))]
    .filter((path) => path !== '' && existsSync(join(root, path)))
    .sort();
}

export const readText = (path: string): string => readFileSync(join(root, path), 'utf8');

/**
 * Absolute paths of somebody's machine. Written in parts, so that this file does not match
 * itself.
 */
const machinePath = new RegExp(
  `(?:^|[^\\w.-])/(?:${['work', 'farm', 'root', 'home/\\w+', 'Users/\\w+'].join('|')})/`,
);

const registryHost = /(?:registry\.(?:npmjs|yarnpkg)|proxy\.golang|deb\.debian)\.org/;

/** Lines that name a machine's own path or a registry's host. */
export function placesOf(path: string, text: string): readonly string[] {
  return text.split('\n').flatMap((line, index) => {
    const found = machinePath.exec(line) ?? registryHost.exec(line);
    return found === null ? [] : [`${path}:${index + 1}: ${found[0].trim()}`];
  });
}

/** Entries of a lockfile that say from which host they came. */
export function lockedHosts(lockfile: string): readonly string[] {
  const { packages } = JSON.parse(lockfile) as {
    packages: Record<string, { resolved?: string; integrity?: string; link?: boolean }>;
  };
  return Object.entries(packages).flatMap(([path, { resolved, integrity, link }]) => {
    if (resolved !== undefined) return [`${path}: resolved ${resolved}`];
    return path !== '' && integrity === undefined && !link ? [`${path}: no integrity`] : [];
  });
}
