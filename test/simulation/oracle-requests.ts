import type { KubernetesRequest } from '../../src/kubernetes/transport.ts';
import type { Book } from './oracle-book.ts';

// What our processes knew when they asked for what comes true later.

/**
 * Notes of each request to lead the user's Service somewhere whether the route gave everything to
 * the canary when it was looked at before. To be called before the first process starts.
 */
export function followPins(book: Book): void {
  const { cluster, namespace } = book.world;
  const open = cluster.transport.bind(cluster);
  const route = `/apis/gateway.networking.k8s.io/v1/namespaces/${namespace}/httproutes/web`;
  const service = `/api/v1/namespaces/${namespace}/services/web`;
  let gaveAll = false;
  const hear = ({ method, path, body }: KubernetesRequest) => {
    if (method === 'GET' && path === route) gaveAll = book.view.route()?.weight === 100;
    if (method !== 'PATCH' || path !== service) return;
    const pin = pinIn(body);
    if (pin === undefined) return;
    if (gaveAll) book.soundPins.add(pin);
    else book.soundPins.delete(pin);
  };
  const transport: typeof open = (options) => {
    const inner = open(options);
    return {
      ...inner,
      request: (request, signal) => {
        hear(request);
        return inner.request(request, signal);
      },
    };
  };
  Object.assign(cluster, { transport });
}

function pinIn(body: unknown): string | undefined {
  const { spec } = body as { readonly spec?: { readonly selector?: Record<string, unknown> } };
  const pin = spec?.selector?.['pod-template-hash'];
  return typeof pin === 'string' ? pin : undefined;
}

/**
 * The route gave everything to where the Service leads when that was asked for, and while it was
 * under way for many seconds somebody's hand or a rejection has lowered that: it is late, and the
 * next pass takes it back.
 */
export function isLedInGoodFaith({ soundPins, view }: Book): boolean {
  const pin = view.service('web')?.pin;
  return pin !== undefined && soundPins.has(pin);
}
