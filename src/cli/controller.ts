import { type ExitCode, exitCodes } from './outcome.ts';

export interface ControllerFlags {
  readonly config: string;
  readonly kubeconfig?: string | undefined;
  readonly context?: string | undefined;
}

/** Runs the controller until SIGTERM or SIGINT. The second signal ends the process at once. */
export async function controllerCommand(flags: ControllerFlags): Promise<ExitCode> {
  const stopping = new AbortController();
  const stop = (name: NodeJS.Signals): void => {
    if (stopping.signal.aborted) process.exit(exitCodes.failed);
    stopping.abort(new Error(`${name} received`));
  };
  process.on('SIGTERM', stop).on('SIGINT', stop);
  // Loaded here: the other commands must not pay for what only the controller needs.
  const { runController } = await import('../main.ts');
  const { config: configFile, kubeconfig, context } = flags;
  await runController(
    { configFile, kubeconfig, context, environment: process.env },
    stopping.signal,
  );
  return exitCodes.ok;
}
