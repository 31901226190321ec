import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { instant, percent } from '../../src/lib/units.ts';
import { trafficProviders } from '../../src/traffic-providers/registry.ts';
import type { RawObject } from '../../src/traffic-providers/traffic-provider.ts';

// Several Deployments on one route, and people who write to it meanwhile.

interface Ref {
  readonly name: string;
  readonly weight?: number;
}
const route = (...rules: readonly (readonly Ref[])[]): RawObject => ({
  metadata: { name: 'shop', namespace: 'shop', uid: 'route', resourceVersion: '7' },
  spec: { rules: rules.map((backendRefs) => ({ backendRefs })) },
});
const ref = (name: string, weight: number): Ref => ({ name, weight });
const uidOf = (app: string) => `${app.padEnd(8, '0')}-0000-4000-8000-000000000001`;
const bindingOf = (app: string) => ({
  deploymentUid: uidOf(app),
  revision: 'bbbbbbbbbb',
  service: app,
  canaryService: `${app}-canary-bbbbbbbbbb`,
});
const mark = {
  kind: 'rejected',
  revision: 'bbbbbbbbbb',
  rule: 'evidenceWorse',
  because: 'worse',
  at: instant(1_800_000_000_000),
} as const;

/** JSON merge patch (RFC 7386), as the API server applies it. */
function merged(target: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch;
  const result: Record<string, unknown> = { ...(target as object) };
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else result[key] = merged(result[key] ?? {}, value);
  }
  return result;
}
const refsOf = (raw: RawObject, rule = 0): readonly Ref[] =>
  (raw['spec'] as { rules: { backendRefs: Ref[] }[] }).rules[rule]?.backendRefs ?? [];
/** Share of an application's Service and its canary in a rule. */
function shareOf(raw: RawObject, app: string, rule = 0): number {
  const refs = refsOf(raw, rule);
  const total = refs.reduce((sum, { weight = 1 }) => sum + weight, 0);
  const own = refs.filter(({ name }) => name === app || name.startsWith(`${app}-canary-`));
  return own.reduce((sum, { weight = 1 }) => sum + weight, 0) / total;
}

const step = fc.record({
  app: fc.constantFrom('web', 'api'),
  verb: fc.constantFrom('attach', 'shift', 'lower', 'restore'),
  to: fc.integer({ min: 0, max: 100 }),
});
const weight = fc.integer({ min: 1, max: 10_000 });

describe.each(Object.values(trafficProviders))('the $kind provider', (provider) => {
  const act = (
    raw: RawObject,
    { app, verb, to }: typeof step extends fc.Arbitrary<infer T> ? T : never,
  ) => {
    const uid = uidOf(app);
    if (verb === 'attach') return merged(raw, provider.attach(raw, bindingOf(app)));
    if (verb === 'shift') return merged(raw, provider.shift(raw, uid, percent(to)));
    if (verb === 'lower') return merged(raw, provider.lower(raw, uid, percent(to), mark));
    return merged(raw, provider.restore(raw, uid));
  };
  const carried = (raw: RawObject, app: string) => provider.read(raw, uidOf(app), app).weight;

  test('steers each Deployment on a shared route as if it were alone on it', () =>
    fc.assert(
      fc.property(weight, weight, weight, fc.array(step, { maxLength: 20 }), (a, b, c, steps) => {
        const before = route(
          [ref('web', a), ref('search', c), ref('api', b)],
          [ref('web', 1)],
          [ref('search', 1)],
        );
        let raw = before;
        const weights = new Map<'web' | 'api', number>();
        for (const one of steps) {
          // The mechanism attaches once, and steers only then.
          if ((one.verb === 'attach') === weights.has(one.app)) continue;
          raw = act(raw, one) as RawObject;
          const most = one.verb === 'lower' ? weights.get(one.app) : 100;
          if (one.verb === 'restore') weights.delete(one.app);
          else weights.set(one.app, one.verb === 'attach' ? 0 : Math.min(one.to, most ?? 0));
          for (const app of ['web', 'api'] as const)
            expect(carried(raw, app)).toBe(weights.get(app) ?? 0);
          for (const app of ['web', 'api', 'search'])
            expect(shareOf(raw, app)).toBeCloseTo(shareOf(before, app), 9);
        }
        for (const app of weights.keys())
          raw = act(raw, { app, verb: 'restore', to: 0 }) as RawObject;
        expect(JSON.stringify(raw['spec'])).toBe(JSON.stringify(before['spec']));
      }),
      { numRuns: 500 },
    ));

  test('a backend added beside a canary keeps its weight, however often we write', () => {
    let raw = act(route([ref('web', 1)]), { app: 'web', verb: 'attach', to: 0 }) as RawObject;
    raw = merged(raw, {
      spec: { rules: [{ backendRefs: [...refsOf(raw), ref('new', 25)] }] },
    }) as RawObject;
    for (const to of [20, 50, 100, 20]) {
      raw = act(raw, { app: 'web', verb: 'shift', to }) as RawObject;
      expect(refsOf(raw).find(({ name }) => name === 'new')?.weight).toBe(25);
      expect(carried(raw, 'web')).toBe(to);
    }
  });

  test('a route that is applied anew in the middle has the weights of its new text', () => {
    const text = [ref('web', 3), ref('search', 1)];
    let raw = act(route([ref('web', 1)]), { app: 'web', verb: 'attach', to: 0 }) as RawObject;
    raw = act(raw, { app: 'web', verb: 'shift', to: 20 }) as RawObject;
    raw = merged(raw, { spec: { rules: [{ backendRefs: text }] } }) as RawObject;
    raw = act(raw, { app: 'web', verb: 'shift', to: 20 }) as RawObject;
    expect(shareOf(raw, 'search')).toBe(0.25);
    expect(carried(raw, 'web')).toBe(20);
    raw = act(raw, { app: 'web', verb: 'restore', to: 0 }) as RawObject;
    expect(refsOf(raw)).toEqual(text);
  });
});
