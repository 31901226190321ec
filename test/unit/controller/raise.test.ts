import { expect, test } from 'vitest';
import type { Effects } from '../../../src/controller/effects.ts';
import { shift } from '../../../src/controller/write-route.ts';
import { type Percent, percent } from '../../../src/lib/units.ts';
import { aReplicaSet, aRoute, aSnapshot, aState, canaryHash } from '../../builders/snapshot.ts';

const noop = () => undefined;

/**
 * Shifts the route while the Deployment has reached this generation and the canary's record is so
 * many records ahead of what was seen. Looks take so long, ms, and the generation is `later` ahead
 * as soon as the first was answered. Tells what was sent.
 */
async function shifted(
  from: Percent,
  to: Percent,
  ahead: {
    readonly deployment?: number;
    readonly record?: number;
    readonly request?: string;
    readonly optedOut?: boolean;
    readonly rejected?: boolean;
    readonly takes?: number;
    readonly later?: number;
  } = {},
): Promise<readonly string[]> {
  const sent: string[] = [];
  let time = 0;
  const text = (record: number) => ({ 'haldane.dev/state': `record ${record}` });
  const canary = aReplicaSet(canaryHash, { annotations: text(1) });
  const s = aSnapshot({ canary, route: aRoute({ weight: from }) });
  const { uid, generation } = s.deployment;
  const now = {
    Deployment: {
      uid,
      generation: generation + (ahead.deployment ?? 0),
      annotations: {
        ...(ahead.optedOut ? {} : { 'haldane.dev/enabled': 'true' }),
        ...(ahead.request === undefined ? {} : { 'haldane.dev/request': ahead.request }),
        ...(ahead.rejected === true ? { 'haldane.dev/rejected': '[]' } : {}),
      },
    },
    ReplicaSet: { uid: canary.uid, annotations: text(1 + (ahead.record ?? 0)) },
  };
  const client = {
    get: ({ resource: { kind } }: { readonly resource: { readonly kind: keyof typeof now } }) => {
      sent.push(`look at the ${kind}`);
      const answer = { kind, metadata: now[kind] };
      time += ahead.takes ?? 0;
      now.Deployment = { ...now.Deployment, generation: generation + (ahead.later ?? 0) };
      return Promise.resolve(answer);
    },
    mergePatch: (_ref: object, { raisedAt }: { readonly raisedAt?: number }) => {
      const isRecorded = raisedAt === aState().step.raisedAt;
      sent.push(isRecorded ? 'make the recorded raise' : 'patch the route');
      return Promise.resolve({ metadata: {} });
    },
  };
  const provider = {
    read: () => s.route,
    shift: (_raw: object, _uid: string, _to: Percent, raisedAt?: number) => ({ raisedAt }),
  };
  const rawRoute = () => ({ metadata: { name: 'web', namespace: 'shop', uid: s.route?.uid } });
  const clock = { monotonic: () => time };
  const effects = { client, clock, accept: noop, rawRoute, providers: { httproute: provider } };
  await shift({ from, to }, s, effects as unknown as Effects, new AbortController().signal);
  return sent;
}

const [low, high] = [percent(5), percent(10)];

test('a raise looks at the Deployment first', async () => {
  expect(await shifted(low, high)).toEqual(['look at the Deployment', 'patch the route']);
});

// A hand that lowers the route to where this began is told from a raise that was not made.
test('and says on the route which one it is', async () => {
  const to = aState().step.to;
  expect((await shifted(percent(1), to)).at(-1)).toBe('make the recorded raise');
});

// After an outage of the API server the canary had the size for one pod, and got all requests of
// six.
test('and is not made for what the Deployment was', async () => {
  await expect(shifted(low, high, { deployment: 1 })).rejects.toMatchObject({
    code: 'KUBERNETES_CONFLICT',
  });
});

// An autoscaler added two replicas while the answer was under way for seven seconds: half of the
// requests of five pods went to a canary of two.
test('nor for what it was when a look began that took long', async () => {
  const raise = shifted(low, high, { takes: 7570, later: 1 });
  await expect(raise).rejects.toMatchObject({ code: 'KUBERNETES_CONFLICT' });
});

test('where every look takes long the third is the last', async () => {
  const look = 'look at the Deployment';
  expect(await shifted(low, high, { takes: 2000 })).toEqual([look, look, look, 'patch the route']);
});

test('nor in spite of a request that was made meanwhile', async () => {
  const raise = shifted(low, high, { request: 'pause revision=aaaaaaaaaa id=a' });
  await expect(raise).rejects.toMatchObject({ code: 'KUBERNETES_CONFLICT' });
});

test('nor after an opt-out that has not been seen', async () => {
  await expect(shifted(low, high, { optedOut: true })).rejects.toMatchObject({
    code: 'KUBERNETES_CONFLICT',
  });
});

// The pod that failed alone was another one by now, and the canary crashed: nothing of the route
// had to be written for its rejection.
test('nor after a rejection by a leader before us', async () => {
  const raise = shifted(low, high, { rejected: true });
  await expect(raise).rejects.toMatchObject({ code: 'KUBERNETES_CONFLICT' });
});

test('what somebody raised is undone after a look at what is recorded', async () => {
  expect(await shifted(high, low, { deployment: 1 })).toEqual([
    'look at the ReplicaSet',
    'make the recorded raise',
  ]);
});

// A leader whose watch was behind took the raise of the one before it for somebody's hand.
test('but not when more is recorded than the watch has told', async () => {
  await expect(shifted(high, low, { record: 1 })).rejects.toMatchObject({
    code: 'KUBERNETES_CONFLICT',
  });
});
