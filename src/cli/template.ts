import { replicaSetView, revisionAnnotation } from '../kubernetes/objects.ts';
import type { RawObject } from '../kubernetes/raw-object.ts';
import { isRecord } from '../kubernetes/raw-object.ts';
import { resources } from '../kubernetes/resources.ts';
import { withoutHash } from '../kubernetes/template.ts';
import { systemClock } from '../lib/clock.ts';
import { seconds, toRfc3339 } from '../lib/units.ts';
import { type AccessFlags, withAccess } from './access.ts';
import { type Facts, listAll } from './facts.ts';
import { CommandError, type ExitCode, exitCodes } from './outcome.ts';
import { readFacts } from './status.ts';
import type { Terminal } from './terminal.ts';

// `kubectl rollout restart` and `undo` refuse a paused Deployment; opted-in ones are paused while
// a rollout
// is under way, and before Kubernetes 1.36 always. These two do the same and also work then.

/** `haldane restart NAME`: the same version in new pods, as a canary. */
export function restartCommand(
  name: string,
  flags: AccessFlags,
  terminal: Terminal,
): Promise<ExitCode> {
  return withAccess(flags, async ({ client, namespace }) => {
    const at = toRfc3339(systemClock.now()).replace(/\.\d+Z$/, 'Z');
    const annotations = { 'kubectl.kubernetes.io/restartedAt': at };
    await client.mergePatch(
      { resource: resources.deployments, namespace, name },
      { spec: { template: { metadata: { annotations } } } },
      {},
      AbortSignal.timeout(seconds(30)),
    );
    terminal.out(`${namespace}/${name}: restart asked for`);
    return exitCodes.ok;
  });
}

/** `haldane undo NAME`: back to the version before; during a rollout, back to stable. */
export function undoCommand(
  name: string,
  flags: AccessFlags,
  terminal: Terminal,
): Promise<ExitCode> {
  return withAccess(flags, async (access) => {
    const { client, namespace } = access;
    const signal = AbortSignal.timeout(seconds(30));
    const [facts, sets] = await Promise.all([
      readFacts(access, name, signal),
      listAll(client, resources.replicaSets, namespace, signal),
    ]);
    const target = undoTarget(facts, sets);
    const { uid, resourceVersion } = facts.deployment;
    await client.jsonPatch(
      { resource: resources.deployments, namespace, name },
      [{ op: 'replace', path: '/spec/template', value: target.template }],
      { resourceVersion, uid },
      signal,
    );
    terminal.out(`${namespace}/${name}: back to revision ${target.revision}`);
    return exitCodes.ok;
  });
}

/** The template to go back to, raw, so that fields unknown to us survive. */
export function undoTarget(
  { deployment, stable }: Facts,
  replicaSets: readonly RawObject[],
): { readonly template: object; readonly revision: string } {
  const others = replicaSets
    .filter((raw) => raw.metadata.namespace === deployment.namespace)
    .map((raw) => ({ raw, view: replicaSetView(raw) }))
    .filter(({ view }) => view.controllerUid === deployment.uid)
    .filter(({ view }) => view.templateHash !== deployment.templateHash)
    .sort((a, b) => numberOf(b.raw) - numberOf(a.raw));
  // Stable serves something else than the template says: a rollout is under way, or was rejected.
  const serving = others.find(({ view }) => view.name === stable?.name);
  const found = serving ?? others[0];
  if (found === undefined) throw new CommandError('there is no earlier revision to go back to');
  const spec = isRecord(found.raw['spec']) ? found.raw['spec'] : {};
  return { template: withoutHash(spec['template']), revision: found.view.templateHash };
}

const numberOf = (raw: RawObject): number =>
  Number(raw.metadata.annotations?.[revisionAnnotation] ?? 0);
