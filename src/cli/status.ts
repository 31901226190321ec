import { setTimeout as pause } from 'node:timers/promises';
import { deploymentView } from '../kubernetes/objects.ts';
import { resources } from '../kubernetes/resources.ts';
import { systemClock } from '../lib/clock.ts';
import { isOperatingError } from '../lib/errors.ts';
import { seconds } from '../lib/units.ts';
import { type Access, type AccessFlags, withAccess } from './access.ts';
import { readAsked } from './asked.ts';
import { type Facts, factsOf, factsOfAll, readObjects } from './facts.ts';
import { liveView } from './live-view.ts';
import { CommandError, type ExitCode, exitCodes } from './outcome.ts';
import { painter } from './paint.ts';
import { type RolloutStatus, rolloutStatus, statusExitCode } from './rollout-status.ts';
import { isLive, statusCard, statusLine, statusTable, type TextOptions } from './status-text.ts';
import type { Terminal } from './terminal.ts';

export interface StatusFlags extends AccessFlags {
  readonly allNamespaces?: boolean | undefined;
  readonly watch?: boolean | undefined;
  readonly output?: 'json' | undefined;
  /** End with the code of the rollout's outcome, and with `watch` as soon as it is known. */
  readonly exitCode?: boolean | undefined;
}

const watchMillis = 1000;
/** A watch survives so long without an answer of the API server. */
const toleratedMillis = 60_000;

/** `haldane status [NAME]`. */
export function statusCommand(
  name: string | undefined,
  flags: StatusFlags,
  terminal: Terminal,
): Promise<ExitCode> {
  return withAccess(flags, async (access) => {
    const read: Read = (signal) => readStatuses(access, name, flags.allNamespaces === true, signal);
    if (flags.watch !== true) {
      const statuses = await read(AbortSignal.timeout(seconds(60)));
      terminal.out(textOf(statuses, name, flags, terminal));
      return flags.exitCode === true ? statusExitCode(statuses) : exitCodes.ok;
    }
    const stopping = new AbortController();
    const stop = (): void => stopping.abort();
    process.on('SIGINT', stop).on('SIGTERM', stop);
    try {
      const statuses = await watchStatuses(read, name, flags, terminal, stopping.signal);
      return flags.exitCode === true ? statusExitCode(statuses) : exitCodes.ok;
    } finally {
      process.off('SIGINT', stop).off('SIGTERM', stop);
    }
  });
}

type Read = (signal: AbortSignal) => Promise<readonly RolloutStatus[]>;

async function watchStatuses(
  read: Read,
  name: string | undefined,
  flags: StatusFlags,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<readonly RolloutStatus[]> {
  const json = flags.output === 'json';
  const view = liveView({ ...terminal, live: terminal.live && !json }, json ? () => '' : clockTime);
  let statuses = await read(signal);
  let readAt = systemClock.monotonic();
  try {
    while (!signal.aborted) {
      const lines = statuses.map((one) =>
        flags.output === 'json' ? JSON.stringify(one) : statusLine(one, painter(terminal.color)),
      );
      view.show(textOf(statuses, name, flags, terminal), lines);
      if (flags.exitCode === true && !statuses.some(isLive)) break;
      await pause(watchMillis, undefined, { signal }).catch(() => {});
      try {
        statuses = signal.aborted ? statuses : await read(signal);
        readAt = systemClock.monotonic();
      } catch (error) {
        const fleeting = isOperatingError(error, 'KUBERNETES_UNAVAILABLE') || signal.aborted;
        if (!fleeting || systemClock.monotonic() - readAt > toleratedMillis) throw error;
      }
    }
    return statuses;
  } finally {
    view.end();
  }
}

/** `12:34:56  ` in local time, before the lines of a log. */
const clockTime = (): string => `${new Date().toTimeString().slice(0, 8)}  `;

function textOf(
  statuses: readonly RolloutStatus[],
  name: string | undefined,
  flags: StatusFlags,
  terminal: Terminal,
): string {
  if (flags.output === 'json') {
    return JSON.stringify(name === undefined ? { rollouts: statuses } : statuses[0], null, 2);
  }
  const options: TextOptions = {
    paint: painter(terminal.color),
    now: systemClock.now(),
    columns: terminal.live ? terminal.columns : Number.POSITIVE_INFINITY,
  };
  const [only] = statuses;
  if (name !== undefined && only !== undefined) return statusCard(only, options);
  return statuses.length > 0
    ? statusTable(statuses, options)
    : 'No Deployment is opted in here. Opt one in with:  haldane enable NAME';
}

async function readStatuses(
  access: Access,
  name: string | undefined,
  everywhere: boolean,
  signal: AbortSignal,
): Promise<readonly RolloutStatus[]> {
  if (name !== undefined) return [statusOf(await readFacts(access, name, signal))];
  const namespace = everywhere ? undefined : access.namespace;
  return factsOfAll(await readObjects(access.client, namespace, signal))
    .map(statusOf)
    .filter(({ phase }) => phase !== 'not-opted-in');
}

export const statusOf = (facts: Facts): RolloutStatus =>
  rolloutStatus(facts, readAsked(facts.deployment.annotations));

/** The facts about one Deployment; a readable word if there is none of that name. */
export async function readFacts(
  { client, namespace }: Access,
  name: string,
  signal: AbortSignal,
): Promise<Facts> {
  const [found, objects] = await Promise.all([
    client.find({ resource: resources.deployments, namespace, name }, signal),
    readObjects(client, namespace, signal),
  ]);
  if (found !== undefined) return factsOf(deploymentView(found), objects);
  const there = objects.deployments.map(({ metadata }) => metadata.name);
  const hint = there.length === 0 ? '' : `; there are: ${there.slice(0, 20).join(', ')}`;
  throw new CommandError(`no Deployment "${name}" in namespace "${namespace}"${hint}`);
}
