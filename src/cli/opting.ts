import { deploymentView } from '../kubernetes/objects.ts';
import { resources } from '../kubernetes/resources.ts';
import { seconds } from '../lib/units.ts';
import { marks } from '../rollout/snapshot.ts';
import { annotationPrefix } from '../spec/annotations.ts';
import { type AccessFlags, withAccess } from './access.ts';
import { readAsked } from './asked.ts';
import { CommandError, type ExitCode, exitCodes, usageError } from './outcome.ts';
import { readFacts } from './status.ts';
import type { Terminal } from './terminal.ts';

export interface EnableFlags extends AccessFlags {
  /** `key=value`, without the prefix. */
  readonly set: readonly string[];
}

/** `haldane enable NAME`: the one annotation, checked before it is written. */
export function enableCommand(
  name: string,
  flags: EnableFlags,
  terminal: Terminal,
): Promise<ExitCode> {
  const settings = flags.set.map(setting);
  return withAccess(flags, async (access) => {
    const signal = AbortSignal.timeout(seconds(30));
    const { deployment } = await readFacts(access, name, signal);
    const added = Object.fromEntries([[marks.enabled, 'true'], ...settings]) as Record<
      string,
      string
    >;
    const { problems } = readAsked({ ...deployment.annotations, ...added });
    if (problems.length > 0) {
      throw new CommandError(problems.map(({ message }) => message).join('\n'));
    }
    const ref = { resource: resources.deployments, namespace: access.namespace, name };
    await access.client.mergePatch(
      ref,
      { metadata: { annotations: added } },
      { resourceVersion: deployment.resourceVersion, uid: deployment.uid },
      signal,
    );
    const where = `${access.namespace}/${name}`;
    terminal.out(`${where}: opted in. Its next pod template becomes a canary.`);
    terminal.out(`See what haldane finds:  haldane lint ${name} -n ${access.namespace}`);
    return exitCodes.ok;
  });
}

function setting(text: string): readonly [string, string] {
  const equals = text.indexOf('=');
  if (equals < 1) throw usageError(`--set ${text}: write key=value, e.g. --set steps=1,10,50`);
  return [`${annotationPrefix}${text.slice(0, equals)}`, text.slice(equals + 1)];
}

/** `haldane disable NAME`: takes the annotation away; the controller gives back what it changed. */
export function disableCommand(
  name: string,
  flags: AccessFlags,
  terminal: Terminal,
): Promise<ExitCode> {
  return withAccess(flags, async ({ client, namespace }) => {
    const signal = AbortSignal.timeout(seconds(30));
    const ref = { resource: resources.deployments, namespace, name };
    const before = deploymentView(await client.get(ref, signal));
    if (before.annotations[marks.enabled] === undefined) {
      terminal.out(`${namespace}/${name}: was not opted in`);
      return exitCodes.ok;
    }
    await client.mergePatch(
      ref,
      { metadata: { annotations: { [marks.enabled]: null } } },
      { uid: before.uid },
      signal,
    );
    const under = before.annotations[marks.rollout] !== undefined;
    const rest = under ? ' The rollout under way is taken back to stable first.' : '';
    terminal.out(`${namespace}/${name}: opted out.${rest}`);
    return exitCodes.ok;
  });
}
