import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Agent, request } from 'undici';
import type { Tools } from './build.ts';
import type { Certificates } from './certificates.ts';
import { serviceNetwork } from './network.ts';
import type { ProcessSpec } from './supervisor.ts';

/** The processes a cluster consists of. */
export const componentNames = [
  'etcd',
  'kube-apiserver',
  'kube-controller-manager',
  'kubelet',
  'prometheus',
  'traefik',
] as const;

export type ComponentName = (typeof componentNames)[number];

/** Where everything listens, the same in every cluster: each has the network to itself. */
export const endpoints = {
  apiServer: 'https://127.0.0.1:6443',
  /** Gateway API routes; requests are told apart by their Host. */
  gateway: '127.0.0.1:8000',
  /** Ingress objects with nginx annotations. */
  ingress: '127.0.0.1:8001',
  traefikMetrics: '127.0.0.1:9100',
  prometheus: 'http://127.0.0.1:9090',
  control: 'http://127.0.0.1:7070',
} as const;

/** What a cluster is started with. */
export interface ClusterSettings {
  /** Traefik's providersThrottleDuration; its own default, and ours, is 2s. */
  readonly throttle: string;
  /** Prometheus' scrape and evaluation interval. */
  readonly scrapeInterval: string;
}

/** Files and folders of one running cluster. */
export interface ClusterFiles {
  readonly run: string;
  /** etcd's and Prometheus' data, in memory where the machine allows it. */
  readonly data: string;
  readonly kubeconfig: string;
  readonly auditLog: string;
  readonly prometheusConfig: string;
  /** Pods to scrape, in Prometheus' format, kept up to date by the kubelet. */
  readonly scrapeTargets: string;
}

/** Everything needed to write down a component's command line. */
export interface ComponentContext {
  readonly tools: Tools;
  readonly certificates: Certificates;
  readonly files: ClusterFiles;
  readonly settings: ClusterSettings;
}

/** A controller of the controller manager that no rollout needs is left out. */
const controllers = [
  'deployment-controller',
  'replicaset-controller',
  'endpointslice-controller',
  'endpoints-controller',
  'garbage-collector-controller',
  'namespace-controller',
  'serviceaccount-controller',
  'serviceaccount-token-controller',
  'root-ca-certificate-publisher-controller',
  'clusterrole-aggregation-controller',
  'horizontal-pod-autoscaler-controller',
  'disruption-controller',
  'job-controller',
  'pod-garbage-collector-controller',
];

/**
 * Requests of service accounts are counted by the suite; everyone else's would only fill the disk.
 */
export const auditPolicy = JSON.stringify({
  apiVersion: 'audit.k8s.io/v1',
  kind: 'Policy',
  omitStages: ['RequestReceived'],
  rules: [
    { level: 'None', userGroups: ['system:serviceaccounts:kube-system', 'system:masters'] },
    { level: 'Metadata', userGroups: ['system:serviceaccounts'] },
    { level: 'None' },
  ],
});

/** The command line of a component. `extra` arguments come last and so win over the defaults. */
export function componentSpec(
  name: ComponentName,
  context: ComponentContext,
  extra: readonly string[] = [],
): ProcessSpec {
  const spec = specs[name](context);
  return { ...spec, args: [...spec.args, ...extra] };
}

