import type { JsonObject } from '../../src/embedded/json.ts';

const gatewayGroup = 'gateway.networking.k8s.io/v1';
const labels = { app: 'web' };

export const container = (version: string) => ({
  name: 'web',
  image: `shop/web:${version}`,
  ports: [{ containerPort: 8080 }],
});

export interface ShopOptions {
  readonly annotations?: Readonly<Record<string, string>>;
  readonly replicas?: number;
}

/** An ordinary application behind a gateway, opted in. */
export const shop = (namespace: string, options: ShopOptions): readonly JsonObject[] => [
  { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } },
  ...gateway(namespace),
  deployment(namespace, options),
  {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'web', namespace },
    spec: { selector: labels, ports: [{ port: 80, targetPort: 8080 }] },
  },
  {
    apiVersion: gatewayGroup,
    kind: 'HTTPRoute',
    metadata: { name: 'web', namespace },
    spec: {
      parentRefs: [{ name: 'gw' }],
      hostnames: ['web.test'],
      rules: [{ backendRefs: [{ name: 'web', port: 80 }] }],
    },
  },
];

const gateway = (namespace: string) => [
  {
    apiVersion: gatewayGroup,
    kind: 'GatewayClass',
    metadata: { name: 'sim' },
    spec: { controllerName: 'haldane.dev/embedded-gateway' },
  },
  {
    apiVersion: gatewayGroup,
    kind: 'Gateway',
    metadata: { name: 'gw', namespace },
    spec: { gatewayClassName: 'sim', listeners: [{ name: 'web', protocol: 'HTTP', port: 80 }] },
  },
];

const deployment = (namespace: string, { annotations = {}, replicas = 3 }: ShopOptions) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: {
    name: 'web',
    namespace,
    annotations: { 'haldane.dev/enabled': 'true', ...annotations },
  },
  spec: {
    replicas,
    selector: { matchLabels: labels },
    template: { metadata: { labels }, spec: { containers: [container('v1')] } },
  },
});
