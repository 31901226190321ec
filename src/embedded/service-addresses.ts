import { fill } from './filling.ts';
import { asObject, asString } from './json.ts';
import type { KubernetesObject } from './resource.ts';
import type { Store } from './store.ts';

/**
 * Gives a Service the lowest free address of 10.96.0.0/16, unless it is headless or already has
 * one.
 */
export function allocateClusterIp(store: Store, service: KubernetesObject): KubernetesObject {
  const spec = asObject(service.spec);
  if (spec.clusterIP === 'None')
    return {
      ...service,
      spec: fill(spec, {
        clusterIPs: ['None'],
        ipFamilies: ['IPv4'],
        ipFamilyPolicy: 'SingleStack',
      }),
    };
  if (
    spec.type === 'ExternalName' ||
    asString(spec.clusterIPs === undefined ? '' : spec.clusterIP) !== ''
  )
    return service;
  const address = asString(spec.clusterIP) || freeAddress(store);
  const { clusterIP: _old, ...rest } = spec;
  return {
    ...service,
    spec: {
      ...fill(rest, { ipFamilies: ['IPv4'], ipFamilyPolicy: 'SingleStack' }),
      clusterIP: address,
      clusterIPs: [address],
    },
  };
}

function freeAddress(store: Store): string {
  const used = new Set(store.list('/services').map((service) => asObject(service.spec).clusterIP));
  for (let n = 10; n < 65_000; n += 1) {
    const address = `10.96.${n >> 8}.${n & 255}`;
    if (!used.has(address)) return address;
  }
  return '10.96.255.254';
}
