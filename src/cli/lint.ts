import { readFileSync } from 'node:fs';
import { parseAllDocuments } from 'yaml';
import { deploymentView, serviceView } from '../kubernetes/objects.ts';
import { isRecord } from '../kubernetes/raw-object.ts';
import { resources } from '../kubernetes/resources.ts';
import { describeError } from '../lib/errors.ts';
import { seconds } from '../lib/units.ts';
import { findRoute, findService, workloadProblems } from '../rollout/discovery.ts';
import { annotationContext } from '../spec/annotation-context.ts';
import type { AnnotationContext } from '../spec/annotation-keys.ts';
import { parseConfig } from '../spec/config-file.ts';
import { trafficProviders } from '../traffic-providers/registry.ts';
import { type Access, type AccessFlags, withAccess } from './access.ts';
import { type Asked, readAsked } from './asked.ts';
import { listAll } from './facts.ts';
import { type ExitCode, exitCodes, usageError } from './outcome.ts';
import { readFacts } from './status.ts';
import type { Terminal } from './terminal.ts';

export interface LintFlags extends AccessFlags {
  /** Manifests with Deployments, instead of one in the cluster; `-` = standard input. */
  readonly filename?: string | undefined;
  /**
   * The controller's configuration: then names of profiles, checks and notifiers are judged too,
   * and whether the checks count requests.
   */
  readonly config?: string | undefined;
}

interface Finding {
  readonly deployment: string;
  readonly notes: readonly string[];
  readonly problems: readonly string[];
}

/**
 * `haldane lint -f FILE|NAME`: everything that would keep a rollout from beginning. Changes
 * nothing.
 */
export async function lintCommand(
  name: string | undefined,
  flags: LintFlags,
  terminal: Terminal,
): Promise<ExitCode> {
  if ((name === undefined) === (flags.filename === undefined)) {
    throw usageError('name either a Deployment of the cluster or, with -f, a file');
  }
  const context = flags.config === undefined ? undefined : contextOf(flags.config);
  const findings =
    name === undefined
      ? lintFile(flags.filename ?? '-', context)
      : [await withAccess(flags, (access) => lintDeployment(access, name, context))];
  for (const { deployment, notes, problems } of findings) {
    const verdict = problems.length === 0 ? 'ok' : `${problems.length} to mend`;
    terminal.out(`${deployment}: ${verdict}`);
    for (const line of [...problems, ...notes]) terminal.out(`  ${line}`);
  }
  if (findings.length === 0) terminal.out('no Deployment with an annotation of haldane');
  const bad = findings.some(({ problems }) => problems.length > 0);
  return bad ? exitCodes.failed : exitCodes.ok;
}

function contextOf(file: string): AnnotationContext {
  const parsed = parseConfig(readText(file), file);
  if (parsed.ok) return annotationContext(parsed.config, ['httproute']);
  throw usageError(parsed.problems.map(({ message }) => message).join('\n'));
}

function readText(file: string): string {
  try {
    return readFileSync(file === '-' ? 0 : file, 'utf8');
  } catch (error) {
    throw usageError(`${file}: cannot be read: ${describeError(error)}`);
  }
}

/** Deployments of a file of manifests that carry any annotation of ours. */
export function lintFile(
  file: string,
  context: AnnotationContext | undefined,
  text = readText(file),
): readonly Finding[] {
  return parseAllDocuments(text).flatMap((document) => {
    if (!('errors' in document)) return [];
    const [error] = document.errors;
    if (error !== undefined) throw usageError(`${file}: ${error.message}`);
    const found: unknown = document.toJS();
    const items = isRecord(found) && Array.isArray(found['items']) ? found['items'] : [found];
    return items.flatMap((item: unknown) => lintManifest(item, context));
  });
}

function lintManifest(item: unknown, context: AnnotationContext | undefined): readonly Finding[] {
  if (!isRecord(item) || !isRecord(item['metadata'])) return [];
  const { name, annotations } = item['metadata'];
  if (!isRecord(annotations)) return [];
  const ours = Object.entries(annotations).filter(([key]) => key.startsWith('haldane.dev/'));
  if (ours.length === 0) return [];
  const deployment = `${String(item['kind'])}/${String(name)}`;
  if (item['kind'] !== 'Deployment') {
    return [{ deployment, notes: [], problems: ['only Deployments can be opted in'] }];
  }
  const unquoted = ours.filter(([, value]) => typeof value !== 'string');
  const problems = unquoted.map(([key]) => `${key}: the value must be in quotes`);
  const texts = Object.fromEntries(ours.map(([key, value]) => [key, String(value)]));
  const asked = finding(deployment, readAsked(texts, context));
  return [{ ...asked, problems: [...problems, ...asked.problems] }];
}

function finding(deployment: string, asked: Asked): Finding {
  const told = asked.problems.map(({ message }) => message);
  // Unknown keys of a Deployment that is not opted in harm nobody, but are worth a word.
  return asked.optedIn
    ? { deployment, notes: [], problems: told }
    : { deployment, notes: [...told, 'not opted in'], problems: [] };
}

async function lintDeployment(
  access: Access,
  name: string,
  context: AnnotationContext | undefined,
): Promise<Finding> {
  const signal = AbortSignal.timeout(seconds(30));
  const { deployment } = await readFacts(access, name, signal);
  const asked = readAsked(deployment.annotations, context);
  const { notes, problems } = finding(`${access.namespace}/${name}`, asked);
  const found = await discover(access, deployment, asked, signal);
  return {
    deployment: `${access.namespace}/${name}`,
    notes: [...notes, ...found.notes],
    problems: [...problems, ...found.problems],
  };
}

/** The Service and the route, found in the same way as the controller finds them. */
async function discover(
  { client, namespace }: Access,
  deployment: ReturnType<typeof deploymentView>,
  { spec }: Asked,
  signal: AbortSignal,
): Promise<{ readonly notes: readonly string[]; readonly problems: readonly string[] }> {
  const [deployments, allServices, routes] = await Promise.all([
    listAll(client, resources.deployments, namespace, signal),
    listAll(client, resources.services, namespace, signal),
    listAll(client, resources.httpRoutes, namespace, signal),
  ]);
  const problems = workloadProblems(deployment, deployments.map(deploymentView));
  const told = problems.map(({ message }) => message);
  const services = allServices
    .map(serviceView)
    .filter((service) => !service.ownerUids.includes(deployment.uid));
  const service = findService(deployment, services, spec?.service);
  if ('problem' in service) return { notes: [], problems: [...told, service.problem.message] };
  const provider = trafficProviders.httproute;
  const candidates = routes.map((raw) => ({
    kind: provider.kind,
    name: raw.metadata.name,
    services: provider.services(raw),
    raw,
  }));
  const route = findRoute(service.found.name, candidates, spec?.route);
  if ('problem' in route) return { notes: [], problems: [...told, route.problem.message] };
  const raw = candidates.find((one) => one.name === route.found.name)?.raw;
  const view = raw && provider.read(raw, deployment.uid, service.found.name);
  if (view?.problem !== undefined) told.push(`httproute/${view.name}: ${view.problem}`);
  const steps = spec === undefined ? '' : `, steps ${spec.steps.join(', ')}, then 100 %`;
  const notes = [`Service ${service.found.name}, httproute/${route.found.name}${steps}`];
  return { notes, problems: told };
}
