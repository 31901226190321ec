import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { percent } from '../../../src/lib/units.ts';
import { decide } from '../../../src/rollout/decide.ts';
import { brokenBy } from '../../../src/rollout/invariants.ts';
import { nextWrite } from '../../../src/rollout/mechanism.ts';
import type { Snapshot } from '../../../src/rollout/snapshot.ts';
import { noticeId, type RolloutState } from '../../../src/rollout/state.ts';
import type { RouteMark, RouteView } from '../../../src/rollout/views.ts';
import {
  aDeployment,
  aPod,
  aReplicaSet,
  aRoute,
  aService,
  aSnapshot,
  aSpec,
  aState,
  at,
  canaryHash,
  fail,
  inconclusive,
  pass,
  stableHash,
  uid,
} from '../../builders/snapshot.ts';

const next = (change: Partial<Snapshot>) => {
  const snapshot = aSnapshot(change);
  const found = nextWrite(snapshot, decide(snapshot));
  if (found.kind === 'write') return found.action.kind;
  return found.kind === 'wait' ? `wait: ${found.condition}` : 'reached';
};

const bare = (change: Partial<ReturnType<typeof aReplicaSet>> = {}) =>
  aReplicaSet(canaryHash, {
    controllerUid: undefined,
    labels: { 'haldane.dev/canary-for': uid },
    replicas: 1,
    available: 1,
    ...change,
  });
const plainRoute = aRoute({ record: undefined, canaryService: undefined, weight: percent(0) });
const attached = aRoute({ weight: percent(0) });
const unpinned = aService('web', { selector: { app: 'web' } });
const fresh = aState({
  step: {
    index: -1,
    fromIndex: -1,
    from: percent(0),
    to: percent(0),
    raisedAt: at(0),
    inForceAt: null,
  },
});
const none = {
  canary: undefined,
  state: undefined,
  canaryService: undefined,
  route: plainRoute,
  service: unpinned,
  endpoints: { stable: aSnapshot().endpoints.stable, canary: new Set<string>() },
};
const unmarked = aDeployment({ annotations: { 'haldane.dev/enabled': 'true' } });
const emptySet = aReplicaSet(canaryHash, { replicas: 0, statusReplicas: 0 });
const noEndpoints = { stable: aSnapshot().endpoints.stable, canary: new Set<string>() };

/** What the route says when it names another canary. */
const another = (weight: number) => {
  const canaryService = 'web-canary-cccccccccc';
  const record = { ...(attached.record as object), revision: 'cccccccccc', canaryService };
  return { weight: percent(weight), canaryService, record: record as never };
};

