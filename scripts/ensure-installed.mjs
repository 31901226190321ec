// Runs before every npm script that needs packages: installs from the lockfile when node_modules is
// missing or differs from it. Plain JavaScript for Node 20, no packages: it runs when none are
// there.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const lockFolder = join(root, '.cache', 'installing');
const longestInstallMillis = 15 * 60_000;

/** @returns {Record<string, any>} the `packages` of a lockfile, empty if it cannot be read */
function packagesOf(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8')).packages ?? {};
  } catch {
    return {};
  }
}

/**
 * Why an install is needed, or undefined. npm records what it installed in a lockfile of its own.
 */
export function whyStale(folder) {
  const wanted = packagesOf(join(folder, 'package-lock.json'));
  const modules = join(folder, 'node_modules');
  if (!existsSync(modules)) return 'node_modules is missing';
  const installed = packagesOf(join(modules, '.package-lock.json'));
  for (const [path, entry] of Object.entries(wanted)) {
    if (path === '' || entry.link) continue;
    const present = installed[path];
    if (present === undefined && !entry.optional) return `${path} is missing`;
    if (present !== undefined && present.version !== entry.version) {
      return `${path} is ${present.version}, the lockfile says ${entry.version}`;
    }
  }
  return existsSync(join(modules, '.bin', 'node'))
    ? undefined
    : 'node_modules/.bin/node is missing';
}

/** The caller's PATH without our own node_modules, which the install is about to replace. */
function outerPath() {
  const separator = process.platform === 'win32' ? ';' : ':';
  const parts = (process.env.PATH ?? '').split(separator);
  return parts.filter((part) => !part.includes(join('node_modules', '.bin'))).join(separator);
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

/** Two scripts started together must not install at the same time. False: somebody else did it. */
function takeLock() {
  mkdirSync(dirname(lockFolder), { recursive: true });
  const end = Date.now() + longestInstallMillis;
  let waited = false;
  while (Date.now() < end) {
    try {
      mkdirSync(lockFolder);
      writeFileSync(join(lockFolder, 'pid'), String(process.pid));
      return !waited || whyStale(root) !== undefined;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    waited = true;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 500);
    let pid = 0;
    try {
      pid = Number(readFileSync(join(lockFolder, 'pid'), 'utf8'));
    } catch {
      continue; // just taken, or just released
    }
    if (pid > 0 && !isAlive(pid)) rmSync(lockFolder, { recursive: true, force: true });
  }
  throw new Error(`another install holds ${lockFolder}; remove it if none is running`);
}

function install(reason) {
  console.error(`haldane: ${reason}; installing from the lockfile (about 20 s) …`);
  const result = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: root,
    env: { ...process.env, PATH: outerPath() },
    stdio: ['ignore', 2, 2],
    shell: process.platform === 'win32',
  });
  if (result.error) throw result.error;
  const left = result.status === 0 ? whyStale(root) : `npm ci exited with ${result.status}`;
  if (left === undefined) return;
  console.error(`haldane: the install did not work: ${left}.`);
  console.error('If npm is set to ignore install scripts, run: npm ci --ignore-scripts=false');
  process.exit(1);
}

function main() {
  const [major] = process.versions.node.split('.').map(Number);
  if (major < 20) {
    console.error(`haldane: Node.js 20 or newer is needed to begin; this is ${process.version}`);
    process.exit(1);
  }
  if (whyStale(root) === undefined) return;
  const mine = takeLock();
  try {
    if (mine) install(whyStale(root) ?? 'the lockfile has changed');
  } finally {
    rmSync(lockFolder, { recursive: true, force: true });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main();
