import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { collectDefaultMetrics, Registry } from 'prom-client';
import { aborted, assemble } from './controller/assembly.ts';
import { type WatchedCluster, watchCluster } from './controller/cluster.ts';
import { killAtWrite } from './controller/kill-at-write.ts';
import type { Parts } from './controller/parts.ts';
import { startMetricsServer } from './http/metrics-server.ts';
import { createClient, type KubernetesClient } from './kubernetes/client.ts';
import { createCredentials } from './kubernetes/credentials.ts';
import { fencedTransport } from './kubernetes/fenced-transport.ts';
import { createHttpTransport } from './kubernetes/http-transport.ts';
import { loadKubeConfig } from './kubernetes/kubeconfig.ts';
import { createLeaderElection } from './kubernetes/lease.ts';
import { measuredTransport } from './kubernetes/measured-transport.ts';
import type { KubernetesTransport } from './kubernetes/transport.ts';
import { type Clock, systemClock } from './lib/clock.ts';
import { OperatingError } from './lib/errors.ts';
import { linked } from './lib/linked.ts';
import { systemRandom } from './lib/random.ts';
import { version } from './lib/version.ts';
import type { MetricSource } from './metric-sources/metric-source.ts';
import { metricSources } from './metric-sources/registry.ts';
import { compileChecks } from './metric-sources/template.ts';
import type { NotifierSettings } from './notifiers/notifier.ts';
import { createNotifiers } from './notifiers/registry.ts';
import type { Config } from './spec/config.ts';
import { parseConfig } from './spec/config-file.ts';
import { createLog, type Log } from './telemetry/log.ts';
import { createMetrics, type Metrics } from './telemetry/metrics.ts';