describe('the way up, one write after another', () => {
  const start = { state: fresh, route: plainRoute };
  test.each<[string, Partial<Snapshot>, string]>([
    [
      'an empty twin is in the way (T2)',
      { ...none, deployment: unmarked, twins: [emptySet] },
      'delete-replica-set',
    ],
    [
      'a leftover is in the way',
      { ...none, deployment: unmarked, leftovers: [bare({ name: 'old' })] },
      'delete-replica-set',
    ],
    [
      'a Service of an earlier canary has come late',
      { ...none, deployment: unmarked, leftoverServices: [aService('web-canary-cccccccccc')] },
      'delete-canary-service',
    ],
    [
      'Progressing still tells of a rejection',
      {
        ...none,
        deployment: aDeployment({
          conditions: [
            { type: 'Progressing', status: 'False', reason: 'ProgressDeadlineExceeded' },
          ],
        }),
      },
      'set-progressing',
    ],
    ['nothing is there', { ...none, deployment: unmarked }, 'mark-rollout'],
    ['the Deployment is marked', none, 'create-canary'],
    [
      'the ReplicaSet is there',
      { ...none, ...start, canary: bare({ replicas: 0, available: 0 }) },
      'create-canary-service',
    ],
    [
      'the canary Service is there',
      { ...start, canary: bare({ replicas: 0, available: 0 }), service: unpinned },
      'pin-service',
    ],
    [
      'the Service is pinned',
      { ...start, canary: bare({ replicas: 0, available: 0 }) },
      'scale-canary',
    ],
    [
      'the endpoints are not those of stable yet',
      {
        ...start,
        canary: bare({ replicas: 0, available: 0 }),
        endpoints: { stable: new Set(['x']), canary: new Set<string>() },
      },
      'wait: Service has the endpoints of stable',
    ],
    ['pods start', { ...start, canary: bare({ available: 0 }) }, 'wait: canary pods are available'],
    [
      'pods have no endpoints yet',
      { ...start, endpoints: noEndpoints },
      'wait: canary Service has endpoints',
    ],
    ['pods are ready', start, 'attach-route'],
    [
      // Its weight would go to a Service that is not there.
      'a deposed leader has listed the canary of an earlier revision',
      { state: fresh, route: { ...attached, ...another(0) } },
      'restore-route',
    ],
    [
      'and somebody has given it weight',
      { state: fresh, route: { ...attached, ...another(10) } },
      'cut-route',
    ],
    [
      'a person asks for promotion before the first weight',
      {
        ...start,
        request: {
          verb: 'promote',
          revision: canaryHash,
          step: 0,
          id: 'a',
          by: 'ann',
        },
        canary: bare({ replicas: 4, available: 4 }),
        endpoints: { stable: new Set(['x']), canary: new Set(['1', '2', '3', '4']) },
      },
      'attach-route',
    ],
    [
      'the route is not accepted yet',
      { state: fresh, route: { ...attached, accepted: false } },
      'wait: route is accepted with the canary listed',
    ],
    [
      'the gateway has accepted it a moment ago',
      { state: fresh, route: attached, routeAcceptedSince: at(-1) },
      'wait: gateway has followed the listing',
    ],
    ['the route lists the canary', { state: fresh, route: attached }, 'record'],
    [
      'the raise is recorded',
      {
        state: aState({
          step: {
            index: 0,
            fromIndex: -1,
            from: percent(0),
            to: percent(1),
            raisedAt: at(-1),
            inForceAt: null,
          },
        }),
        route: attached,
      },
      'shift-route',
    ],
    ['the step passes', { verdict: pass }, 'record'],
  ])('when %s', (_when, change, expected) => expect(next(change)).toBe(expected));

  test('while the gateway follows it looks again at the moment when that is over', () => {
    const snapshot = aSnapshot({ state: fresh, route: attached, routeAcceptedSince: at(-1.5) });
    expect(nextWrite(snapshot, decide(snapshot))).toMatchObject({ kind: 'wait', lookAgain: 500 });
  });
});

