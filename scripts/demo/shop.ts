import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import type { EmbeddedCluster } from '../../src/embedded/cluster.ts';
import type { JsonObject } from '../../src/embedded/json.ts';

const root = join(import.meta.dirname, '../..');
export const file = (...parts: readonly string[]): string => join(root, ...parts);

/** Every document of a manifest file. */
const documents = (path: string): readonly JsonObject[] =>
  parseAllDocuments(readFileSync(file(path), 'utf8'))
    .map((document) => document.toJS() as JsonObject | null)
    .filter((object) => object !== null);

/** What `kubectl apply -k manifests/install` would bring, but the workload. */
export function install(cluster: EmbeddedCluster): void {
  for (const name of ['namespace', 'service-account', 'rbac', 'pause-on-change']) {
    for (const object of documents(`manifests/install/${name}.yaml`)) cluster.apply(object);
  }
}

const gateway = 'gateway.networking.k8s.io/v1';
export const shopHost = 'shop.test';

/** A shop of three services behind one gateway; `web` is the one that is released. */
export function openShop(cluster: EmbeddedCluster): void {
  for (const object of [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } },
    {
      apiVersion: gateway,
      kind: 'GatewayClass',
      metadata: { name: 'traefik' },
      spec: { controllerName: 'haldane.dev/embedded-gateway' },
    },
    {
      apiVersion: gateway,
      kind: 'Gateway',
      metadata: { name: 'shop', namespace: 'shop' },
      spec: {
        gatewayClassName: 'traefik',
        listeners: [{ name: 'http', protocol: 'HTTP', port: 80 }],
      },
    },
    ...['web', 'cart', 'search'].flatMap(application),
  ]) {
    cluster.apply(object);
  }
}

const application = (name: string) => [
  {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace: 'shop' },
    spec: {
      replicas: 3,
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name } },
        spec: {
          containers: [{ name, image: `shop/${name}:v1`, ports: [{ containerPort: 8080 }] }],
        },
      },
    },
  },
  {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: 'shop' },
    spec: { selector: { app: name }, ports: [{ port: 80, targetPort: 8080 }] },
  },
  {
    apiVersion: gateway,
    kind: 'HTTPRoute',
    metadata: { name, namespace: 'shop' },
    spec: {
      parentRefs: [{ name: 'shop' }],
      hostnames: [name === 'web' ? shopHost : `${name}.${shopHost}`],
      rules: [{ backendRefs: [{ name, port: 80 }] }],
    },
  },
];
