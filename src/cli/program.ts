import { basename } from 'node:path';
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { version } from '../lib/version.ts';
import type { RequestVerb } from '../rollout/rollout-spec.ts';
import type { AccessFlags } from './access.ts';
import { type ControllerFlags, controllerCommand } from './controller.ts';
import type { ExplainFlags } from './explain.ts';
import type { LintFlags } from './lint.ts';
import type { EnableFlags } from './opting.ts';
import { type ExitCode, exitCodes, explainError } from './outcome.ts';
import type { PlanFlags } from './plan.ts';
import type { ReplayFlags } from './replay.ts';
import type { RequestFlags } from './request.ts';
import type { StatusFlags } from './status.ts';
import type { Terminal } from './terminal.ts';

/** How people call us: kubectl runs plugins as `kubectl-haldane`. */
export const calledAs = (script: string | undefined): string =>
  basename(script ?? '').startsWith('kubectl-haldane') ? 'kubectl haldane' : 'haldane';

interface Table {
  readonly program: Command;
  readonly terminal: Terminal;
  readonly done: (code: ExitCode | Promise<ExitCode>) => Promise<void>;
}

// Each action loads its module when it runs: a command pays only for what it needs.

function addController({ program, done }: Table): void {
  program
    .command('controller')
    .description('run the controller')
    .requiredOption('--config <file>', 'configuration, e.g. config/haldane.yaml')
    .option('--kubeconfig <file>', 'instead of $KUBECONFIG, ~/.kube/config or the ServiceAccount')
    .option('--context <name>', 'context of the kubeconfig')
    .action((flags: ControllerFlags) => done(controllerCommand(flags)));
}

function addViews({ program, terminal, done }: Table): void {
  onCluster(program.command('status [name]'))
    .description('how rollouts stand: one Deployment, or all that are opted in')
    .option('-A, --all-namespaces', 'in all namespaces')
    .option('-w, --watch', 'keep showing; on a pipe, a line for each change')
    .option('--exit-code', 'exit with 1 when rolled back or invalid, 3 while under way')
    .addOption(jsonOption())
    .action(async (name: string | undefined, flags: StatusFlags) =>
      done((await import('./status.ts')).statusCommand(name, flags, terminal)),
    );
  onCluster(program.command('explain <name>'))
    .description('why it stands so, what would change it, and what happened')
    .option('--polls <number>', 'polls shown, at most 200', wholeTo(200), 10)
    .option('--lease <namespace/name>', 'by which the controllers elect', 'haldane/haldane')
    .addOption(jsonOption())
    .action(async (name: string, flags: ExplainFlags) =>
      done((await import('./explain.ts')).explainCommand(name, flags, terminal)),
    );
  onCluster(program.command('lint [name]'))
    .description('what would keep a rollout from beginning; changes nothing')
    .option('-f, --filename <file>', 'manifests instead of the cluster; - for standard input')
    .option(
      '--config <file>',
      "the controller's configuration, to judge names and checks by it too",
    )
    .action(async (name: string | undefined, flags: LintFlags) =>
      done((await import('./lint.ts')).lintCommand(name, flags, terminal)),
    );
}

const requests: readonly (readonly [verb: RequestVerb, description: string])[] = [
  ['promote', 'give the canary all requests now, whatever the evidence'],
  ['rollback', 'take all requests off the canary now'],
  ['pause', 'keep the weight as it is; failures still roll back'],
  ['resume', 'go on after a pause'],
  ['skip-step', 'go to the next weight without waiting for evidence'],
  ['retry', 'try a template again that was rolled back'],
];

function addRequests({ program, terminal, done }: Table): void {
  for (const [verb, description] of requests) {
    onCluster(program.command(`${verb} <name>`))
      .description(description)
      .option('--no-wait', 'do not wait until the controller has taken it')
      .option('--timeout <seconds>', 'longest wait', seconds, 15)
      .action(async (name: string, flags: RequestFlags) =>
        done((await import('./request.ts')).requestCommand(verb, name, flags, terminal)),
      );
  }
  onCluster(program.command('restart <name>'))
    .description('new pods of the same version, as a canary')
    .action(async (name: string, flags: AccessFlags) =>
      done((await import('./template.ts')).restartCommand(name, flags, terminal)),
    );
  onCluster(program.command('undo <name>'))
    .description('back to the version before; during a rollout, back to stable')
    .action(async (name: string, flags: AccessFlags) =>
      done((await import('./template.ts')).undoCommand(name, flags, terminal)),
    );
}

