import type { Action } from './action.ts';
import { followed, routeInForce, watched } from './conditions.ts';
import type { Condition } from './mechanism.ts';

/** The canary on the route without weight, known to the gateway: before its first request. */
export const listing: readonly Condition[] = [
  {
    // A deposed leader may have listed the canary of an earlier revision: its Service is gone.
    name: 'route names no other canary',
    met: (s) =>
      s.route?.record === undefined || s.route.record.canaryService === s.canaryServiceName,
    toward: (s, d): Action => {
      const revision = s.route?.record?.revision ?? '';
      const because = 'the route names the canary of another revision';
      const mark = { kind: 'withdrawn', revision, rule: d.rule, because, at: s.now } as const;
      return (s.route?.weight ?? 0) > 0 ? { kind: 'cut-route', mark } : { kind: 'restore-route' };
    },
  },
  {
    // The handshake: a gateway that cannot resolve the canary answers 500, so it is listed without
    // weight first.
    name: 'route lists the canary',
    met: (s) => s.route?.canaryService !== undefined,
    toward: (): Action => ({ kind: 'attach-route' }),
  },
  {
    name: 'route is accepted with the canary listed',
    met: (s) => (s.route?.weight ?? 0) > 0 || s.route?.accepted === true,
    toward: (s) => watched(s.route?.refusal ?? 'the gateway to accept the route'),
  },
  {
    // A gateway that has resolved the Service may not know its endpoints yet, and would answer 503.
    name: 'gateway has followed the listing',
    met: (s) => (s.route?.weight ?? 0) > 0 || routeInForce(s),
    toward: (s) => followed(s, 'the data plane to learn the endpoints of the canary'),
  },
];
