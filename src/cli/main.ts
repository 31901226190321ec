// Entry of the bundle: the controller and the command line are one program.
import { runCommandLine } from './program.ts';
import { processTerminal } from './terminal.ts';

process.exitCode = await runCommandLine(process.argv, processTerminal());
