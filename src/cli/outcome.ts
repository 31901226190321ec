import { isOperatingError } from '../lib/errors.ts';

/** What a command leaves behind for scripts. */
export const exitCodes = {
  ok: 0,
  /** It failed, or with `status --exit-code`: the rollout was rolled back or cannot begin. */
  failed: 1,
  /** The command line or a file it names is wrong. */
  usage: 2,
  /** `status --exit-code`: the rollout is under way. */
  underWay: 3,
} as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** Ends a command with a message for people and no stack. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
  readonly exitCode: ExitCode;

  constructor(message: string, exitCode: ExitCode = exitCodes.failed) {
    super(message);
    this.exitCode = exitCode;
  }
}

export const usageError = (message: string): CommandError =>
  new CommandError(message, exitCodes.usage);

/** What people are told about an error, and the exit code. Only our own bugs show a stack. */
export function explainError(error: unknown): { readonly text: string; readonly code: ExitCode } {
  if (error instanceof CommandError) return { text: error.message, code: error.exitCode };
  if (isOperatingError(error)) {
    const code = error.code === 'CONFIG_INVALID' ? exitCodes.usage : exitCodes.failed;
    return { text: withAdvice(error.code, error.message), code };
  }
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { text: `a bug in haldane: ${text}`, code: exitCodes.failed };
}

function withAdvice(code: string, message: string): string {
  switch (code) {
    case 'KUBERNETES_UNAVAILABLE':
      return `${message}\nIs the cluster reachable? --kubeconfig and --context choose another one.`;
    case 'KUBERNETES_FORBIDDEN':
      return `${message}\nIt needs the permission to patch the Deployment.`;
    default:
      return message;
  }
}
