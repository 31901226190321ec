import type { RouteRef } from '../rollout/rollout-spec.ts';
import { gatewayApi } from './gateway-api.ts';
import type { TrafficProvider } from './traffic-provider.ts';

/** A kind without an implementation does not compile; the contract suite runs every entry. */
export const trafficProviders = {
  httproute: gatewayApi,
} satisfies Record<RouteRef['kind'], TrafficProvider>;