const specs: Readonly<Record<ComponentName, (context: ComponentContext) => ProcessSpec>> = {
  etcd: ({ files }) => ({
    name: 'etcd',
    command: 'etcd',
    args: [
      `--data-dir=${join(files.data, 'etcd')}`,
      '--listen-client-urls=http://127.0.0.1:2379',
      '--advertise-client-urls=http://127.0.0.1:2379',
      '--listen-peer-urls=http://127.0.0.1:2380',
      '--logger=zap',
      '--log-level=warn',
    ],
  }),
  'kube-apiserver': apiServerSpec,
  'kube-controller-manager': ({ tools, certificates, files }) => ({
    name: 'kube-controller-manager',
    command: tools.controllerManager,
    args: [
      `--kubeconfig=${files.kubeconfig}`,
      '--leader-elect=false',
      '--bind-address=127.0.0.1',
      '--secure-port=10257',
      `--cert-dir=${join(files.data, 'kube-controller-manager')}`,
      `--service-account-private-key-file=${certificates.file('service-account.key')}`,
      `--root-ca-file=${certificates.file('ca.crt')}`,
      '--kube-api-qps=500',
      '--kube-api-burst=1000',
      '--horizontal-pod-autoscaler-sync-period=2s',
      `--controllers=${controllers.join(',')}`,
    ],
  }),
  kubelet: ({ files }) => ({
    name: 'kubelet',
    urgent: true,
    command: process.execPath,
    args: [join(import.meta.dirname, 'kubelet', 'main.ts')],
    env: { KUBECONFIG: files.kubeconfig, SCRAPE_TARGETS: files.scrapeTargets },
  }),
  prometheus: ({ files }) => ({
    name: 'prometheus',
    command: 'prometheus',
    args: [
      `--config.file=${files.prometheusConfig}`,
      `--storage.tsdb.path=${join(files.data, 'prometheus')}`,
      `--web.listen-address=${new URL(endpoints.prometheus).host}`,
      '--web.enable-lifecycle',
      '--log.level=warn',
    ],
    ready: () => answers(`${endpoints.prometheus}/-/ready`),
  }),
  traefik: ({ tools, files, settings }) => ({
    name: 'traefik',
    urgent: true,
    command: tools.traefik,
    args: [
      '--entryPoints.web.address=:8000',
      '--entryPoints.ing.address=:8001',
      `--entryPoints.traefik.address=${endpoints.traefikMetrics}`,
      '--ping=true',
      '--api.insecure=true',
      '--metrics.prometheus=true',
      '--metrics.prometheus.addRoutersLabels=true',
      '--metrics.prometheus.buckets=0.005,0.01,0.025,0.05,0.1,0.25,0.5,1,2.5',
      `--providers.providersThrottleDuration=${settings.throttle}`,
      '--providers.kubernetesGateway=true',
      '--providers.kubernetesGateway.statusAddress.ip=10.244.255.10',
      '--providers.kubernetesIngressNGINX=true',
      '--providers.kubernetesIngressNGINX.httpEntryPoint=ing',
      '--global.checkNewVersion=false',
      '--global.sendAnonymousUsage=false',
    ],
    env: { KUBECONFIG: files.kubeconfig },
    ready: () => answers(`http://${endpoints.traefikMetrics}/ping`),
  }),
};

function apiServerSpec({ tools, certificates, files }: ComponentContext): ProcessSpec {
  const file = (name: string) => certificates.file(name);
  return {
    name: 'kube-apiserver',
    command: tools.apiServer,
    args: [
      '--etcd-servers=http://127.0.0.1:2379',
      '--bind-address=127.0.0.1',
      `--secure-port=${new URL(endpoints.apiServer).port}`,
      // There is no default route from which the server could guess its address.
      '--advertise-address=10.244.255.1',
      '--endpoint-reconciler-type=none',
      `--service-cluster-ip-range=${serviceNetwork}`,
      `--cert-dir=${join(files.data, 'kube-apiserver')}`,
      '--allow-privileged=true',
      '--authorization-mode=RBAC',
      `--client-ca-file=${file('ca.crt')}`,
      `--tls-cert-file=${file('apiserver.crt')}`,
      `--tls-private-key-file=${file('apiserver.key')}`,
      '--service-account-issuer=https://kubernetes.default.svc',
      `--service-account-key-file=${file('service-account.pub')}`,
      `--service-account-signing-key-file=${file('service-account.key')}`,
      `--requestheader-client-ca-file=${file('ca.crt')}`,
      '--requestheader-allowed-names=front-proxy-client',
      '--requestheader-username-headers=X-Remote-User',
      '--requestheader-group-headers=X-Remote-Group',
      '--requestheader-extra-headers-prefix=X-Remote-Extra-',
      `--proxy-client-cert-file=${file('front-proxy.crt')}`,
      `--proxy-client-key-file=${file('front-proxy.key')}`,
      '--enable-aggregator-routing=true',
      // No lifecycle controller runs, which alone would take the taint off the one Node again.
      '--disable-admission-plugins=TaintNodesByCondition',
      '--profiling=false',
      `--audit-policy-file=${join(files.run, 'audit-policy.json')}`,
      `--audit-log-path=${files.auditLog}`,
    ],
    ready: apiServerReady(certificates),
  };
}

/** Asks /readyz as the administrator, over one connection kept for all the asking. */
function apiServerReady(certificates: Certificates): () => Promise<boolean> {
  let agent: Agent | undefined;
  return async () => {
    if (agent === undefined) {
      const names = ['ca.crt', 'admin.crt', 'admin.key'].map((name) => certificates.file(name));
      const [ca = '', cert = '', key = ''] = await Promise.all(
        names.map((name) => readFile(name, 'utf8')),
      );
      agent = new Agent({ connect: { ca, cert, key } });
    }
    const url = `${endpoints.apiServer}/readyz`;
    const { statusCode, body } = await request(url, { dispatcher: agent });
    await body.dump();
    if (statusCode === 200) await agent.destroy();
    return statusCode === 200;
  };
}

async function answers(url: string): Promise<boolean> {
  const { statusCode, body } = await request(url);
  await body.dump();
  return statusCode === 200;
}
