import type { Verdict } from '../../../src/analysis/verdict.ts';
import type { KubernetesRequest } from '../../../src/kubernetes/transport.ts';
import { millis, percent } from '../../../src/lib/units.ts';
import { ascend, sustain } from '../../../src/rollout/ascend.ts';
import { descend } from '../../../src/rollout/descend.ts';
import { promote } from '../../../src/rollout/promote.ts';
import { rest, stayRejected } from '../../../src/rollout/rest.ts';
import { type Snapshot, stateOf } from '../../../src/rollout/snapshot.ts';
import type { SceneName } from './scenes.ts';
import {
  type Bug,
  together,
  withClock,
  withCondition,
  withOrder,
  withoutConditions,
  withoutRule,
  withProvider,
  withRule,
  withSeries,
  withTransport,
} from './seams.ts';

// Bugs that controllers of this kind have had, by the issue or the incident that told of them
// where there is one. Whether an oracle sees them is the test of the oracles.

export interface Specimen extends Bug {
  readonly name: string;
  /** Where it shows. */
  readonly scene: SceneName;
}

const passed = (s: Snapshot, verdict = s.verdict): Snapshot =>
  verdict === undefined ? s : { ...s, verdict: { ...verdict, kind: 'pass' } };
const inForce = (s: Snapshot): boolean => stateOf(s)?.step.inForceAt !== null;

const ofEvidence: readonly Specimen[] = [
  {
    name: 'whatever is no failure is a pass (GCE 16007)',
    scene: 'good',
    ...withRule('stepPassed', (rule) => (s) => rule(passed(s))),
  },
  { name: 'a failed verdict is logged only', scene: 'bad', ...withoutRule('evidenceWorse') },
  {
    name: 'a pass of an earlier step is good for the next (Flagger 30)',
    scene: 'good',
    ...together(
      withoutRule('weightNotInForce'),
      withRule('stepPassed', (rule) => {
        let old: Verdict | undefined;
        return (s) => {
          if (s.verdict?.kind === 'pass') old = s.verdict;
          return rule(old === undefined ? s : passed(s, old));
        };
      }),
    ),
  },
  {
    name: 'errors that cannot be read are none (NaN is healthy)',
    scene: 'one in ten',
    ...withSeries((all) => all.map((one) => (one.bad ? { ...one, values: zeros(one) } : one))),
  },
  {
    name: 'the arms are mixed up',
    scene: 'bad',
    ...withSeries((all) =>
      all.map((one) => ({ ...one, arm: one.arm === 'canary' ? 'stable' : 'canary' })),
    ),
  },
  {
    name: 'errors of others are counted against the canary',
    scene: 'good',
    ...withSeries((all) =>
      all.map((one) => (one.bad && one.arm === 'canary' ? { ...one, values: growing(one) } : one)),
    ),
  },
];

const zeros = ({ values }: { readonly values: readonly number[] }) => values.map(() => 0);
const growing = ({ times }: { readonly times: readonly number[] }) =>
  times.map((time) => Math.floor((time - 1_767_225_600_000) / 100));

const ofPeople: readonly Specimen[] = [
  { name: 'a retry is ignored', scene: 'tried again', ...withoutRule('retryRequested') },
  {
    name: 'a Service that was applied anew leads to the canary (T13)',
    scene: 'the Service is applied anew',
    ...withoutConditions(sustain, 'Service stays pinned'),
  },
];

const ofTrouble: readonly Specimen[] = [
  {
    name: 'a canary whose image cannot be pulled is waited for',
    scene: 'no such image',
    ...withoutRule('podsBroken'),
  },
  {
    name: 'a gateway that refuses the route is waited for',
    scene: 'the gateway refuses',
    ...withoutRule('routeRefused'),
  },
  {
    name: 'samples of ten Prometheus are added up',
    scene: 'few requests',
    ...withSeries((all) =>
      all.map((one) => ({ ...one, values: one.values.map((value) => value * 10) })),
    ),
  },
];

