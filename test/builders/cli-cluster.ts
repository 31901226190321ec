import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runCommandLine } from '../../src/cli/program.ts';
import type { Terminal } from '../../src/cli/terminal.ts';
import { ApiServer } from '../../src/embedded/api-server.ts';
import { administrator } from '../../src/embedded/authorization.ts';
import { bootstrap } from '../../src/embedded/bootstrap.ts';
import { kubeconfigFor, serveHttp } from '../../src/embedded/http-server.ts';
import { createClient, type KubernetesClient } from '../../src/kubernetes/client.ts';
import { createCredentials } from '../../src/kubernetes/credentials.ts';
import { createHttpTransport } from '../../src/kubernetes/http-transport.ts';
import { loadKubeConfig } from '../../src/kubernetes/kubeconfig.ts';
import type { RawObject } from '../../src/kubernetes/raw-object.ts';
import { resources } from '../../src/kubernetes/resources.ts';
import { templateHash } from '../../src/kubernetes/template.ts';
import type { KubernetesTransport } from '../../src/kubernetes/transport.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { seededRandom } from '../../src/lib/random.ts';
import { instant, millis, percent } from '../../src/lib/units.ts';
import type { RolloutState } from '../../src/rollout/state.ts';
import { encodeState } from '../../src/spec/state-codec.ts';

export const never = new AbortController().signal;

/** What a command printed, and its exit code. */
export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export interface Printed {
  out: string;
  err: string;
}

/** The embedded API server on a real socket, and the command line talking to it. */
export interface CliCluster {
  readonly client: KubernetesClient;
  readonly transport: KubernetesTransport;
  readonly kubeconfig: string;
  run(...args: readonly string[]): Promise<Ran>;
  close(): Promise<void>;
}

export async function startCliCluster(): Promise<CliCluster> {
  const server = new ApiServer({ clock: systemClock, random: seededRandom(1) });
  bootstrap(server);
  const front = await serveHttp(server);
  const folder = mkdtempSync(join(tmpdir(), 'haldane-cli-'));
  const kubeconfig = join(folder, 'kubeconfig');
  writeFileSync(kubeconfig, kubeconfigFor(front.url, server.tokens.issue(administrator)));
  const transport = createHttpTransport({
    credentials: createCredentials({
      load: () => loadKubeConfig({ file: kubeconfig }),
      clock: systemClock,
    }),
    clock: systemClock,
  });
  return {
    client: createClient(transport),
    transport,
    kubeconfig,
    run: (...args) => runCli([...args, '--kubeconfig', kubeconfig]),
    close: async () => {
      await transport.close();
      await front.close();
      rmSync(folder, { recursive: true });
    },
  };
}

/** Runs one command line as if a pipe looked on; `printed` fills while it runs. */
export async function runCli(
  args: readonly string[],
  printed: Printed = { out: '', err: '' },
): Promise<Ran> {
  const terminal: Terminal = {
    out: (text) => {
      printed.out += `${text}\n`;
    },
    err: (text) => {
      printed.err += `${text}\n`;
    },
    raw: (text) => {
      printed.out += text;
    },
    live: false,
    color: false,
    columns: 100,
    rows: 40,
  };
  const code = await runCommandLine(['node', 'haldane', ...args], terminal);
  return { code, ...printed };
}

const templateOf = (image: string): object => ({
  metadata: { labels: { app: 'web' } },
  spec: { containers: [{ name: 'web', image }] },
});

/** Our hash of the template with this image, as the API server fills it in. */
export const revisionOf = (raw: RawObject): string =>
  templateHash((raw['spec'] as { template: object }).template);

/** A Deployment with image v1 and the ReplicaSet that serves it, in the namespace `default`. */
export async function layDeployment(
  { client }: CliCluster,
  name: string,
  annotations: Readonly<Record<string, string>> = {},
): Promise<RawObject> {
  const spec = {
    replicas: 3,
    selector: { matchLabels: { app: 'web', of: name } },
    template: templateFor(name, 'shop/web:v1'),
  };
  const body = { metadata: { name, annotations }, spec };
  const deployment = await client.create(resources.deployments, 'default', body, {}, never);
  await layReplicaSet({ client }, deployment, 'shop/web:v1', { controller: true, number: 1 });
  return deployment;
}

