import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { prefer } from './priority.ts';
import { isAlive, type ProcessRecord, recordProcess, type Usage, usage } from './process-record.ts';

/** How to start one process. */
export interface ProcessSpec {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Resolves true once the process does its work; asked every 50 ms. */
  readonly ready?: () => Promise<boolean>;
  /** Milliseconds it may take to become ready; 60,000 unless told. */
  readonly patience?: number;
  /** Every request passes through it: it gets the processor first, where that may be asked for. */
  readonly urgent?: boolean;
}

/** How a process ended. */
export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

interface Running {
  readonly spec: ProcessSpec;
  readonly child: ChildProcess;
  readonly record: ProcessRecord;
  readonly exited: Promise<Exit>;
  /** Set before we end it ourselves, so that any other end is known to be a surprise. */
  expected: boolean;
}

/** Nothing gets longer than this to end politely. */
const termination = 8_000;

/**
 * Starts processes, keeps their logs, and ends them; no process but its own is ever signalled.
 * Each child dies with this process, whatever kills it (a kernel death signal, set by setpriv).
 */
export class Supervisor {
  readonly #folder: string;
  readonly #running = new Map<string, Running>();
  readonly #surprises: string[] = [];

  /** `folder` gets one log per process and `processes.json`, the record of what runs. */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /**
   * Starts a process and resolves when it is ready; rejects with the end of its log when it dies
   * before.
   */
  async start(spec: ProcessSpec): Promise<ProcessRecord> {
    if (this.#running.has(spec.name)) throw new Error(`${spec.name} already runs`);
    const log = openSync(this.logFile(spec.name), 'a');
    // Its own process group: Ctrl-C in a terminal goes to the harness only, which ends things in
    // order.
    const child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', spec.command, ...spec.args], {
      detached: true,
      stdio: ['ignore', log, log],
      env: { ...process.env, ...spec.env },
    });
    closeSync(log);
    const exited = new Promise<Exit>((resolve) => {
      child.once('error', () => resolve({ code: 127, signal: null }));
      child.once('exit', (code, signal) => resolve({ code, signal }));
    });
    const record = child.pid === undefined ? undefined : recordProcess(spec.name, child.pid);
    if (record === undefined)
      throw new Error(`${spec.name} did not start: ${this.tail(spec.name)}`);
    if (spec.urgent === true) prefer(record.pid);
    const running: Running = { spec, child, record, exited, expected: false };
    this.#running.set(spec.name, running);
    this.#save();
    void exited.then((exit) => this.#ended(running, exit));
    await this.#untilReady(running);
    return record;
  }

  /** Ends a process politely, then firmly. Does nothing when it does not run. */
  async stop(name: string, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const running = this.#running.get(name);
    if (running === undefined) return;
    running.expected = true;
    running.child.kill(signal);
    running.child.kill('SIGCONT'); // a paused process cannot end
    const timer = setTimeout(() => running.child.kill('SIGKILL'), termination);
    await running.exited;
    clearTimeout(timer);
    this.#running.delete(name);
    this.#save();
  }

  /** Sends SIGSTOP or SIGCONT, or any signal the process lives through. */
  signal(name: string, signal: NodeJS.Signals): void {
    const running = this.#running.get(name);
    if (running === undefined) throw new Error(`${name} does not run`);
    running.child.kill(signal);
  }

  isRunning(name: string): boolean {
    return this.#running.has(name);
  }

  processes(): readonly ProcessRecord[] {
    return [...this.#running.values()].map((running) => running.record);
  }

  usage(name: string): Usage | undefined {
    const running = this.#running.get(name);
    return running === undefined ? undefined : usage(running.record.pid);
  }

  logFile(name: string): string {
    return join(this.#folder, `${name}.log`);
  }

  /** The last lines a process wrote. */
  tail(name: string, lines = 30): string {
    const file = this.logFile(name);
    if (!existsSync(file)) return '';
    return readFileSync(file, 'utf8').trimEnd().split('\n').slice(-lines).join('\n');
  }

  /** One line for each process that ended although nobody asked it to. */
  surprises(): readonly string[] {
    return this.#surprises;
  }

  /** Ends everything at once. */
  async close(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    await Promise.all([...this.#running.keys()].map((name) => this.stop(name, signal)));
  }

  #ended(running: Running, exit: Exit): void {
    if (running.expected) return;
    const how = exit.signal ?? `code ${exit.code}`;
    this.#surprises.push(`${running.spec.name} ended by itself (${how})`);
    this.#running.delete(running.spec.name);
    this.#save();
  }

  async #untilReady(running: Running): Promise<void> {
    const { name, ready, patience = 60_000 } = running.spec;
    if (ready === undefined) return;
    let exit: Exit | undefined;
    void running.exited.then((how) => {
      exit = how;
    });
    const deadline = performance.now() + patience;
    while (!(await ready().catch(() => false))) {
      if (exit !== undefined)
        throw new Error(`${name} ended before it was ready:\n${this.tail(name)}`);
      if (performance.now() > deadline) {
        throw new Error(`${name} was not ready after ${patience} ms:\n${this.tail(name)}`);
      }
      await sleep(50);
    }
  }

  #save(): void {
    writeFileSync(join(this.#folder, 'processes.json'), JSON.stringify(this.processes()));
  }
}

/**
 * Ends what an earlier run recorded and left behind. Only a process with the same start time is
 * touched.
 */
export function endLeftovers(folder: string): void {
  const file = join(folder, 'processes.json');
  if (!existsSync(file)) return;
  let records: readonly ProcessRecord[];
  try {
    records = JSON.parse(readFileSync(file, 'utf8')) as readonly ProcessRecord[];
  } catch {
    return; // killed while writing: the death signal has ended its processes
  }
  for (const record of records) if (isAlive(record)) process.kill(record.pid, 'SIGKILL');
}