describe('the way down', () => {
  const failing = { verdict: fail };
  const cut = aRoute({ weight: percent(0) });
  const mark = {
    kind: 'rejected',
    revision: canaryHash,
    rule: 'evidenceWorse',
    because: 'worse',
    at: at(-9),
  } as const;
  const rejected = { ...cut, record: { ...(cut.record as object), mark } as never };
  const told = { settledNotices: new Set([noticeId(aState(), 'rollback')]) };
  const recorded = {
    rejections: [{ revision: canaryHash, attempt: 1, rule: 'evidenceWorse', because: 'worse' }],
    deployment: aDeployment({
      conditions: [{ type: 'Progressing', status: 'False', reason: 'ProgressDeadlineExceeded' }],
    }),
  };
  const outcome = { kind: 'rollback', rule: 'evidenceWorse', because: 'worse', step: 2 } as const;
  const over = aState({ outcome: { ...outcome, at: at(-9), weight: percent(5) } });
  const scaled = { canary: bare({ replicas: 0 }), state: over };
  const flipped = {
    route: aRoute({ weight: percent(100) }),
    service: aService('web', { selector: { app: 'web', 'pod-template-hash': canaryHash } }),
  };
  test.each<[string, Partial<Snapshot>, string]>([
    ['the verdict fails: the cut is the first write', failing, 'cut-route'],
    ['the cut is made', { route: rejected }, 'mark-rejected'],
    [
      'the rejection is recorded',
      { route: rejected, ...recorded, deployment: aDeployment() },
      'set-progressing',
    ],
    [
      'requests still drain',
      { route: rejected, ...recorded, routeAcceptedSince: at(-1) },
      'wait: canary has drained',
    ],
    ['requests have drained', { route: rejected, ...recorded }, 'restore-route'],
    [
      // A listing that took longer than its time-out came after everything had been taken away.
      'the route names a Service that is gone, so the gateway refuses it',
      {
        ...none,
        ...recorded,
        listedService: undefined,
        route: { ...rejected, accepted: false, refusal: 'BackendNotFound' },
        routeAcceptedSince: undefined,
      },
      'restore-route',
    ],
    [
      // A stale list shows an earlier canary, whose Service is gone, and not the one that was cut.
      'the route names the Service of another canary, which still drains',
      { route: rejected, ...recorded, canaryService: undefined, routeAcceptedSince: at(-1) },
      'wait: canary has drained',
    ],
    ['the route is restored', { route: plainRoute, ...recorded }, 'scale-canary'],
    [
      // Or a deposed leader that saw the same state would scale it up behind an unpinned Service.
      'no pod was ever started: the end is recorded all the same',
      { route: plainRoute, ...recorded, canary: bare({ replicas: 0 }) },
      'scale-canary',
    ],
    ['pods are going', { route: plainRoute, ...recorded, ...scaled }, 'wait: canary pods are gone'],
    [
      'pods are gone',
      {
        route: plainRoute,
        ...recorded,
        ...scaled,
        pods: { stable: aSnapshot().pods.stable, canary: [] },
      },
      'unpin-service',
    ],
    [
      'the Service is unpinned',
      {
        route: plainRoute,
        ...recorded,
        ...scaled,
        pods: { stable: aSnapshot().pods.stable, canary: [] },
        service: unpinned,
      },
      'delete-canary-service',
    ],
    [
      'nobody was told yet',
      {
        route: plainRoute,
        ...recorded,
        ...scaled,
        pods: { stable: aSnapshot().pods.stable, canary: [] },
        service: unpinned,
        canaryService: undefined,
      },
      'wait: people were told',
    ],
    [
      'people were told',
      {
        route: plainRoute,
        ...recorded,
        ...told,
        ...scaled,
        pods: { stable: aSnapshot().pods.stable, canary: [] },
        service: unpinned,
        canaryService: undefined,
      },
      'delete-replica-set',
    ],
    [
      'the verdict fails although Slack, state and stable are broken',
      { ...failing, state: 'unreadable', lastRecordedAt: undefined },
      'cut-route',
    ],
    [
      // An adoption that landed late ended the pods that the Service had been led back to.
      'the Service already leads to the canary: no adoption may land any more',
      { ...failing, ...flipped },
      'record',
    ],
    ['and then it is undone first', { ...failing, ...flipped, state: over }, 'pin-service'],
    [
      'the Service already leads to the canary, and no state is left to record in',
      { ...failing, ...flipped, state: 'unreadable' },
      'pin-service',
    ],
    [
      'stable has no ready pod',
      { ...failing, endpoints: { stable: new Set<string>(), canary: new Set(['x']) } },
      'wait: stable can take the requests',
    ],
  ])('when %s', (_when, change, expected) => expect(next(change)).toBe(expected));

  test('when its reason is over, the promotion is recorded anew', () => {
    const step = { ...aState().step, index: 5, fromIndex: 4, to: percent(100) };
    const canary = new Set(['a', 'b', 'c', 'd']);
    const snapshot = aSnapshot({
      ...flipped,
      state: { ...over, step },
      canary: bare({ replicas: 4, available: 4 }),
      endpoints: { ...aSnapshot().endpoints, canary },
    });
    expect(nextWrite(snapshot, decide(snapshot))).toMatchObject({
      condition: 'promotion is recorded',
      action: { kind: 'record', state: { outcome: null, step: { index: 5 } } },
    });
  });

  test('while requests drain it looks again at the moment when that is over', () => {
    const snapshot = aSnapshot({ route: rejected, ...recorded, routeAcceptedSince: at(-4.75) });
    expect(nextWrite(snapshot, decide(snapshot))).toMatchObject({ kind: 'wait', lookAgain: 250 });
  });
});

