import { spawn } from 'node:child_process';
import { mustRun, runCommand } from './command.ts';

/** Addresses of pods and of Services. Any process inside may bind any of them. */
export const podNetwork = '10.244.0.0/16';
export const serviceNetwork = '10.96.0.0/16';

const insideMark = 'HALDANE_TEST_INSIDE';

/** Whether this process runs in the test's own network. */
export function insideNetwork(): boolean {
  return process.env[insideMark] !== undefined;
}

/** Flags with which nsenter, run by the same user outside, gets into this process' network. */
export function flagsToEnter(): string {
  const owned = process.env[insideMark]?.includes('--user') === true;
  return owned ? '--user --preserve-credentials --net' : '--net';
}

/**
 * Runs `file` again with Node in a network namespace of its own and returns its exit code.
 * The namespace has no name and no way out: it ends with its last process, so nothing of an
 * earlier run can be in the way of the next. The new process dies when this one does.
 */
export async function runInsideNetwork(
  file: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<number> {
  const enter = await waysIn();
  const child = spawn(
    'unshare',
    // setpriv comes after unshare: new credentials would clear the death signal.
    [...enter, '--', 'setpriv', '--pdeathsig', 'KILL', '--', process.execPath, file, ...args],
    { stdio: 'inherit', env: { ...process.env, ...env, [insideMark]: enter.join(' ') } },
  );
  // Ctrl-C reaches both processes; the inner one tidies up and this one waits for it.
  process.on('SIGINT', () => {});
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve(code ?? (signal === 'SIGINT' ? 130 : 1)));
  });
}

/** The flags with which this user may make a network namespace and configure it. */
async function waysIn(): Promise<readonly string[]> {
  const ways = [['--net'], ['--user', '--map-root-user', '--net']];
  const refusals: string[] = [];
  for (const way of ways) {
    const trial = await runCommand('unshare', [...way, 'ip', 'link', 'set', 'lo', 'up']);
    if (trial.code === 0) return way;
    refusals.push(`unshare ${way.join(' ')}: ${trial.stderr.trim()}`);
  }
  throw new Error(
    `no network namespace can be made here:\n${refusals.join('\n')}\n` +
      'Run as root, or allow namespaces for ordinary users ' +
      '(sysctl kernel.unprivileged_userns_clone=1 kernel.apparmor_restrict_unprivileged_userns=0).',
  );
}

/**
 * Makes the loopback device own the pod and Service networks. EndpointSlices refuse 127.0.0.0/8,
 * so pods need other addresses, and a local route lets a process bind any of them.
 */
export async function configureNetwork(): Promise<void> {
  await mustRun('ip', ['link', 'set', 'lo', 'up']);
  for (const network of [podNetwork, serviceNetwork]) {
    await mustRun('ip', ['route', 'replace', 'local', network, 'dev', 'lo']);
  }
}
