import { describe, expect, test } from 'vitest';
import { type Instant, millis, percent } from '../../../src/lib/units.ts';
import { decide, type RuleName, ruleNames } from '../../../src/rollout/decide.ts';
import type { Decision } from '../../../src/rollout/decision.ts';
import type { RolloutRequest } from '../../../src/rollout/rollout-spec.ts';
import type { Snapshot } from '../../../src/rollout/snapshot.ts';
import type { RouteMark } from '../../../src/rollout/views.ts';
import {
  aDeployment,
  aMark,
  aPod,
  aReplicaSet,
  aRoute,
  aSnapshot,
  aSpec,
  aState,
  at,
  canaryHash,
  fail,
  inconclusive,
  pass,
  stableHash,
} from '../../builders/snapshot.ts';

const request = (verb: RolloutRequest['verb'], change: Partial<RolloutRequest> = {}) => ({
  request: { verb, revision: canaryHash, step: 2, id: 'one', by: 'ada', ...change },
});
const step = (change: Partial<ReturnType<typeof aState>['step']>) =>
  aState({ step: { ...aState().step, ...change } });
const marked = (kind: RouteMark['kind'], weight = 0, revision?: string, listed = canaryHash) => {
  const route = aRoute({ weight: percent(weight) });
  const record = { ...(route.record as object), revision: listed, mark: aMark(kind, revision) };
  return { route: { ...route, record: record as never } };
};
const sickPod = { name: 'a', uid: 'uid-a', restarts: 0 };
const restartedPod = { name: 'a', uid: 'uid-a', exposedRequests: 9, failedRequests: 7 };
const markedPod = (since: Instant) => {
  const route = aRoute({ weight: percent(0) });
  const about = { ...aMark('flinch'), at: since, pod: sickPod };
  return { route: { ...route, record: { ...(route.record as object), mark: about } as never } };
};
const crashed = (hash: string) =>
  aPod(hash, 0, { ready: false, trouble: { kind: 'crashed', message: 'container web crashed' } });
const crashedAt = (hash: string, endedAt: Instant) => {
  const trouble = { kind: 'crashed', message: 'container web crashed', endedAt } as const;
  return aPod(hash, 0, { trouble });
};
const overturned = {
  adopted: true,
  deployment: aDeployment({ templateHash: stableHash }),
  canary: aReplicaSet(canaryHash, { replicas: 0 }),
};
const overturning = {
  kind: 'superseded',
  rule: 'promotionOverturned',
  because: 'the template was the stable one again',
  at: at(-5),
  weight: percent(100),
  step: 5,
} as const;
const lastStep = step({ index: 4, fromIndex: 3, from: percent(25), to: percent(50) });
const noCanary = {
  canary: undefined,
  state: undefined,
  route: aRoute({ record: undefined, canaryService: undefined, weight: percent(0) }),
};
const rest = {
  ...noCanary,
  deployment: aDeployment({
    templateHash: stableHash,
    paused: false,
    annotations: { 'haldane.dev/enabled': 'true' },
  }),
};
const rejection = { revision: canaryHash, attempt: 1, rule: 'evidenceWorse', because: 'worse' };