const ofSteps: readonly Specimen[] = [
  {
    name: 'a step is skipped',
    scene: 'good',
    ...withRule('stepPassed', (rule) => (s) => {
      const found = rule(s);
      return found === undefined ? found : { ...found, goal: { kind: 'promote' } };
    }),
  },
  {
    name: 'weight before pods are ready (Argo 2050)',
    scene: 'good',
    ...withoutConditions(ascend, 'canary pods are available', 'canary Service has endpoints'),
  },
  {
    name: 'the route is shifted before it is recorded',
    scene: 'good',
    ...withOrder(ascend, 'route carries the weight', 'raise is recorded'),
  },
  {
    name: 'fewer pods than the weight needs',
    scene: 'scaled',
    ...withCondition(sustain, 'canary follows the Deployment', {
      met: (s) => (s.canary?.replicas ?? 0) <= 1,
      toward: () => ({ kind: 'scale-canary', replicas: 1 }),
    }),
  },
  {
    name: 'both weights are 0',
    scene: 'good',
    ...withProvider((original) => ({
      shift: (raw, uid, weight) => original.shift(raw, uid, weight === 100 ? zero : weight),
    })),
  },
  {
    name: 'the Service is not pinned before canary pods exist (Kruise)',
    scene: 'good',
    ...withoutConditions(
      ascend,
      'Service is pinned to stable',
      'Service has the endpoints of stable',
    ),
  },
  {
    name: 'a pause is recorded and not kept',
    scene: 'pause and resume',
    ...withoutRule('paused'),
  },
  {
    name: 'a resume is ignored',
    scene: 'pause and resume',
    ...withoutRule('resumeRequested'),
  },
  {
    name: 'a weight that somebody lowered is raised again (Argo 849)',
    scene: 'a hand lowers',
    ...withRule('weightChangedByHand', () => (s) => {
      const step = stateOf(s)?.step;
      if (step === undefined || !inForce(s) || (s.route?.weight ?? 0) >= step.to) return undefined;
      const goal = { kind: 'carry', index: step.index } as const;
      return { phase: 'progressing', goal, because: 'drift' };
    }),
  },
  {
    name: 'a weight that somebody raised is kept',
    scene: 'a hand raises',
    ...withRule('weightChangedByHand', () => (s) => {
      const target = stateOf(s)?.step.to ?? 0;
      const over = inForce(s) && (s.route?.weight ?? 0) > target;
      const goal = { kind: 'hold' } as const;
      return over ? { phase: 'holding', goal, because: 'kept' } : undefined;
    }),
  },
];

const zero = percent(0);
const endless = millis(86_400_000);

const ofPromotion: readonly Specimen[] = [
  {
    name: 'adopted while the Service leads to stable',
    scene: 'good',
    ...withoutConditions(
      promote,
      'Service is pinned to the canary',
      'Service has the endpoints of the canary',
      'stable pods have drained',
    ),
  },
  {
    name: 'promoted with too few pods (Flagger 1600)',
    scene: 'good',
    ...withoutConditions(promote, 'canary is scaled'),
  },
  {
    name: 'the route is never given back',
    scene: 'good',
    ...withoutConditions(promote, 'route is the user’s own'),
  },
  {
    name: 'the route is given back otherwise than it was (Kruise)',
    scene: 'good',
    ...withProvider((original) => ({
      restore: (raw, uid) => ({
        ...original.restore(raw, uid),
        spec: { rules: [{ backendRefs: [{ name: 'web', port: 80, weight: 7 }] }] },
      }),
    })),
  },
  {
    name: 'the canary Service is left behind',
    scene: 'good',
    ...together(
      withoutConditions(promote, 'canary Service is gone'),
      withoutConditions(rest, 'no Service of an earlier canary'),
    ),
  },
  {
    name: 'the state is left behind',
    scene: 'good',
    ...withoutConditions(promote, 'state is cleared'),
  },
  {
    name: 'a newer template is not looked at (Argo 3331)',
    scene: 'newer revision',
    ...withoutRule('templateChanged'),
  },
];

