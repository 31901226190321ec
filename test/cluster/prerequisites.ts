import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { runCommand } from './command.ts';

/** Programs the test cluster takes from the machine, and the Debian package of each. */
const programs: Readonly<Record<string, string>> = {
  etcd: 'etcd-server',
  prometheus: 'prometheus',
  promtool: 'prometheus',
  ip: 'iproute2',
  openssl: 'openssl',
  unshare: 'util-linux',
  setpriv: 'util-linux',
  flock: 'util-linux',
};

/** Debian puts some of these where an ordinary user's PATH does not look. */
const administratorPaths = ['/usr/local/go/bin', '/usr/local/sbin', '/usr/sbin', '/sbin'];

const oldestGo = [1, 26] as const;

/**
 * Sees to it that every program the cluster needs is there. As root with apt-get, and with
 * HALDANE_TEST_INSTALL=1 or CI=true, missing packages are installed; otherwise the error says what
 * to install.
 */
export async function ensurePrerequisites(say: (line: string) => void): Promise<void> {
  process.env['PATH'] = [process.env['PATH'] ?? '', ...administratorPaths].join(delimiter);
  let missing = missingPackages();
  if (missing.length > 0 && mayInstall()) {
    say(`installing ${missing.join(', ')}`);
    await installPackages(missing);
    missing = missingPackages();
  }
  const problems: string[] = [];
  if (missing.length > 0) {
    problems.push(
      'missing on this machine: run  apt-get install -y --no-install-recommends ' +
        `${missing.join(' ')}\n` +
        '  (as root with HALDANE_TEST_INSTALL=1 this is done for you)',
    );
  }
  const go = await goProblem();
  if (go !== undefined) problems.push(go);
  if (problems.length > 0) {
    throw new Error(`the test cluster cannot start\n- ${problems.join('\n- ')}`);
  }
}

function missingPackages(): string[] {
  const missing = Object.entries(programs).filter(([program]) => !onPath(program));
  return [...new Set(missing.map(([, pack]) => pack))].sort();
}

function onPath(program: string): boolean {
  return (process.env['PATH'] ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

function mayInstall(): boolean {
  const asked = process.env['HALDANE_TEST_INSTALL'] === '1' || process.env['CI'] === 'true';
  return asked && process.getuid?.() === 0 && onPath('apt-get');
}

async function installPackages(packages: readonly string[]): Promise<void> {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const options = { env, timeout: 600_000 };
  await runCommand('apt-get', ['update', '-q'], options);
  const install = ['install', '-y', '-q', '--no-install-recommends', ...packages];
  const result = await runCommand('apt-get', install, options);
  if (result.code !== 0) {
    throw new Error(`apt-get ${install.join(' ')} failed:\n${result.stderr.trim().slice(-2000)}`);
  }
}

async function goProblem(): Promise<string | undefined> {
  const wanted = oldestGo.join('.');
  if (!onPath('go')) return `Go ${wanted} or newer is missing: install it from https://go.dev/dl`;
  const { stdout } = await runCommand('go', ['env', 'GOVERSION', 'GOTOOLCHAIN']);
  const [version = '', toolchain = ''] = stdout.split('\n');
  const [major = 0, minor = 0] = version.replace('go', '').split('.').map(Number);
  const enough = major > oldestGo[0] || (major === oldestGo[0] && minor >= oldestGo[1]);
  // With another GOTOOLCHAIN setting, an older go command fetches the version go.mod asks for.
  if (enough || toolchain !== 'local') return undefined;
  return `Go ${wanted} or newer is needed; this machine has ${version} and GOTOOLCHAIN=local`;
}