type Row = [
  when: string,
  change: Partial<Snapshot>,
  rule: RuleName,
  goal: Decision['goal']['kind'],
];
const rows: Row[] = [
  ['nothing has happened', rest, 'unchanged', 'rest'],
  ['the opt-in annotation is gone, with traces', { optedIn: false }, 'optedOut', 'opt-out'],
  [
    'the opt-in annotation is gone, without traces',
    { ...rest, optedIn: false },
    'optedOut',
    'ignore',
  ],
  [
    'the opt-in annotation is gone, and only a notice is remembered',
    {
      ...rest,
      optedIn: false,
      deployment: aDeployment({ annotations: { 'haldane.dev/notified': 'x' }, paused: false }),
    },
    'optedOut',
    'opt-out',
  ],
  [
    'the annotations are invalid',
    { ...rest, problems: [{ key: 'k', message: 'm' }] },
    'invalid',
    'invalid',
  ],
  [
    'the annotations become invalid in the middle',
    { problems: [{ key: 'k', message: 'm' }] },
    'gathering',
    'hold',
  ],
  ['a new template is there', { ...noCanary, verdict: undefined }, 'firstStep', 'carry'],
  [
    'a new template rolls natively',
    { ...noCanary, deployment: aDeployment({ paused: false }) },
    'rolledNatively',
    'rest',
  ],
  [
    'the template was rejected before',
    { ...noCanary, rejections: [rejection] },
    'rejectedBefore',
    'rejected',
  ],
  [
    'somebody retries it',
    { ...noCanary, rejections: [rejection], ...request('retry') },
    'retryRequested',
    'retry',
  ],
  [
    'a retry names another revision',
    { ...noCanary, rejections: [rejection], ...request('retry', { revision: 'x' }) },
    'rejectedBefore',
    'rejected',
  ],
  [
    'the template was rejected before, and serves since somebody let it',
    { ...rest, rejections: [{ ...rejection, revision: stableHash }] },
    'unchanged',
    'rest',
  ],
  [
    'the stable template is back, and the rejection of another is remembered',
    { ...rest, rejections: [rejection] },
    'unchanged',
    'rest',
  ],
  [
    'the user goes back to stable',
    { deployment: aDeployment({ templateHash: stableHash }) },
    'templateReverted',
    'withdraw',
  ],
  [
    'another revision comes',
    { deployment: aDeployment({ templateHash: 'cccccccccc' }) },
    'templateChanged',
    'withdraw',
  ],
  [
    'its template comes back when the last pod is gone',
    {
      canary: aReplicaSet(canaryHash, { replicas: 0 }),
      state: aState({
        outcome: {
          kind: 'superseded',
          rule: 'templateChanged',
          because: 'another one',
          at: at(-5),
          weight: percent(5),
          step: 2,
        },
      }),
    },
    'withdrawalUnderWay',
    'withdraw',
  ],
  [
    'the copy was mutated',
    { canary: aReplicaSet(canaryHash, { templateHash: 'dddddddddd' }) },
    'templateMutated',
    'roll-back',
  ],
  [
    'the Deployment was resumed',
    { deployment: aDeployment({ paused: false }) },
    'resumedByHand',
    'withdraw',
  ],
  ['the canary is adopted', { adopted: true }, 'promotionUnderWay', 'promote'],
  [
    'and the opt-in annotation is gone',
    { adopted: true, optedIn: false },
    'promotionUnderWay',
    'promote',
  ],
  [
    'the canary is adopted and the verdict fails',
    { adopted: true, verdict: fail },
    'promotionUnderWay',
    'promote',
  ],
  [
    'the Deployment has taken away what it adopted, for its template is the stable one again',
    overturned,
    'promotionOverturned',
    'withdraw',
  ],
  [
    'and the opt-in annotation is gone, too',
    { ...overturned, optedIn: false },
    'promotionOverturned',
    'withdraw',
  ],
  [
    'and the template changes once more',
    { ...overturned, deployment: aDeployment(), state: aState({ outcome: overturning }) },
    'promotionOverturned',
    'withdraw',
  ],
  [
    'the template is the stable one again, and the canary is adopted',
    { adopted: true, deployment: aDeployment({ templateHash: stableHash }) },
    'promotionUnderWay',
    'promote',
  ],
  [
    'the route says rejected',
    { ...marked('rejected'), verdict: pass },
    'rollbackUnderWay',
    'roll-back',
  ],
  [
    'the Deployment says rejected',
    { rejections: [rejection], verdict: pass },
    'rollbackUnderWay',
    'roll-back',
  ],
  [
    'the route says rejected, and the opt-in annotation is gone',
    { ...marked('rejected'), optedIn: false },
    'rollbackUnderWay',
    'roll-back',
  ],
  [
    'a stale list shows that an earlier attempt was rejected',
    { rejections: [rejection], state: aState({ attempt: 2 }), verdict: pass },
    'stepPassed',
    'carry',
  ],
  [
    'somebody deleted the canary',
    { canary: undefined, state: undefined },
    'canaryLost',
    'withdraw',
  ],
  [
    'nothing is left to compare with',
    { stable: undefined, active: [] },
    'nothingToCompare',
    'withdraw',
  ],
  ['the state cannot be read', { state: 'unreadable' }, 'stateUnreadable', 'roll-back'],
  ['somebody asks for a rollback', request('rollback'), 'rollbackRequested', 'roll-back'],
  [
    'somebody asks for a rollback without naming the step',
    request('rollback', { step: undefined }),
    'rollbackRequested',
    'roll-back',
  ],
  [
    'a canary pod crashes',
    { pods: { stable: [aPod(stableHash, 0)], canary: [crashed(canaryHash)] } },
    'podsBroken',
    'roll-back',
  ],
  [
    'stable pods crash just as well',
    { pods: { stable: [crashed(stableHash)], canary: [crashed(canaryHash)] } },
    'gathering',
    'hold',
  ],
  [
    'and did so a minute ago',
    { pods: { stable: [crashedAt(stableHash, at(-60))], canary: [crashed(canaryHash)] } },
    'gathering',
    'hold',
  ],
  [
    // Their status tells of that crash until the next one.
    'stable pods crashed long ago, and are well',
    { pods: { stable: [crashedAt(stableHash, at(-601))], canary: [crashed(canaryHash)] } },
    'podsBroken',
    'roll-back',
  ],
  [
    'a crashed canary pod is on its way out',
    {
      pods: { stable: [aPod(stableHash, 0)], canary: [{ ...crashed(canaryHash), deleting: true }] },
    },
    'gathering',
    'hold',
  ],
  ['the evidence says worse', { verdict: fail }, 'evidenceWorse', 'roll-back'],
  [
    'the evidence says worse while paused',
    { verdict: fail, state: aState({ pause: { by: 'ada', at: at(-9), because: 'lunch' } }) },
    'evidenceWorse',
    'roll-back',
  ],
  [
    'a suspicion is strong',
    { flinch: { kind: 'lower', to: percent(1), because: 's' } },
    'flinch',
    'flinch',
  ],
  [
    'a rejection rests upon one pod',
    { verdict: inconclusive('sick-pod'), sickPod: { pod: sickPod, because: 'pod a fails alone' } },
    'sickPod',
    'flinch',
  ],
  ['a pod is waited for', markedPod(at(-1)), 'restartAwaited', 'hold'],
  ['a pod is waited for too long', markedPod(at(-600)), 'restartAwaited', 'roll-back'],
  [
    'a pod was restarted',
    { ...markedPod(at(-1)), state: aState({ restartedPod }) },
    'restartAwaited',
    'carry',
  ],
  ['a suspicion lasts', marked('flinch', 1), 'flinched', 'hold'],
  [
    'a suspicion lasts although the step would pass',
    { ...marked('flinch', 1), verdict: pass },
    'flinched',
    'hold',
  ],
  [
    'a suspicion has passed',
    { ...marked('flinch', 1), flinch: { kind: 'return', because: 's' } },
    'flinched',
    'carry',
  ],
  [
    'canary pods are not ready in time',
    { canaryUnavailableSince: at(-300) },
    'podsNotReady',
    'roll-back',
  ],
  [
    'the gateway refuses the route',
    { route: aRoute({ accepted: false, refusal: 'no' }), routeRefusedSince: at(-5) },
    'routeRefused',
    'hold',
  ],
  [
    'the gateway refuses the route for long',
    { route: aRoute({ accepted: false, refusal: 'no' }), routeRefusedSince: at(-60) },
    'routeRefused',
    'roll-back',
  ],
  [
    'somebody lowered the weight',
    { route: aRoute({ weight: percent(2) }) },
    'weightChangedByHand',
    'record',
  ],
  ['the canary was withdrawn, and its template is back', marked('withdrawn'), 'flinched', 'carry'],
  [
    'it was withdrawn for an earlier revision that a stale list has shown',
    marked('withdrawn', 0, stableHash),
    'flinched',
    'carry',
  ],
  [
    'another revision was withdrawn',
    marked('withdrawn', 0, stableHash, stableHash),
    'weightChangedByHand',
    'record',
  ],
  [
    'somebody raised the weight',
    { route: aRoute({ weight: percent(60) }) },
    'weightChangedByHand',
    'carry',
  ],
  ['somebody asks for a pause', request('pause'), 'pauseRequested', 'record'],
  [
    'it is paused and the step passes',
    { verdict: pass, state: aState({ pause: { by: 'ada', at: at(-9), because: 'lunch' } }) },
    'paused',
    'hold',
  ],
  [
    'somebody resumes',
    { ...request('resume'), state: aState({ pause: { by: 'ada', at: at(-9), because: 'lunch' } }) },
    'resumeRequested',
    'record',
  ],
  ['somebody promotes', request('promote'), 'promoteRequested', 'promote'],
  ['somebody skips the step', request('skip-step'), 'skipRequested', 'carry'],
  ['a request names a step that is over', request('promote', { step: 1 }), 'gathering', 'hold'],
  ['a request names another revision', request('rollback', { revision: 'x' }), 'gathering', 'hold'],
  [
    'a request was taken before',
    { ...request('pause'), state: aState({ requestId: 'one' }) },
    'gathering',
    'hold',
  ],
  [
    'the weight is not in force yet',
    { state: step({ inForceAt: null }) },
    'weightNotInForce',
    'carry',
  ],
  [
    'a raise was recorded and not made',
    { state: step({ inForceAt: null }), route: aRoute({ weight: percent(1) }) },
    'gathering',
    'hold',
  ],
  [
    'a raise was recorded and not made, and there is a fresh pass',
    { state: step({ inForceAt: null }), route: aRoute({ weight: percent(1) }), verdict: pass },
    'stepPassed',
    'carry',
  ],
  ['data are stale', { verdict: inconclusive('stale-data') }, 'cannotJudge', 'hold'],
  ['stable is in an outage', { verdict: inconclusive('stable-outage') }, 'cannotJudge', 'hold'],
  [
    'no canary traffic comes',
    { verdict: inconclusive('no-canary-traffic') },
    'cannotJudge',
    'hold',
  ],
  ['no verdict comes in time', { spec: aSpec({ maxStep: millis(19_000) }) }, 'stepTooLong', 'hold'],
  ['the step passes', { verdict: pass }, 'stepPassed', 'carry'],
  [
    'the last step passes too early for its bake',
    {
      verdict: pass,
      state: lastStep,
      route: aRoute({ weight: percent(50) }),
      spec: aSpec({ bake: millis(60_000) }),
    },
    'baking',
    'hold',
  ],
  [
    'the last step passes',
    { verdict: pass, state: lastStep, route: aRoute({ weight: percent(50) }) },
    'stepPassed',
    'promote',
  ],
  [
    'the canary carries everything',
    {
      verdict: inconclusive('settling'),
      state: step({ index: 5, to: percent(100) }),
      route: aRoute({ weight: percent(100) }),
    },
    'promoting',
    'promote',
  ],
];