function addOpting({ program, terminal, done }: Table): void {
  onCluster(program.command('enable <name>'))
    .description('opt a Deployment in')
    .option('--set <key=value>', 'a further annotation, e.g. steps=1,10,50', collect, [])
    .action(async (name: string, flags: EnableFlags) =>
      done((await import('./opting.ts')).enableCommand(name, flags, terminal)),
    );
  onCluster(program.command('disable <name>'))
    .description('opt a Deployment out')
    .action(async (name: string, flags: AccessFlags) =>
      done((await import('./opting.ts')).disableCommand(name, flags, terminal)),
    );
}

function addPlanning({ program, terminal, done }: Table): void {
  program
    .command('plan')
    .description('how long a rollout takes at your traffic, and what it would catch how soon')
    .requiredOption('--rps <number>', 'requests a second of the whole service')
    .option('--base-errors <share>', 'share of requests that fail anyway', '0.1%')
    .option('--steps <weights>', 'e.g. 1,5,25; default by traffic')
    .option('--interval <seconds>', 'time between scrapes', '5')
    .option('--runs <number>', 'simulated rollouts of each kind', '100')
    .addOption(jsonOption())
    .action(async (flags: PlanFlags) =>
      done((await import('./plan.ts')).planCommand(flags, terminal)),
    );
  program
    .command('replay <file>')
    .description('judge recorded polls again (JSON or CSV; - for standard input)')
    .option('--profile <name>', 'default, strict or lenient', 'default')
    .addOption(jsonOption())
    .action(async (file: string, flags: ReplayFlags) =>
      done((await import('./replay.ts')).replayCommand(file, flags, terminal)),
    );
  program
    .command('version')
    .description('print the version')
    .action(() => {
      terminal.out(`haldane ${version} (Node.js ${process.versions.node})`);
    });
}

const jsonOption = (): Option =>
  new Option('-o, --output <format>', 'for programs').choices(['json']);

/** The options by which kubectl says which cluster and namespace is meant. */
const onCluster = (command: Command): Command =>
  command
    .option('-n, --namespace <name>', 'instead of the namespace of the context')
    .option('--kubeconfig <file>', 'instead of $KUBECONFIG or ~/.kube/config')
    .option('--context <name>', 'context of the kubeconfig');

const collect = (value: string, before: readonly string[]): readonly string[] => [...before, value];

function seconds(text: string): number {
  const value = Number(text);
  if (!(value > 0 && value <= 3600)) throw new InvalidArgumentError('a number from 0 to 3600.');
  return value;
}

/** Reads a whole number from 0 to `most`. */
const wholeTo =
  (most: number) =>
  (text: string): number => {
    const value = Number(text);
    if (text !== '' && Number.isInteger(value) && value >= 0 && value <= most) return value;
    throw new InvalidArgumentError(`a whole number from 0 to ${most}.`);
  };

/** The table of all commands; `done` receives the exit code of the one that runs. */
function programFor(name: string, terminal: Terminal, done: Table['done']): Command {
  const program = new Command(name)
    .description('Canary rollouts for plain Kubernetes Deployments.')
    .version(`haldane ${version}`, '-V, --version')
    .showHelpAfterError(`(${name} --help shows what there is)`)
    .configureOutput({
      writeOut: (text) => terminal.out(text.trimEnd()),
      writeErr: (text) => terminal.err(text.trimEnd()),
    })
    .exitOverride();
  const table = { program, terminal, done };
  addViews(table);
  addRequests(table);
  addOpting(table);
  addPlanning(table);
  addController(table);
  return program;
}

/** Runs one command line. Never rejects: what goes wrong is told on standard error. */
export async function runCommandLine(
  argv: readonly string[],
  terminal: Terminal,
): Promise<ExitCode> {
  let code: ExitCode = exitCodes.ok;
  const program = programFor(calledAs(argv[1]), terminal, async (outcome) => {
    code = await outcome;
  });
  try {
    await program.parseAsync(argv);
    return code;
  } catch (error) {
    // Help and version end this way too, with code 0; everything else is a wrong command line.
    if (error instanceof CommanderError) {
      return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
    }
    const { text, code: failure } = explainError(error);
    terminal.err(`${program.name()}: ${text}`);
    return failure;
  }
}