describe('nothing at rest', () => {
  const quiet = {
    ...none,
    deployment: aDeployment({
      templateHash: stableHash,
      paused: false,
      annotations: { 'haldane.dev/enabled': 'true' },
    }),
  };
  test('no write in on-change mode', () => expect(next(quiet)).toBe('reached'));
  test('paused once in at-rest mode', () => {
    expect(next({ ...quiet, pauseMode: 'at-rest' })).toBe('pause-at-rest');
    const annotations = {
      'haldane.dev/enabled': 'true',
      'haldane.dev/original-progress-deadline': '600',
    };
    const paused = aDeployment({ templateHash: stableHash, annotations });
    expect(next({ ...quiet, pauseMode: 'at-rest', deployment: paused })).toBe('reached');
  });
  test('but a Service of a canary, seen late, goes: at rest, rejected and opted out', () => {
    const late = { leftoverServices: [aService('web-canary-cccccccccc')] };
    const rejections = [{ revision: canaryHash, attempt: 1, rule: 'r', because: 'b' }];
    const left = aDeployment({ templateHash: stableHash, paused: false, annotations: {} });
    const pods = { ...aSnapshot().pods, canary: [] };
    const out = { ...quiet, optedIn: false, deployment: left, pods };
    expect(next(out)).toBe('reached');
    for (const s of [quiet, { ...none, rejections }, out])
      expect(next({ ...s, ...late })).toBe('delete-canary-service');
  });
  test('a rejected template rests', () => {
    const rejections = [{ revision: canaryHash, attempt: 1, rule: 'r', because: 'b' }];
    const failed = {
      type: 'Progressing',
      status: 'False',
      reason: 'ProgressDeadlineExceeded',
    };
    const told = aDeployment({ conditions: [failed] });
    expect(next({ ...none, rejections, deployment: told })).toBe('reached');
    // It came back after the stable template had been written in its place.
    const again = aDeployment({ annotations: { 'haldane.dev/enabled': 'true' } });
    expect(next({ ...none, rejections, deployment: again })).toBe('mark-rollout');
    expect(next({ ...none, rejections })).toBe('set-progressing');
  });
});

test('a pin that somebody removed comes back while the canary has pods (T13)', () =>
  expect(next({ service: unpinned })).toBe('pin-service'));

// Its adoption may have landed, and its answer be lost: the pods that were stable go then.
test('a hold does not lead the Service back from a canary that has all requests', () => {
  const route = aRoute({ weight: percent(100), accepted: false, refusal: 'no such Gateway' });
  const selector = { app: 'web', 'pod-template-hash': canaryHash };
  const service = aService('web', { selector });
  const step = { ...aState().step, to: percent(100) };
  const held = { route, service, state: aState({ step }), routeRefusedSince: at(-1) };
  expect(next(held)).not.toBe('pin-service');
  expect(next({ ...held, route: { ...route, leastWeight: percent(5) } })).toBe('pin-service');
});

test('resuming after somebody lowered the weight raises it again, recorded first', () => {
  const route = aRoute({ weight: percent(1) });
  const request = { verb: 'resume', revision: canaryHash, step: 2, id: 'two', by: 'ada' } as const;
  const paused = aState({ pause: { by: 'route', at: at(-9), because: 'lowered' } });
  const snapshot = aSnapshot({ route, request, state: paused });
  const decision = decide(snapshot);
  expect(decision.goal.kind).toBe('record');
  const state = decision.goal.kind === 'record' ? decision.goal.state : paused;
  expect(next({ route, request, state })).toBe('shift-route');
});

