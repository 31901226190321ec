import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { instant, percent } from '../../src/lib/units.ts';
import { trafficProviders } from '../../src/traffic-providers/registry.ts';
import type { RawObject } from '../../src/traffic-providers/traffic-provider.ts';

// What every traffic provider promises, on whatever route a user may have written.

const uid = '0a1b2c3d-0000-4000-8000-000000000001';
const binding = {
  deploymentUid: uid,
  revision: 'bbbbbbbbbb',
  service: 'web',
  canaryService: 'web-canary-bbbbbbbbbb',
};
const mark = {
  kind: 'rejected',
  revision: 'bbbbbbbbbb',
  rule: 'evidenceWorse',
  because: 'worse',
  at: instant(1_800_000_000_000),
} as const;

interface Ref {
  readonly name: string;
  readonly weight?: number;
  readonly [field: string]: unknown;
}
interface Rule {
  readonly backendRefs: readonly Ref[];
  readonly [field: string]: unknown;
}

const route = (rules: readonly unknown[]): RawObject => ({
  apiVersion: 'gateway.networking.k8s.io/v1',
  kind: 'HTTPRoute',
  metadata: { name: 'web', namespace: 'shop', uid: 'route', resourceVersion: '7', generation: 3 },
  spec: { hostnames: ['web.test'], parentRefs: [{ name: 'gw' }], rules },
});
const ref = (name: string, weight?: number, more: object = {}): Ref => ({
  group: '',
  kind: 'Service',
  name,
  port: 80,
  ...(weight === undefined ? {} : { weight }),
  ...more,
});

/** JSON merge patch (RFC 7386), as the API server applies it. */
function merged(target: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch;
  const object = typeof target === 'object' && target !== null ? target : {};
  const result: Record<string, unknown> = { ...object };
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else result[key] = merged(result[key], value);
  }
  return result;
}
const apply = (raw: RawObject, patch: RawObject) => merged(raw, patch) as RawObject;
const rulesOf = (raw: RawObject) => (raw['spec'] as { rules: Rule[] }).rules;

const weight = fc.integer({ min: 0, max: 10_000 });
const filters = fc.constantFrom(
  {},
  { filters: [{ type: 'RequestHeaderModifier', requestHeaderModifier: { set: [{ name: 'a' }] } }] },
);
const other = fc
  .tuple(fc.constantFrom('search', 'legacy', 'web-canary'), weight, filters)
  .map(([name, w, more]) => ref(name, w, more));
const rule = fc
  .tuple(
    fc.uniqueArray(other, { maxLength: 3, selector: ({ name }) => name }),
    fc.option(fc.tuple(fc.integer({ min: 1, max: 10_000 }), filters, fc.nat(3))),
  )
  .map(([others, stable]) => {
    const refs = [...others];
    if (stable !== null) refs.splice(stable[2], 0, ref('web', stable[0], stable[1]));
    return { matches: [{ path: { type: 'PathPrefix', value: '/' } }], backendRefs: refs };
  });
const rules = fc
  .array(rule, { minLength: 1, maxLength: 4 })
  .filter((all) => all.some(({ backendRefs }) => backendRefs.some(({ name }) => name === 'web')));
const weights = fc.array(fc.integer({ min: 0, max: 100 }), { minLength: 1, maxLength: 8 });