const ofRollback: readonly Specimen[] = [
  {
    name: 'pods go before the route follows (Argo 4390)',
    scene: 'back to stable',
    ...withOrder(descend, 'canary is scaled to 0', 'Service leads to stable'),
  },
  {
    name: 'rejected first, cut later',
    scene: 'bad',
    ...withOrder(descend, 'rejection is recorded', 'route carries nothing for the canary'),
  },
  {
    name: 'a cut without its reason',
    scene: 'bad',
    ...withProvider((original) => ({
      lower: (raw, uid, weight) => original.shift(raw, uid, weight),
    })),
  },
  {
    name: 'the rollback forgets the route',
    scene: 'bad',
    ...withoutConditions(descend, 'route carries nothing for the canary'),
  },
  {
    name: 'the rejection is not recorded',
    scene: 'bad',
    ...withoutConditions(descend, 'rejection is recorded'),
  },
  { name: 'a rejected revision is tried again', scene: 'bad', ...withoutRule('rejectedBefore') },
  {
    name: 'the Service is released while canary pods are ready',
    scene: 'back to stable',
    ...withOrder(descend, 'Service is the user’s own', 'canary is scaled to 0'),
  },
  {
    name: 'the canary Service goes while the route names it',
    scene: 'back to stable',
    ...withOrder(descend, 'canary Service is gone', 'canary has drained'),
  },
  {
    name: 'the rejected template rolls natively in the end',
    scene: 'bad',
    ...withRule('rejectedBefore', (rule) => (s) => {
      const found = rule(s);
      return found === undefined ? found : { ...found, goal: { kind: 'opt-out' } };
    }),
  },
  {
    name: '`kubectl rollout status` is not told',
    scene: 'bad',
    ...together(
      withoutConditions(descend, 'Progressing tells of the rejection'),
      withoutConditions(stayRejected, 'Progressing tells of the rejection'),
    ),
  },
  {
    name: 'a rollback that a person asks for is ignored (Flagger 1588)',
    scene: 'rollback asked for',
    ...withoutRule('rollbackRequested'),
  },
  { name: 'an opt-out is ignored', scene: 'opt-out', ...withoutRule('optedOut') },
];

const ofTransport: readonly Specimen[] = [
  {
    name: 'the route is written without a precondition',
    scene: 'a hand lowers, and is seen late',
    ...withTransport((inner) => ({
      ...inner,
      request: (request, signal) =>
        inner.request(isRouteWrite(request) ? blind(request) : request, signal),
    })),
  },
  {
    name: 'a conflict is met by the same write once more (retry on conflict)',
    scene: 'a hand lowers, and is seen late',
    ...withTransport((inner) => ({
      ...inner,
      request: async (request, signal) => {
        const answer = await inner.request(request, signal);
        const isLost = answer.status === 409 && isRouteWrite(request);
        return isLost ? inner.request(blind(request), signal) : answer;
      },
    })),
  },
  {
    name: 'everybody leads (Argo 2117)',
    scene: 'two processes',
    start: (world, process) => {
      const { identity: _nobody, ...rest } = process ?? {};
      return world.start(undefined, rest);
    },
  },
  {
    name: 'a timer that has fired is not armed again',
    scene: 'good',
    ...withClock((inner) => {
      let armed = 0;
      return {
        now: () => inner.now(),
        monotonic: () => inner.monotonic(),
        after: (span, callback) => {
          if (span >= 900 && span <= 1300) armed += 1;
          return inner.after(armed > 20 && span >= 900 ? endless : span, callback);
        },
      };
    }),
  },
  {
    name: 'a watch dies silently (client-node 596)',
    scene: 'good',
    ...withTransport((inner) => ({
      ...inner,
      stream: async (path, query, signal) => {
        const stream = await inner.stream(path, query, signal);
        return { ...stream, chunks: path.includes('httproutes') ? silent() : stream.chunks };
      },
    })),
  },
  {
    name: 'every write of the route conflicts for ever (Argo 3080)',
    scene: 'good',
    ...withTransport((inner) => ({
      ...inner,
      request: (request, signal) =>
        request.method === 'PATCH' && request.path.includes('httproutes')
          ? Promise.resolve({ status: 409, headers: {}, json: { reason: 'Conflict' } })
          : inner.request(request, signal),
    })),
  },
];

const isRouteWrite = ({ method, path }: KubernetesRequest): boolean =>
  method === 'PATCH' && path.includes('httproutes');

/** The body without what ties it to the object that was read. */
function blind(request: KubernetesRequest): KubernetesRequest {
  const { metadata, ...rest } = request.body as { readonly metadata: object };
  return { ...request, body: { ...rest, metadata: { ...metadata, resourceVersion: undefined } } };
}

/** No event ever comes. */
const silent = (): AsyncIterable<never> => ({
  [Symbol.asyncIterator]: () => ({ next: () => new Promise<never>(() => undefined) }),
});

export const bugs: readonly Specimen[] = [
  ...ofEvidence,
  ...ofPeople,
  ...ofTrouble,
  ...ofSteps,
  ...ofPromotion,
  ...ofRollback,
  ...ofTransport,
];