describe('a pause keeps a raise from landing that is still under way', () => {
  const asked = { verb: 'pause', revision: canaryHash, id: 'two', by: 'ada' } as const;
  const request = { ...asked, step: undefined };
  const raise = { index: 1, fromIndex: 0, from: percent(10), to: percent(25), raisedAt: at(-20) };
  const raising = { ...raise, inForceAt: null };
  const fenced = (seconds: number, kind: RouteMark['kind'] = 'fenced') => {
    const mark = { kind, revision: canaryHash, rule: 'r', because: 'b' } as const;
    const record = { ...(attached.record as object), mark: { ...mark, at: at(seconds) } };
    return { weight: percent(10), record: record as never };
  };
  const from = { weight: percent(10) };
  test.each<[string, Partial<RolloutState['step']>, Partial<RouteView>, string]>([
    ['its answer never came', {}, from, 'fence-route'],
    ['the route was written for an earlier pause', {}, fenced(-21), 'fence-route'],
    ['the route was written since', {}, fenced(-19), 'record'],
    ['it has landed', {}, { weight: percent(25) }, 'record'],
    ['it is in force', { inForceAt: at(-9) }, { weight: percent(25) }, 'record'],
    // The record that it is in force was long under way, while a hand had undone the raise and it
    // was asked for again.
    ['it is in force by a late record', { inForceAt: at(-9) }, from, 'fence-route'],
    ['and the route was written since', { inForceAt: at(-9) }, fenced(-8), 'record'],
    ['a suspicion has lowered it', { inForceAt: at(-9) }, fenced(-8, 'flinch'), 'record'],
    ['nothing was raised', { from: percent(25) }, { weight: percent(25) }, 'record'],
  ])('%s', (_what, step, route, expected) => {
    const state = aState({ step: { ...raising, ...step } });
    expect(next({ request, state, route: aRoute(route) })).toBe(expected);
  });
  test('once, although the clock by which the raise was recorded is ahead', () => {
    const state = aState({ step: { ...raising, raisedAt: at(30) } });
    const s = aSnapshot({ request, state, route: aRoute(from) });
    const found = nextWrite(s, decide(s));
    const mark = found.kind === 'write' && 'mark' in found.action ? found.action.mark : undefined;
    const record = { ...(attached.record as object), mark };
    const route = aRoute({ ...from, record: record as never });
    expect(next({ request, state, route })).toBe('record');
  });
  test('nor does it land on a promotion that somebody asks for meanwhile', () => {
    const promotion = { ...asked, verb: 'promote', step: undefined } as const;
    const asking = { request: promotion, state: aState({ step: raising }) };
    const endpoints = { stable: new Set(['x']), canary: new Set(['1', '2', '3', '4']) };
    const pods = { canary: bare({ replicas: 4, available: 4 }), endpoints };
    const promoting = (route: Partial<RouteView>) =>
      next({ ...asking, ...pods, route: aRoute(route) });
    expect(promoting(from)).toBe('fence-route');
    expect(promoting(fenced(-19))).toBe('record');
  });
  test('nor does the mark of a pause stand for a reason to take all traffic off', () => {
    const verdict = fail;
    const step = { ...raising, fromIndex: -1, index: 0, from: percent(0) };
    const route = aRoute({ ...fenced(-19), weight: percent(0) });
    expect(next({ verdict, state: aState({ step }), route })).toBe('cut-route');
  });
});