function templateFor(name: string, image: string): object {
  const template = templateOf(image);
  return { ...template, metadata: { labels: { app: 'web', of: name } } };
}

/** A ReplicaSet of the Deployment, owned as the Deployment controller would, or ours beside it. */
export async function layReplicaSet(
  { client }: Pick<CliCluster, 'client'>,
  deployment: RawObject,
  image: string,
  how: {
    readonly controller: boolean;
    readonly number?: number;
    readonly replicas?: number;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly hash?: string;
  },
): Promise<RawObject> {
  const { name, uid } = deployment.metadata;
  const template = templateFor(name, image) as { metadata: { labels: object }; spec: object };
  const hash = how.hash ?? templateHash(template);
  const labels = { ...template.metadata.labels, 'pod-template-hash': hash };
  const ours = { 'haldane.dev/canary-for': uid ?? '' };
  const metadata = {
    name: `${name}-${hash}`,
    labels: how.controller ? labels : ours,
    annotations: {
      ...(how.number === undefined
        ? {}
        : { 'deployment.kubernetes.io/revision': String(how.number) }),
      ...how.annotations,
    },
    ownerReferences: [
      { apiVersion: 'apps/v1', kind: 'Deployment', name, uid, controller: how.controller },
    ],
  };
  const spec = {
    replicas: how.replicas ?? 3,
    selector: { matchLabels: labels },
    template: { ...template, metadata: { labels } },
  };
  return client.create(resources.replicaSets, 'default', { metadata, spec }, {}, never);
}

/** Changes the image of a Deployment and lays the canary with its live state beside it. */
export async function layCanary(
  cluster: CliCluster,
  deployment: RawObject,
  change: Partial<RolloutState> = {},
): Promise<{ readonly revision: string; readonly canary: RawObject }> {
  const { name, uid = '' } = deployment.metadata;
  const ref = { resource: resources.deployments, namespace: 'default', name };
  const template = templateFor(name, 'shop/web:v2');
  const changed = await cluster.client.mergePatch(
    ref,
    { spec: { paused: true, template } },
    {},
    never,
  );
  // Of the template as the API server filled it in.
  const revision = revisionOf(changed);
  const marks = { 'haldane.dev/rollout': revision };
  await cluster.client.mergePatch(ref, { metadata: { annotations: marks } }, {}, never);
  const state = { ...aState(uid, revision), ...change };
  const canary = await layReplicaSet(cluster, deployment, 'shop/web:v2', {
    controller: false,
    replicas: 1,
    annotations: { 'haldane.dev/state': encodeState(state) },
    hash: revision,
  });
  return { revision, canary };
}

/** At 5 % of the ladder 1, 5, 25; nothing wrong. */
export function aState(deploymentUid: string, revision: string): RolloutState {
  const at = instant(Date.UTC(2026, 0, 2, 12));
  return {
    deploymentUid,
    revision,
    attempt: 1,
    startedAt: at,
    replicasAtStart: 3,
    spec: {
      steps: [1, 5, 25].map(percent),
      profile: 'default',
      checks: ['errors'],
      minStep: millis(15_000),
      maxStep: millis(7_200_000),
      bake: millis(15_000),
      onReject: 'keep',
      notify: [],
      flinch: true,
    },
    step: { index: 1, fromIndex: 0, from: percent(1), to: percent(5), raisedAt: at, inForceAt: at },
    pause: null,
    requestId: null,
    bounds: null,
    evidence: null,
    stream: null,
    exposedRequests: 1204,
    failedRequests: 2,
    outcome: null,
    delivered: [],
    summary: {
      phase: 'progressing',
      rule: 'gathering',
      because: 'about 420 more canary requests',
      weight: percent(5),
      step: 2,
      checks: [
        { check: 'errors', canaryRatio: 0.0012, stableRatio: 0.001, evidence: 0.7, promotion: 3.1 },
      ],
      updatedAt: at,
    },
  };
}
