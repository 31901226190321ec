import { type SpawnOptions, spawn } from 'node:child_process';

/** What a finished command left behind. `code` is 128 + n when signal n ended it. */
export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly input?: string;
  /** Milliseconds until the command is killed; 60,000 unless told. */
  readonly timeout?: number;
}

/** Runs a command to its end and keeps what it printed. Rejects only when it cannot be started. */
export function runCommand(
  command: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  const settings: SpawnOptions = { stdio: 'pipe', timeout: options.timeout ?? 60_000 };
  if (options.cwd !== undefined) settings.cwd = options.cwd;
  if (options.env !== undefined) settings.env = options.env;
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, settings);
    let stdout = '';
    let stderr = '';
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.on('error', reject);
    child.on('close', (code, signal) =>
      resolve({ code: code ?? (signal === null ? 1 : 137), stdout, stderr }),
    );
    child.stdin?.on('error', () => {}); // the command may end without reading its input
    child.stdin?.end(options.input ?? '');
  });
}

/** As {@link runCommand}, but a non-zero exit is an error that carries what the command printed. */
export async function mustRun(
  command: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<string> {
  const result = await runCommand(command, args, options);
  if (result.code !== 0) {
    const said = `${result.stderr}${result.stdout}`.trim().slice(-4000);
    throw new Error(`${command} ${args.join(' ')} ended with ${result.code}:\n${said}`);
  }
  return result.stdout;
}
