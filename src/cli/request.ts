import { setTimeout as pause } from 'node:timers/promises';
import { resources } from '../kubernetes/resources.ts';
import { systemClock } from '../lib/clock.ts';
import { isOperatingError } from '../lib/errors.ts';
import { systemRandom } from '../lib/random.ts';
import type { RequestVerb, RolloutRequest } from '../rollout/rollout-spec.ts';
import { marks } from '../rollout/snapshot.ts';
import { formatRequest } from '../spec/request.ts';
import { type Access, type AccessFlags, withAccess } from './access.ts';
import type { Facts } from './facts.ts';
import { CommandError, type ExitCode, exitCodes } from './outcome.ts';
import { aimOf, isTaken } from './request-refusal.ts';
import { readFacts } from './status.ts';
import type { Terminal } from './terminal.ts';

export interface RequestFlags extends AccessFlags {
  /** Commander's `--no-wait`. */
  readonly wait: boolean;
  /** Seconds. */
  readonly timeout: number;
}

const lookEveryMillis = 250;
const mostTries = 5;

/**
 * `haldane promote|rollback|pause|resume|retry|skip-step NAME`: asks, and waits until it is taken.
 */
export function requestCommand(
  verb: RequestVerb,
  name: string,
  flags: RequestFlags,
  terminal: Terminal,
): Promise<ExitCode> {
  return withAccess(flags, async (access) => {
    const begin = systemClock.monotonic();
    const signal = AbortSignal.timeout((flags.timeout + 30) * 1000);
    const request = await ask(access, verb, name, signal);
    const where = `${access.namespace}/${name}`;
    const step = request.step === undefined ? '' : `step ${request.step} of `;
    const asked = `${where}: asked for ${verb} at ${step}revision ${request.revision}`;
    if (!flags.wait) {
      terminal.out(asked);
      return exitCodes.ok;
    }
    const deadline = begin + flags.timeout * 1000;
    for (;;) {
      const facts = await readFacts(access, name, signal);
      if (isTaken(verb, request.id, request.revision, facts)) break;
      if (systemClock.monotonic() > deadline) throw notTaken(asked, flags.timeout);
      await pause(lookEveryMillis);
    }
    const took = ((systemClock.monotonic() - begin) / 1000).toFixed(1);
    terminal.out(`${asked}; taken after ${took} s`);
    return exitCodes.ok;
  });
}

const notTaken = (asked: string, seconds: number): CommandError =>
  new CommandError(
    `${asked}, but the controller has not taken it within ${seconds} s.\n` +
      'Is it running? The request stays on the Deployment and is taken when it is.\n' +
      'Events tell when it was refused: kubectl describe deployment',
  );

/** Writes the request against the very version of the Deployment that was looked at. */
async function ask(
  access: Access,
  verb: RequestVerb,
  name: string,
  signal: AbortSignal,
): Promise<RolloutRequest> {
  let seen: string | undefined;
  for (let tries = 1; ; tries += 1) {
    const facts = await readFacts(access, name, signal);
    const aimed = aimOf(verb, facts);
    if ('refused' in aimed) throw refusal(verb, facts, aimed.refused);
    const { revision, step } = aimed.aim;
    // The person meant what was there at first, not what came in between.
    if (seen !== undefined && seen !== revision) {
      throw refusal(verb, facts, `revision ${seen} gave way to ${revision} in between`);
    }
    seen = revision;
    const request = { verb, revision, step, id: newId(), by: access.user };
    try {
      await write(access, facts, formatRequest(request), signal);
      return request;
    } catch (error) {
      if (!isOperatingError(error, 'KUBERNETES_CONFLICT') || tries >= mostTries) throw error;
    }
  }
}

function write(
  { client }: Access,
  { deployment }: Facts,
  text: string,
  signal: AbortSignal,
): Promise<unknown> {
  const { namespace, name, uid, resourceVersion } = deployment;
  return client.mergePatch(
    { resource: resources.deployments, namespace, name },
    { metadata: { annotations: { [marks.request]: text } } },
    { resourceVersion, uid },
    signal,
  );
}

const refusal = (verb: RequestVerb, { deployment }: Facts, because: string): CommandError =>
  new CommandError(`${deployment.namespace}/${deployment.name}: cannot ${verb}: ${because}`);

/** Tells this request from every other one. */
function newId(): string {
  const time = Math.floor(systemClock.now()).toString(36);
  return `${time}-${Math.floor(systemRandom() * 36 ** 6).toString(36)}`;
}