describe('no write breaks an invariant, whatever is observed', () => {
  const change = fc.record(
    {
      verdict: fc.constantFrom(pass, fail, inconclusive('stale-data'), inconclusive('min-step')),
      adopted: fc.boolean(),
      optedIn: fc.boolean(),
      pauseMode: fc.constantFrom('on-change' as const, 'at-rest' as const),
      problems: fc.constantFrom([], [{ key: 'k', message: 'm' }]),
      spec: fc.constantFrom(aSpec(), aSpec({ onReject: 'revert' })),
      deployment: fc
        .tuple(
          fc.constantFrom(stableHash, canaryHash, 'cccccccccc'),
          fc.boolean(),
          fc.integer({ min: 0, max: 5 }),
          fc.boolean(),
        )
        .map(([templateHash, paused, replicas, marked]) =>
          aDeployment({ templateHash, paused, replicas, ...(marked ? {} : { annotations: {} }) }),
        ),
      canary: fc.option(
        fc
          .tuple(fc.integer({ min: 0, max: 5 }), fc.integer({ min: 0, max: 5 }), fc.boolean())
          .map(([replicas, available, mutated]) =>
            bare({ replicas, available, ...(mutated ? { templateHash: 'dddddddddd' } : {}) }),
          ),
        { nil: undefined },
      ),
      stable: fc.constantFrom(undefined, aReplicaSet(stableHash)),
      state: fc.option(
        fc.tuple(fc.integer({ min: -1, max: 5 }), fc.boolean()).map(([index, inForce]) =>
          aState({
            step: {
              index,
              fromIndex: index - 1,
              from: percent([0, 1, 5, 10, 25, 50][index] ?? 0),
              to: percent([0, 1, 5, 10, 25, 50, 100][index + 1] ?? 0),
              raisedAt: at(-9),
              inForceAt: inForce ? at(-8) : null,
            },
          }),
        ),
        { nil: 'unreadable' as const },
      ),
      route: fc.option(
        fc
          .tuple(
            fc.constantFrom(0, 1, 5, 10, 25, 50, 100),
            fc.constantFrom(0, 1, 100),
            fc.boolean(),
            fc.constantFrom(
              undefined,
              'rejected' as const,
              'withdrawn' as const,
              'flinch' as const,
            ),
          )
          .map(([weight, least, accepted, kind]) => {
            const leastWeight = percent(Math.min(weight, least));
            const route = aRoute({ weight: percent(weight), leastWeight, accepted });
            const mark = kind && {
              kind,
              revision: canaryHash,
              rule: 'r',
              because: 'b',
              at: at(-5),
            };
            return { ...route, record: { ...(route.record as object), mark } as never };
          }),
        { nil: plainRoute },
      ),
      service: fc.constantFrom(
        unpinned,
        aService('web'),
        aService('web', { selector: { app: 'web', 'pod-template-hash': canaryHash } }),
      ),
      canaryService: fc.constantFrom(undefined, aService(`web-canary-${canaryHash}`)),
      endpoints: fc.tuple(fc.boolean(), fc.boolean()).map(([a, b]) => ({
        stable: a ? aSnapshot().endpoints.stable : new Set<string>(),
        canary: b ? new Set(['uid-c']) : new Set<string>(),
      })),
      pods: fc.tuple(fc.boolean(), fc.boolean()).map(([a, b]) => ({
        stable: [0, 1, 2, 3].map((i) => aPod(stableHash, i, { ready: a })),
        canary: [aPod(canaryHash, 0, { ready: b })],
      })),
      rejections: fc.constantFrom(
        [],
        [{ revision: canaryHash, attempt: 1, rule: 'r', because: 'b' }],
      ),
      active: fc.constantFrom([], [aReplicaSet(stableHash)]),
    },
    { requiredKeys: [] },
  );

  test('over random snapshots', () =>
    fc.assert(
      fc.property(change, (drawn) => {
        const made = aSnapshot(drawn);
        // Live state stands on the canary.
        const snapshot = made.canary === undefined ? { ...made, state: undefined } : made;
        const found = nextWrite(snapshot, decide(snapshot));
        if (found.kind !== 'write') return;
        expect(
          brokenBy(found.action, snapshot),
          `${decide(snapshot).rule}: ${found.condition}`,
        ).toBeUndefined();
      }),
      { numRuns: 20_000 },
    ));
});