export interface ControllerOptions {
  readonly configFile: string;
  readonly kubeconfig?: string | undefined;
  readonly context?: string | undefined;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/**
 * The composition root: the only place that creates clocks, clients and servers. Resolves when the
 * controller has been
 * stopped; rejects with CONFIG_INVALID when it cannot begin.
 */
export async function runController(
  options: ControllerOptions,
  signal: AbortSignal,
): Promise<void> {
  const clock = systemClock;
  const { config, checks } = readConfig(options.configFile);
  const log = createLog({ level: config.controller.logLevel, clock });
  const registry = new Registry();
  const build = { version, revision: '' };
  collectDefaultMetrics({ register: registry });
  const metrics = createMetrics({ registry, clock, build, nodeVersion: process.version });
  const { transport, client, close } = connect(options, clock, metrics);
  const sources = await openSources(config, clock, metrics);
  const election = elect(config, clock, client, log, metrics);
  const fenced =
    election === undefined
      ? client
      : createClient(fencedTransport({ transport, leadership: () => election.leadership }));
  const watched = watch({ config, clock, log, metrics, client, transport });
  for (const name of config.notifiers.keys()) metrics.notifierConfigured(name);
  const core = assemble({
    config,
    checks,
    clock,
    random: systemRandom,
    log,
    metrics,
    client: fenced,
    watched,
    sources,
    notifiers: createNotifiers(notifierSettings(config), {
      clock,
      readFile: (path) => readFile(path, 'utf8'),
    }),
    instance: hostname(),
  });
  /** Ends with the process, or when the term is lost. */
  const life = linked(signal);
  let ready = false;
  const http = await startMetricsServer({
    registry,
    notReady: () => (ready ? null : 'the caches are being filled'),
    polls: (key) => core.polls.read(key),
    port: config.controller.metricsPort,
  });
  log.info({ version, port: http.port }, 'started');
  try {
    const watching = watched.reflectors.map((reflector) => reflector.run(life.signal));
    const synced = Promise.all(watched.reflectors.map((reflector) => reflector.synced));
    await Promise.race([synced, aborted(signal)]);
    ready = !signal.aborted;
    if (ready) log.info({}, 'caches are filled');
    if (election === undefined) metrics.leader(true);
    const lead = async (term: AbortSignal) => {
      await core.run(term);
      // A term that was lost leaves nothing half done to go on with: the next process begins anew.
      life.abort();
    };
    await (election?.run((term) => lead(term.signal), life.signal) ?? core.run(signal));
    life.abort();
    await Promise.all(watching);
  } finally {
    http.server.close();
    http.server.closeAllConnections();
    for (const source of sources.values()) source.close();
    close();
    log.info({}, 'stopped');
  }
}

interface WatchParts {
  readonly config: Config;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly client: KubernetesClient;
  readonly transport: KubernetesTransport;
}

/** Caches of everything that is watched, with their failures told. */
function watch({ config, clock, log, metrics, client, transport }: WatchParts): WatchedCluster {
  const watched = watchCluster({
    client,
    transport,
    clock,
    random: systemRandom,
    namespaces: config.controller.namespaces,
    onNotice: (notice) => {
      if (notice.kind !== 'failed') return;
      const { resource, code, message } = notice;
      metrics.watchRestarted(resource, code);
      log.warn({ resource, code, because: message }, 'watch failed');
    },
    onProblem: ({ key, message }) =>
      log.error({ object: key, because: message }, 'object set aside'),
  });
  for (const { resource, staleness } of watched.reflectors) {
    metrics.watchStaleness(resource, () => staleness());
  }
  return watched;
}

/** Stands for election, or leads at once where a single copy runs. */
function elect(config: Config, clock: Clock, client: KubernetesClient, log: Log, metrics: Metrics) {
  const { leaderElection, leaseNamespace: namespace, leaseName: name } = config.controller;
  if (!leaderElection) return undefined;
  return createLeaderElection({
    client,
    clock,
    random: systemRandom,
    namespace,
    name,
    identity: `${hostname()}-${process.pid}-${Math.floor(systemRandom() * 1e9).toString(36)}`,
    onNotice: (notice) => {
      if (notice.kind === 'failed') log.warn({ because: notice.message }, 'lease not renewed');
      else log.info({ because: notice.kind }, 'leadership');
      if (notice.kind !== 'failed') metrics.leader(notice.kind === 'elected');
    },
  });
}

function connect(options: ControllerOptions, clock: Clock, metrics: Metrics) {
  const { kubeconfig: file, context } = options;
  const credentials = createCredentials({ load: () => loadKubeConfig({ file, context }), clock });
  const http = createHttpTransport({ credentials, clock, userAgent: `haldane/${version}` });
  const measured = measuredTransport({
    transport: http,
    clock,
    onRequest: (seen) => metrics.kubernetesRequest(seen),
  });
  const transport = killAtWrite(measured, options.environment['HALDANE_TEST_KILL_AT_WRITE']);
  return { transport, client: createClient(transport), close: () => void http.close() };
}

function readConfig(file: string): { readonly config: Config; readonly checks: Parts['checks'] } {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw new OperatingError(
      'CONFIG_INVALID',
      `${file}: cannot be read: ${(cause as Error).message}`,
      { cause },
    );
  }
  const parsed = parseConfig(text, file);
  if (!parsed.ok) throw refused(parsed.problems.map((problem) => problem.message));
  const compiled = compileChecks(parsed.config);
  if (!compiled.ok) {
    throw refused(
      compiled.problems.map(({ path, message }) => parsed.place(path, message).message),
    );
  }
  return { config: parsed.config, checks: compiled.checks };
}

const refused = (problems: readonly string[]) =>
  new OperatingError('CONFIG_INVALID', problems.join('\n'), { retry: 'never' });

async function openSources(config: Config, clock: Clock, metrics: Metrics) {
  const sources = new Map<string, MetricSource>();
  for (const [name, source] of config.sources) {
    const opened = await metricSources[source.kind]({ config: source, clock });
    metrics.prometheusQueries(name, () => opened.queries());
    sources.set(name, opened);
  }
  return sources;
}

const notifierSettings = (config: Config): readonly NotifierSettings[] =>
  [...config.notifiers].map(([name, { hmacKeyFile, cluster, link, ...notifier }]) => ({
    name,
    ...notifier,
    ...(hmacKeyFile === undefined ? {} : { hmacKeyFile }),
    ...(cluster === undefined ? {} : { cluster }),
    ...(link === undefined ? {} : { link }),
  }));
