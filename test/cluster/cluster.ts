import { readFileSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { type Api, type KubernetesObject, openApi } from './api.ts';
import type { Tools } from './build.ts';
import { administratorKubeconfig, ensureCertificates, kubeconfig } from './certificates.ts';
import { type CommandResult, runCommand } from './command.ts';
import {
  auditPolicy,
  type ClusterFiles,
  type ClusterSettings,
  type ComponentContext,
  endpoints,
} from './components.ts';
import {
  type Components,
  ownComponents,
  remoteComponents,
  serveComponents,
} from './components-control.ts';
import { installDefinitions, installGatewayClass } from './gateway.ts';
import { configureNetwork, insideNetwork } from './network.ts';
import { openPrometheus, type Prometheus, writePrometheusConfig } from './prometheus.ts';
import { clusterWide, namespaced } from './resources.ts';
import { makeRunFolder } from './run-folder.ts';
import { Supervisor } from './supervisor.ts';

/** A running cluster as the case files see it. */
export interface Cluster {
  /** The administrator's kubeconfig file. */
  readonly kubeconfig: string;
  readonly files: ClusterFiles;
  readonly settings: ClusterSettings;
  /** Raw JSON client, as the administrator. */
  readonly api: Api;
  readonly prometheus: Prometheus;
  readonly components: Components;
  /** Processes a case starts: they end with the case file's process. */
  readonly supervisor: Supervisor;
  /**
   * kubectl as the administrator; `input` is its standard input. Never throws for a non-zero exit.
   */
  kubectl(args: readonly string[], options?: KubectlOptions): Promise<CommandResult>;
  /** Forced server-side apply of YAML or JSON text; kinds in `skip` are left out. */
  apply(manifests: string, skip?: readonly string[]): Promise<void>;
  /**
   * Writes a kubeconfig that acts as a ServiceAccount, with a fresh token, and returns its path.
   */
  serviceAccountKubeconfig(namespace: string, name: string): Promise<string>;
  /** Ends what this process started. The cluster ends only in the process that started it. */
  close(): Promise<void>;
}

export interface KubectlOptions {
  readonly input?: string;
  readonly kubeconfig?: string;
  /** Milliseconds; 60,000 unless told. */
  readonly timeout?: number;
}

/** What another process needs to use the cluster: the content of `cluster.json`. */
interface ClusterFile {
  readonly files: ClusterFiles;
  readonly settings: ClusterSettings;
  readonly tools: Tools;
  readonly authority: string;
}

/** A cluster in the process that owns it. */
export interface OwnCluster extends Cluster {
  /** Name of the file that {@link openCluster} reads. */
  readonly clusterFile: string;
  /** From the call to the moment everything was ready, in milliseconds. */
  readonly startedIn: number;
}

export interface StartClusterOptions {
  readonly tools: Tools;
  readonly throttle?: string;
  readonly scrapeInterval?: string;
}

/** Starts a cluster in this process' network, which must be one of the test's own. */
export async function startCluster(options: StartClusterOptions): Promise<OwnCluster> {
  if (!insideNetwork()) throw new Error('startCluster must run inside the network of the test');
  const began = performance.now();
  const settings = {
    throttle: options.throttle ?? '2s',
    scrapeInterval: options.scrapeInterval ?? '1s',
  };
  const { tools } = options;
  await configureNetwork();
  const certificates = await ensureCertificates();
  const files = makeRunFolder();
  const admin = await administratorKubeconfig(certificates, endpoints.apiServer);
  await writeFile(files.kubeconfig, admin, { mode: 0o600 });
  await writeFile(join(files.run, 'audit-policy.json'), auditPolicy);
  await writePrometheusConfig(files.prometheusConfig, settings, files.scrapeTargets);
  const supervisor = new Supervisor(files.run);
  const components = ownComponents(supervisor, { tools, certificates, files, settings });
  const description: ClusterFile = {
    files,
    settings,
    tools,
    authority: certificates.file('ca.crt'),
  };
  try {
    await startComponents(components, { tools, certificates, files, settings });
  } catch (cause) {
    await supervisor.close();
    throw cause;
  }
  const clusterFile = join(files.run, 'cluster.json');
  await writeFile(clusterFile, JSON.stringify(description));
  const control = await serveComponents(components);
  const cluster = clusterOver(description, components, supervisor);
  return {
    ...cluster,
    clusterFile,
    startedIn: performance.now() - began,
    close: async () => {
      control.close();
      control.closeAllConnections();
      await supervisor.close('SIGKILL'); // its data goes away with it
      await cluster.close();
      await rm(files.data, { recursive: true, force: true });
    },
  };
}

/** Opens the cluster that `npm run test:cluster` has started, from a case file. */
export async function openCluster(): Promise<Cluster> {
  const file = process.env['HALDANE_TEST_CLUSTER'];
  if (file === undefined) {
    throw new Error('no cluster: case files run by  npm run test:cluster -- [FILTER]');
  }
  const description = JSON.parse(readFileSync(file, 'utf8')) as ClusterFile;
  const folder = join(description.files.run, `case-${process.pid}`);
  await mkdir(folder, { recursive: true });
  return clusterOver(description, remoteComponents(), new Supervisor(folder));
}

async function startComponents(components: Components, context: ComponentContext): Promise<void> {
  const { kubeconfig: file } = context.files;
  // What needs no API server starts first and is ready before it.
  const prometheus = components.start('prometheus');
  await components.start('etcd');
  await components.start('kube-apiserver');
  const api = openApi(file);
  try {
    await Promise.all([
      components.start('kube-controller-manager'),
      components.start('kubelet'),
      installDefinitions(api, context.tools.gatewayDefinitions),
    ]);
    await installGatewayClass(api);
    await components.start('traefik');
    await api.until(clusterWide('nodes', 'sim-0'), (node) => node !== undefined);
    const account = namespaced('serviceaccounts', 'default', 'default');
    await api.until(account, (seen) => seen !== undefined, { what: 'the controller manager' });
    await prometheus;
  } finally {
    await api.close();
  }
}

function clusterOver(
  { files, settings, tools, authority }: ClusterFile,
  components: Components,
  supervisor: Supervisor,
): Cluster {
  const api = openApi(files.kubeconfig);
  return {
    kubeconfig: files.kubeconfig,
    files,
    settings,
    api,
    components,
    supervisor,
    prometheus: openPrometheus(files),
    kubectl: (args, options = {}) =>
      runCommand(tools.kubectl, ['--kubeconfig', options.kubeconfig ?? files.kubeconfig, ...args], {
        ...(options.input === undefined ? {} : { input: options.input }),
        // Neither the preferences nor the caches of whoever runs the tests.
        env: { ...process.env, HOME: files.run },
        timeout: options.timeout ?? 60_000,
      }),
    apply: (manifests, skip = []) => applyManifests(api, manifests, skip),
    serviceAccountKubeconfig: async (namespace, name) => {
      const token = await createToken(api, namespace, name);
      const trusted = (await readFile(authority)).toString('base64');
      const file = join(files.run, `${namespace}-${name}.kubeconfig`);
      await writeFile(file, kubeconfig(endpoints.apiServer, trusted, { token }), { mode: 0o600 });
      return file;
    },
    close: async () => {
      await supervisor.close();
      await api.close();
    },
  };
}

/** One after another, so that a Namespace or a definition is there before what needs it. */
async function applyManifests(api: Api, text: string, skip: readonly string[]): Promise<void> {
  for (const document of parseAllDocuments(text)) {
    const object = document.toJS() as (KubernetesObject & { readonly kind: string }) | null;
    if (object === null || skip.includes(object.kind)) continue;
    await api.patch(await objectPath(api, object), 'apply', object);
  }
}

/** Asks the API server for the plural of a kind. */
async function objectPath(api: Api, object: KubernetesObject): Promise<string> {
  const { apiVersion = 'v1', kind = '', metadata } = object;
  const root = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  const { resources } = await api.get<{
    readonly resources: readonly {
      readonly name: string;
      readonly kind: string;
      readonly namespaced: boolean;
    }[];
  }>(root);
  const found = resources.find((entry) => entry.kind === kind && !entry.name.includes('/'));
  if (found === undefined) throw new Error(`the API server knows no ${kind} in ${apiVersion}`);
  const scope = found.namespaced ? `/namespaces/${metadata.namespace ?? 'default'}` : '';
  return `${root}${scope}/${found.name}/${metadata.name}`;
}

async function createToken(api: Api, namespace: string, name: string): Promise<string> {
  const day = 86_400;
  const answer = await api.create<{ readonly status: { readonly token: string } }>(
    namespaced('serviceaccounts', namespace, name, 'token'),
    {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      spec: { expirationSeconds: day },
    },
  );
  return answer.status.token;
}
