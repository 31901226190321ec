import type { Ref, RouteTruth } from './oracle-view.ts';
import type { World } from './world.ts';

// What people do to their own route, as it stands when they look: with a canary on it or without.

type Rules = RouteTruth['rules'];

/** Somebody's own change of the rules; made twice it is made once. */
export type RouteEdit = 'own-rule' | 'own-filter' | 'reapply-route';

const web: Ref & object = {
  name: 'web',
  ...{ port: 80, group: '', kind: 'Service', weight: 1 },
};
const ownPath = { type: 'PathPrefix', value: '/own' };
const filter = {
  type: 'RequestHeaderModifier',
  requestHeaderModifier: { set: [{ name: 'x-own', value: 'yes' }] },
};

/** By what was done: the rules afterwards. Everything is written that the API server fills in. */
export const routeEdits: Readonly<Record<RouteEdit, (rules: Rules) => Rules>> = {
  'own-rule': ([first, ...others]) => [
    ...(first === undefined ? [] : [first]),
    ...(others.length > 0 ? others : [{ backendRefs: [web], matches: [{ path: ownPath }] }]),
  ],
  'own-filter': (rules) =>
    rules.map((rule, index) => (index === 0 ? { ...rule, filters: [filter] } : rule)),
  // As GitOps does it: what stands in the manifest, and nothing else.
  'reapply-route': () => [
    { backendRefs: [web], matches: [{ path: { type: 'PathPrefix', value: '/' } }] },
  ],
};

/** A share for the canary, in every rule that has one. */
export const reweighed =
  (canaryPercent: number) =>
  (rules: Rules): Rules =>
    rules.map((rule) => {
      if (rule.backendRefs.length < 2) return rule;
      const backendRefs = rule.backendRefs.map((ref) => ({
        ...ref,
        weight: ref.name === 'web' ? 100 - canaryPercent : canaryPercent,
      }));
      return { ...rule, backendRefs };
    });

/** The same in the last of them alone. */
export const reweighedInOne =
  (canaryPercent: number) =>
  (rules: Rules): Rules => {
    const last = rules.findLastIndex(({ backendRefs }) => backendRefs.length > 1);
    return rules.flatMap((rule, index) =>
      index === last ? reweighed(canaryPercent)([rule]) : [rule],
    );
  };

const group = 'gateway.networking.k8s.io/v1';

/** Rejects when the API server refuses it. */
export async function editRoute(world: World, change: (rules: Rules) => Rules): Promise<void> {
  const route = world.cluster.find(group, 'httproutes', world.namespace, 'web');
  const { rules } = (route?.spec ?? { rules: [] }) as unknown as Pick<RouteTruth, 'rules'>;
  const { signal } = new AbortController();
  const answer = await world.cluster.transport({ userAgent: 'kubectl' }).request(
    {
      method: 'PATCH',
      path: `/apis/${group}/namespaces/${world.namespace}/httproutes/web`,
      query: { fieldManager: 'kubectl' },
      contentType: 'application/merge-patch+json',
      body: { spec: { rules: change(rules) } },
    },
    signal,
  );
  if (answer.status !== 200) throw new Error(JSON.stringify(answer.json));
}
