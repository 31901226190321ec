import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll } from 'vitest';
import { parse } from 'yaml';
import { administrator } from '../../../src/embedded/authorization.ts';
import { createEmbeddedCluster } from '../../../src/embedded/cluster.ts';
import { kubeconfigFor, serveHttp } from '../../../src/embedded/http-server.ts';
import { systemClock } from '../../../src/lib/clock.ts';
import { seededRandom } from '../../../src/lib/random.ts';
import { type Access, at, ContractClient, eventually } from './client.ts';

/**
 * The cluster under test: the embedded one, or the real one that HALDANE_CONTRACT_KUBECONFIG
 * names.
 */
export type ContractCluster = {
  readonly api: ContractClient;
  /** A namespace of this test file alone. */
  readonly namespace: string;
  readonly kubeconfig: string;
  readonly real: boolean;
  /** `controllerName` that the cluster's gateway answers to. */
  readonly gatewayController: string;
  stop(): Promise<void>;
};

const external = process.env['HALDANE_CONTRACT_KUBECONFIG'];

type KubeconfigFile = {
  readonly clusters: readonly { readonly cluster: Readonly<Record<string, string>> }[];
  readonly users: readonly { readonly user: Readonly<Record<string, string>> }[];
};

function readAccess(file: string): Access {
  const { clusters, users } = parse(readFileSync(file, 'utf8')) as KubeconfigFile;
  const cluster = clusters[0]?.cluster ?? {};
  const user = users[0]?.user ?? {};
  const load = (from: Readonly<Record<string, string>>, key: string): string | undefined => {
    const data = from[`${key}-data`];
    if (data !== undefined) return Buffer.from(data, 'base64').toString();
    const path = from[key];
    return path === undefined ? undefined : readFileSync(path, 'utf8');
  };
  const parts = {
    ca: load(cluster, 'certificate-authority'),
    cert: load(user, 'client-certificate'),
    key: load(user, 'client-key'),
    token: user['token'],
  };
  return {
    server: cluster['server'] ?? '',
    ...Object.fromEntries(Object.entries(parts).filter(([, value]) => value !== undefined)),
  };
}

async function startEmbedded(): Promise<ContractCluster> {
  const cluster = createEmbeddedCluster({ clock: systemClock, random: seededRandom(process.pid) });
  const front = await serveHttp(cluster.server, { withoutToken: administrator });
  const folder = mkdtempSync(join(tmpdir(), 'haldane-contract-'));
  const kubeconfig = join(folder, 'kubeconfig');
  writeFileSync(kubeconfig, kubeconfigFor(front.url, cluster.server.tokens.issue(administrator)));
  const api = new ContractClient({ server: front.url });
  return {
    api,
    kubeconfig,
    namespace: await freshNamespace(api),
    real: false,
    gatewayController: 'haldane.dev/embedded-gateway',
    stop: async () => {
      cluster.stop();
      await front.close();
      await api.close();
      rmSync(folder, { recursive: true });
    },
  };
}

async function connectReal(kubeconfig: string): Promise<ContractCluster> {
  const api = new ContractClient(readAccess(kubeconfig));
  const namespace = await freshNamespace(api);
  return {
    api,
    kubeconfig,
    namespace,
    real: true,
    gatewayController: 'traefik.io/gateway-controller',
    stop: async () => {
      await api.delete(`/api/v1/namespaces/${namespace}`);
      await api.close();
    },
  };
}

/** A namespace in which pods can be created: its default ServiceAccount exists. */
export async function freshNamespace(api: ContractClient): Promise<string> {
  const made = await api.post('/api/v1/namespaces', { metadata: { generateName: 'contract-' } });
  const name = String(at(made, 'metadata.name'));
  await eventually(
    () => api.get(`/api/v1/namespaces/${name}/serviceaccounts/default`),
    ({ status }) => status === 200,
  );
  return name;
}

/** Sets up the cluster for the tests of one file. */
export function contractCluster(): ContractCluster {
  let cluster: ContractCluster | undefined;
  const current = (): ContractCluster => {
    if (cluster === undefined) throw new Error('the cluster is there only while tests run');
    return cluster;
  };
  beforeAll(async () => {
    cluster = external === undefined ? await startEmbedded() : await connectReal(external);
  }, 30_000);
  afterAll(async () => cluster?.stop());
  return {
    get api() {
      return current().api;
    },
    get namespace() {
      return current().namespace;
    },
    get kubeconfig() {
      return current().kubeconfig;
    },
    get real() {
      return current().real;
    },
    get gatewayController() {
      return current().gatewayController;
    },
    stop: () => current().stop(),
  };
}
