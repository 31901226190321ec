import {
  createEmbeddedCluster,
  type EmbeddedClusterOptions,
} from '../../../src/embedded/cluster.ts';
import { gatewayController } from '../../../src/embedded/controllers/gateway.ts';
import type { JsonObject } from '../../../src/embedded/json.ts';
import { seededRandom } from '../../../src/lib/random.ts';
import { virtualClock } from '../../builders/virtual-clock.ts';

/** A cluster on a virtual clock, the same for the same seed. */
export function aCluster(seed = 1, options: Partial<EmbeddedClusterOptions> = {}) {
  const clock = virtualClock();
  const random = seededRandom(seed);
  const cluster = createEmbeddedCluster({ clock, random, ...options });
  return { clock, random, cluster };
}

export const image = (tag: string): JsonObject => ({ name: 'web', image: `shop/web:${tag}` });

/** The objects of one shop: Deployment, Service, Gateway and a route to the Service. */
export const aShop = (
  containers: readonly JsonObject[] = [image('v1')],
  replicas = 3,
): readonly JsonObject[] => [
  {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web' },
    spec: {
      replicas,
      selector: { matchLabels: { app: 'web' } },
      template: { metadata: { labels: { app: 'web' } }, spec: { containers } },
    },
  },
  {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'web' },
    spec: { selector: { app: 'web' }, ports: [{ port: 80, targetPort: 8080 }] },
  },
  {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'GatewayClass',
    metadata: { name: 'embedded' },
    spec: { controllerName: gatewayController },
  },
  {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'Gateway',
    metadata: { name: 'gw' },
    spec: {
      gatewayClassName: 'embedded',
      listeners: [{ name: 'web', port: 8000, protocol: 'HTTP' }],
    },
  },
  {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'HTTPRoute',
    metadata: { name: 'web' },
    spec: {
      parentRefs: [{ name: 'gw' }],
      hostnames: ['web.test'],
      rules: [{ backendRefs: [{ name: 'web', port: 80 }] }],
    },
  },
];
