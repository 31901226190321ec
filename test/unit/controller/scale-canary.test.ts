import { expect, test } from 'vitest';
import type { Effects } from '../../../src/controller/effects.ts';
import { scaleCanary } from '../../../src/controller/write-workload.ts';
import { percent } from '../../../src/lib/units.ts';
import { pinKey } from '../../../src/rollout/snapshot.ts';
import { aReplicaSet, aRoute, aSnapshot, canaryHash, stableHash } from '../../builders/snapshot.ts';

/**
 * Scales a canary of two pods, or `from`, that gets this weight. Looks take so long, ms, and the
 * Deployment is `later` generations ahead as soon as the first was answered. Tells what was sent.
 */
async function scaled(
  replicas: number,
  weight: number,
  { ahead = 0, takes = 0, later = 0, from = 2, pin = stableHash } = {},
): Promise<readonly string[]> {
  const sent: string[] = [];
  let [now, generations] = [0, ahead];
  const canary = aReplicaSet(canaryHash, { replicas: from });
  const s = aSnapshot({ canary, route: aRoute({ weight: percent(weight) }) });
  const { uid, generation } = s.deployment;
  const client = {
    get: ({ resource: { kind } }: { readonly resource: { readonly kind: string } }) => {
      sent.push(`look at the ${kind}`);
      const metadata = { uid, generation: generation + generations };
      [now, generations] = [now + takes, ahead + later];
      const selector = { app: 'web', ...(pin === '' ? {} : { [pinKey]: pin }) };
      return Promise.resolve({ metadata: { ...metadata, name: 'web' }, spec: { selector } });
    },
    jsonPatch: (_ref: object, operations: readonly { readonly op: string }[]) => {
      sent.push(operations.map(({ op }) => op).join(', '));
      return Promise.resolve({ metadata: {} });
    },
  };
  const clock = { monotonic: () => now };
  const noop = () => undefined;
  const effects = { client, clock, accept: noop, beginRead: () => noop } as unknown as Effects;
  await scaleCanary({ replicas }, s, effects, new AbortController().signal);
  return sent;
}

test.each<[string, number, number, string[]]>([
  ['fewer pods with requests: after a look', 1, 50, ['look at the Deployment', 'test, replace']],
  ['fewer pods without requests: at once', 0, 0, ['replace']],
  ['more pods: beside those that were seen', 3, 50, ['test, replace']],
])('%s', async (_what, replicas, weight, expected) => {
  expect(await scaled(replicas, weight)).toEqual(expected);
});

// A process that had stalled saw 2, then 1, then 6 replicas, and took the pods away for the 1.
test('not for what the Deployment asked for before', async () => {
  await expect(scaled(1, 50, { ahead: 1 })).rejects.toMatchObject({ code: 'KUBERNETES_CONFLICT' });
});

// The answer was under way for seconds, and meanwhile somebody wanted more.
test('not for what it asked for when a look began that took long', async () => {
  const fewer = scaled(1, 50, { takes: 7570, later: 1 });
  await expect(fewer).rejects.toMatchObject({ code: 'KUBERNETES_CONFLICT' });
});

// A standby that took over had lost the event that told of the end of the pin.
test('a first pod only behind a Service that leads to stable', async () => {
  expect(await scaled(1, 0, { from: 0 })).toEqual(['look at the Service', 'test, replace']);
  const first = scaled(1, 0, { from: 0, pin: '' });
  await expect(first).rejects.toMatchObject({ code: 'KUBERNETES_CONFLICT' });
});