describe('the rule that answers', () => {
  test.each(rows)('when %s', (_when, change, rule, goal) => {
    const decision = decide(aSnapshot(change));
    expect([decision.rule, decision.goal.kind]).toEqual([rule, goal]);
    expect(decision.because).not.toBe('');
  });

  test('every rule answers somewhere in the table', () => {
    const answered = new Set(rows.map(([, , rule]) => rule));
    expect(ruleNames.filter((rule) => !answered.has(rule))).toEqual([]);
  });
});

describe('safety, whatever else is so', () => {
  const raises = (decision: Decision) =>
    decision.goal.kind === 'carry' || decision.goal.kind === 'promote';

  test.each(rows)('nothing but a pass, a person or a repair raises: %s', (_when, change, rule) => {
    const allowed: RuleName[] = [
      'stepPassed',
      'promoteRequested',
      'skipRequested',
      'promoting',
      'promotionUnderWay',
      'firstStep',
      'weightNotInForce',
      'weightChangedByHand',
      'restartAwaited',
      'flinched',
    ];
    const decision = decide(aSnapshot(change));
    expect(raises(decision) ? allowed : [rule]).toContain(decision.rule);
  });

  test.each(rows)('a failing verdict never raises before adoption: %s', (_when, change) => {
    const snapshot = aSnapshot({ ...change, verdict: fail });
    const decision = decide(snapshot);
    const climbs = decision.goal.kind === 'carry' && snapshot.canary !== undefined;
    expect(climbs || (decision.goal.kind === 'promote' && !snapshot.adopted)).toBe(false);
  });
});