describe.each(Object.values(trafficProviders))('the $kind provider', (provider) => {
  const carried = (raw: RawObject) => provider.read(raw, uid, 'web').weight;

  test('restores what the user had, byte for byte, after any weights', () =>
    fc.assert(
      fc.property(rules, weights, (before, path) => {
        let raw = apply(route(before), provider.attach(route(before), binding));
        expect(carried(raw)).toBe(0);
        for (const to of path) {
          raw = apply(raw, provider.shift(raw, uid, percent(to)));
          expect(carried(raw)).toBe(to);
          expect(provider.read(raw, uid, 'web').leastWeight).toBe(to);
        }
        raw = apply(raw, provider.lower(raw, uid, percent(0), mark));
        expect(provider.read(raw, uid, 'web').record?.mark).toEqual(mark);
        raw = apply(raw, provider.restore(raw, uid));
        expect(JSON.stringify(raw['spec'])).toBe(JSON.stringify(route(before)['spec']));
        expect(raw['metadata']).toEqual({
          ...(route(before)['metadata'] as object),
          annotations: {},
        });
      }),
      { numRuns: 300 },
    ));

  test('keeps the shares of the other backends, their filters and their order', () =>
    fc.assert(
      fc.property(rules, fc.integer({ min: 0, max: 100 }), (before, to) => {
        const attached = apply(route(before), provider.attach(route(before), binding));
        const raw = apply(attached, provider.shift(attached, uid, percent(to)));
        for (const [i, changed] of rulesOf(raw).entries()) {
          const was = before[i]?.backendRefs ?? [];
          const now = changed.backendRefs.filter(({ name }) => name !== binding.canaryService);
          expect(now.map(({ weight: _, ...rest }) => rest)).toEqual(
            was.map(({ weight: _, ...rest }) => rest),
          );
          const [total, totalNow] = [was, changed.backendRefs].map((all) =>
            all.reduce((sum, r) => sum + (r.weight ?? 1), 0),
          );
          for (const [j, one] of was.entries()) {
            if (one.name === 'web' || !total || !totalNow) continue;
            expect((now[j]?.weight ?? 0) / totalNow).toBeCloseTo((one.weight ?? 1) / total, 9);
          }
          expect(changed.backendRefs.every((r) => Number.isInteger(r.weight ?? 1))).toBe(true);
          expect(Math.max(0, ...changed.backendRefs.map((r) => r.weight ?? 1))).toBeLessThanOrEqual(
            1_000_000,
          );
          // A gateway may number its series by position: the canary comes last.
          const at = changed.backendRefs.findIndex(({ name }) => name === binding.canaryService);
          expect([-1, changed.backendRefs.length - 1]).toContain(at);
        }
      }),
      { numRuns: 300 },
    ));

  test('is safe to repeat', () => {
    const raw = route([{ backendRefs: [ref('web', 1)] }]);
    const once = apply(raw, provider.attach(raw, binding));
    const shifted = apply(once, provider.shift(once, uid, percent(5)));
    expect(apply(shifted, provider.shift(shifted, uid, percent(5)))).toEqual(shifted);
    const restored = apply(shifted, provider.restore(shifted, uid));
    expect(provider.restore(restored, uid)).toEqual({});
  });

  test('tells which raise was made last', () => {
    const raw = route([{ backendRefs: [ref('web', 1)] }]);
    const listed = apply(raw, provider.attach(raw, binding));
    const raised = apply(listed, provider.shift(listed, uid, percent(5), instant(7)));
    const lowered = apply(raised, provider.lower(raised, uid, percent(1), mark));
    const undone = apply(lowered, provider.shift(lowered, uid, percent(0)));
    const made = { to: percent(5), recordedAt: instant(7) };
    const told = [listed, raised, lowered, undone, apply(undone, provider.attach(undone, binding))];
    expect(told.map((one) => provider.read(one, uid, 'web').record?.raise)).toEqual([
      undefined,
      made,
      made,
      made,
      undefined,
    ]);
  });

  test('keeps what the user changed meanwhile', () => {
    const raw = route([{ backendRefs: [ref('web', 1), ref('search', 3)] }]);
    const attached = apply(raw, provider.attach(raw, binding));
    const edited = apply(attached, {
      spec: {
        rules: rulesOf(attached).map((one) => ({ ...one, timeouts: { request: '5s' } })),
      },
    });
    const restored = apply(edited, provider.restore(edited, uid));
    expect(rulesOf(restored)).toEqual([
      { backendRefs: [ref('web', 1), ref('search', 3)], timeouts: { request: '5s' } },
    ]);
  });

  describe('of several rules', () => {
    const canary = (weight: number) => ref(binding.canaryService, weight);
    const two = route([
      { backendRefs: [ref('web', 1)] },
      { backendRefs: [ref('web', 3), ref('search', 1)] },
    ]);
    const listed = apply(two, provider.attach(two, binding));
    const at20 = apply(listed, provider.shift(listed, uid, percent(20)));
    const [first] = rulesOf(at20);
    const edited = (second: readonly unknown[], raw = at20) =>
      apply(raw, { spec: { rules: [first, ...second] } });
    const lowered = edited([{ backendRefs: [ref('web', 285), ref('search', 100), canary(15)] }]);
    const weightsOf = (raw: RawObject) => {
      const { weight: most, leastWeight: least } = provider.read(raw, uid, 'web');
      return { most, least };
    };
    const shares = (raw: RawObject) =>
      rulesOf(raw).map(({ backendRefs }) => backendRefs.at(-1)?.weight);

    test('tells the least, and lowers none of them to more', () => {
      expect(weightsOf(at20)).toEqual({ most: 20, least: 20 });
      expect(weightsOf(lowered)).toEqual({ most: 20, least: 5 });
      const fenced = apply(lowered, provider.lower(lowered, uid, percent(20), mark));
      expect(shares(fenced)).toEqual([20, 15]);
      const down = apply(lowered, provider.lower(lowered, uid, percent(10), mark));
      expect(shares(down)).toEqual([10, 15]);
      const undone = apply(lowered, provider.shift(lowered, uid, percent(10)));
      expect(shares(undone)).toEqual([10, 15]);
      expect(shares(apply(lowered, provider.lower(lowered, uid, percent(0), mark)))).toEqual([
        0, 0,
      ]);
    });

    test('raises all, also to what some have already', () => {
      const raised = apply(lowered, provider.shift(lowered, uid, percent(20)));
      expect(raised['spec']).toEqual(at20['spec']);
      expect(weightsOf(raised)).toEqual({ most: 20, least: 20 });
    });

    test('tells one that the canary was taken off from one that somebody has added', () => {
      const taken = edited([{ backendRefs: [ref('web', 300), ref('search', 100)] }]);
      expect(weightsOf(taken)).toEqual({ most: 20, least: 0 });
      expect(shares(apply(taken, provider.lower(taken, uid, percent(20), mark)))).toEqual([20, 0]);
      const second = rulesOf(at20)[1];
      const added = edited([second, { backendRefs: [ref('web', 1)] }]);
      expect(weightsOf(added)).toEqual({ most: 20, least: 20 });
      const fenced = apply(added, provider.lower(added, uid, percent(20), mark));
      expect(shares(fenced)).toEqual([20, 60, 20]);
      expect(weightsOf(fenced)).toEqual({ most: 20, least: 20 });
      expect(weightsOf(edited([])), 'a rule that is gone').toEqual({ most: 20, least: 20 });
    });

    test('takes none for lowered that cannot give more', () => {
      const coarse = { backendRefs: [ref('web', 1), ref('search', 1_000_000)] };
      const before = route([{ backendRefs: [ref('web', 1)] }, coarse]);
      const attached = apply(before, provider.attach(before, binding));
      const raised = apply(attached, provider.shift(attached, uid, percent(20)));
      expect(shares(raised)).toEqual([20, 0]);
      expect(weightsOf(raised)).toEqual({ most: 20, least: 20 });
      const none = edited([{ backendRefs: [ref('web', 0), ref('search', 1), canary(0)] }]);
      expect(weightsOf(none), 'stable has no share there').toEqual({ most: 20, least: 20 });
    });
  });

  test('ignores a record of another Deployment, and one that cannot be read', () => {
    const raw = route([{ backendRefs: [ref('web', 1)] }]);
    const attached = apply(raw, provider.attach(raw, binding));
    expect(provider.read(attached, 'ffffffff-0000', 'web').record).toBeUndefined();
    const broken = apply(attached, {
      metadata: { annotations: { 'haldane.dev/canary-0a1b2c3d': '{"deploymentUid":' } },
    });
    expect(provider.read(broken, uid, 'web').record).toBeUndefined();
  });

  test.each([
    ['no rule names the Service', [{ backendRefs: [ref('search', 1)] }], /no rule/],
    ['the weights add up to 0', [{ backendRefs: [ref('web', 0)] }], /add up to 0/],
    ['the Service is named twice', [{ backendRefs: [ref('web', 1), ref('web', 2)] }], /twice/],
    [
      'the Service is in another namespace',
      [{ backendRefs: [ref('web', 1, { namespace: 'x' })] }],
      /no rule/,
    ],
    ['a weight is over the limit', [{ backendRefs: [ref('web', 1_000_001)] }], /above 1000000/],
  ])('says why it cannot steer: %s', (_when, before, problem) => {
    expect(provider.read(route(before), uid, 'web').problem).toMatch(problem);
  });

  test.each([
    ['none yet', [], false],
    [
      'an older generation',
      [
        ['Accepted', 'True', 2],
        ['ResolvedRefs', 'True', 2],
      ],
      false,
    ],
    [
      'this generation',
      [
        ['Accepted', 'True', 3],
        ['ResolvedRefs', 'True', 3],
      ],
      true,
    ],
    [
      'references not resolved',
      [
        ['Accepted', 'True', 3],
        ['ResolvedRefs', 'False', 3],
      ],
      false,
    ],
  ])('reads acceptance: %s', (_when, conditions, accepted) => {
    const parents = [
      {
        conditions: conditions.map(([type, status, observedGeneration]) => ({
          type,
          status,
          observedGeneration,
          reason: 'R',
        })),
      },
    ];
    const raw = { ...route([{ backendRefs: [ref('web', 1)] }]), status: { parents } };
    const view = provider.read(raw, uid, 'web');
    expect(view.accepted).toBe(accepted);
    expect(view.refusal !== undefined).toBe(_when === 'references not resolved');
  });
});
