import { existsSync, readFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { request } from 'undici';
import { parse, stringify } from 'yaml';
import { waitUntil } from './api.ts';
import type { Cluster } from './cluster.ts';
import { type CommandResult, runCommand } from './command.ts';
import { repository } from './places.ts';
import type { Usage } from './process-record.ts';
import type { Slack } from './slack.ts';

/** Kinds of the shipped manifests that would run another controller, or are of no use here. */
const notInstalled = ['Deployment', 'NetworkPolicy', 'PodDisruptionBudget'];

export interface InstallOptions {
  /** Manifest files, absolute or relative to the repository. */
  readonly manifests: readonly string[];
  /** `NAMESPACE/NAME` of the ServiceAccount the manifests make for the controller. */
  readonly account: string;
  /** Kinds to leave out besides the controller's own workload. */
  readonly skip?: readonly string[];
}

/**
 * Applies the shipped manifests and returns a kubeconfig that may do what they allow, and no more.
 */
export async function installController(
  cluster: Cluster,
  options: InstallOptions,
): Promise<string> {
  const skip = [...notInstalled, ...(options.skip ?? [])];
  for (const file of options.manifests) {
    await cluster.apply(await readFile(join(repository, file), 'utf8'), skip);
  }
  const [namespace = 'default', name = 'default'] = options.account.split('/');
  return cluster.serviceAccountKubeconfig(namespace, name);
}

/** The parts of the configuration that the cluster determines or a case may want to change. */
export interface ShippedConfig {
  sources: Record<string, Record<string, unknown>>;
  notifiers: Record<string, Record<string, unknown>>;
  [section: string]: unknown;
}

/**
 * The shipped configuration with the cluster's Prometheus and, if given, its Slack; `edit` may
 * change anything else. Returns the path of the file written.
 */
export async function writeControllerConfig(
  cluster: Cluster,
  options: {
    readonly name?: string;
    readonly slack?: Slack;
    readonly edit?: (config: ShippedConfig) => void;
  } = {},
): Promise<string> {
  const shipped = await readFile(join(repository, 'config/haldane.yaml'), 'utf8');
  const config = parse(shipped) as ShippedConfig;
  config.sources['default'] = { ...config.sources['default'], url: cluster.prometheus.url };
  if (options.slack !== undefined) {
    config.notifiers = { slack: { kind: 'slack', urlFile: options.slack.urlFile } };
    const defaults = config['defaults'] as Record<string, unknown> | undefined;
    config['defaults'] = { ...defaults, notify: ['slack'] };
  }
  options.edit?.(config);
  const file = join(cluster.files.run, `${options.name ?? 'haldane'}-${process.pid}.yaml`);
  await writeFile(file, stringify(config));
  return file;
}

export interface ControllerOptions {
  readonly config: string;
  readonly kubeconfig: string;
  /** Tells several controllers apart; `controller` unless told. */
  readonly name?: string;
  /** After `controller --config FILE`. */
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Answers 200 when it works; the readiness endpoint of the default metrics port unless told. */
  readonly readyUrl?: string;
  /** The program; the bundle unless told. */
  readonly entry?: string;
}

/** One line of the controller's log. */
export interface LogLine {
  readonly level?: number | string;
  readonly msg?: string;
  readonly time?: number | string;
  readonly [field: string]: unknown;
}

/** The controller under test, as a process of its own. */
export interface Controller {
  readonly name: string;
  /** All lines of all its lives; a line that is not JSON has only `msg`. */
  logs(): readonly LogLine[];
  untilLog(what: string, matches: (line: LogLine) => boolean, timeout?: number): Promise<LogLine>;
  /** kill -9. */
  kill(): Promise<void>;
  /** SIGTERM, and the end is waited for. */
  stop(): Promise<void>;
  /** SIGSTOP: alive, but cut off from time. */
  pause(): void;
  resume(): void;
  /** Starts it again, stopped or killed before; resolves when it is ready. */
  start(change?: Partial<ControllerOptions>): Promise<void>;
  isRunning(): boolean;
  /** Resolves when it has ended by itself, for example by an environment that makes it. */
  untilEnded(timeout?: number): Promise<void>;
  usage(): Usage | undefined;
}

/** Starts the controller and waits until it is ready. It ends with the case file's process. */
export async function startController(
  cluster: Cluster,
  options: ControllerOptions,
): Promise<Controller> {
  const { name = 'controller' } = options;
  const { supervisor } = cluster;
  const start = async (change: Partial<ControllerOptions> = {}) => {
    const all = { ...options, ...change };
    const entry = all.entry ?? bundle();
    if (!existsSync(entry)) throw new Error(`${entry} is missing: npm run build`);
    await supervisor.start({
      name,
      command: process.execPath,
      args: [entry, 'controller', '--config', all.config, ...(all.args ?? [])],
      env: { KUBECONFIG: all.kubeconfig, NODE_ENV: 'production', ...all.env },
      ready: () => isReady(all.readyUrl ?? 'http://127.0.0.1:8081/readyz'),
      patience: 30_000,
    });
  };
  const logs = () => readLog(supervisor.logFile(name));
  await start();
  return {
    name,
    logs,
    start,
    untilLog: async (what, matches, timeout = 30_000) => {
      const told = () => `${what} in the log of ${name}; its end:\n${supervisor.tail(name)}`;
      await waitUntil(() => logs().some(matches), { what: told, timeout, every: 100 });
      return logs().find(matches) as LogLine;
    },
    kill: () => supervisor.stop(name, 'SIGKILL'),
    stop: () => supervisor.stop(name),
    pause: () => supervisor.signal(name, 'SIGSTOP'),
    resume: () => supervisor.signal(name, 'SIGCONT'),
    isRunning: () => supervisor.isRunning(name),
    untilEnded: (timeout = 30_000) =>
      waitUntil(() => !supervisor.isRunning(name), { what: `${name} to end`, timeout, every: 10 }),
    usage: () => supervisor.usage(name),
  };
}

/** The program under test; `HALDANE_TEST_ENTRY` names another one than `npm run build` makes. */
export const bundle = (): string =>
  process.env['HALDANE_TEST_ENTRY'] ?? join(repository, 'dist/haldane.js');

/** Runs the command line as a user would, to its end. */
export function runHaldane(args: readonly string[], kubeconfig: string): Promise<CommandResult> {
  return runCommand(process.execPath, [bundle(), ...args], {
    env: { ...process.env, KUBECONFIG: kubeconfig },
  });
}

async function isReady(url: string): Promise<boolean> {
  const { statusCode, body } = await request(url);
  await body.dump();
  return statusCode === 200;
}

function readLog(file: string): readonly LogLine[] {
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, 'utf8').split('\n');
  return lines
    .filter((line) => line !== '')
    .map((line) => {
      try {
        return JSON.parse(line) as LogLine;
      } catch {
        return { msg: line };
      }
    });
}
