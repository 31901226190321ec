import { expect, test } from 'vitest';
import type { Effects } from '../../../src/controller/effects.ts';
import { record } from '../../../src/controller/write-workload.ts';
import { percent } from '../../../src/lib/units.ts';
import { marks } from '../../../src/rollout/snapshot.ts';
import type { RolloutState } from '../../../src/rollout/state.ts';
import type { RouteRecord, RouteView } from '../../../src/rollout/views.ts';
import { aRoute, aSnapshot, aState, at } from '../../builders/snapshot.ts';

const noop = () => undefined;
const seen = aRoute({ weight: percent(1) });
const pausedBy = (by: string) => aState({ pause: { by, at: at(0), because: 'a reason' } });

/** Records a state while the route is so, seen at 1 % without a mark; tells what was sent. */
async function recorded(
  state: RolloutState,
  is: number | Partial<RouteView>,
  before = aState(),
  rejected?: string,
): Promise<readonly string[]> {
  const sent: string[] = [];
  const s = aSnapshot({ route: seen, state: before });
  const named = { name: 'web', namespace: 'shop' };
  const { uid, annotations } = s.deployment;
  const marked = rejected === undefined ? {} : { [marks.rejected]: rejected };
  const deployment = { metadata: { ...named, uid, annotations: { ...annotations, ...marked } } };
  const raw = { metadata: { ...named, uid: seen.uid } };
  const client = {
    get: ({ resource: { kind } }: { readonly resource: { readonly kind: string } }) => {
      sent.push(`look at the ${kind}`);
      return Promise.resolve(kind === 'Deployment' ? deployment : raw);
    },
    jsonPatch: () => {
      sent.push('record');
      return Promise.resolve({ metadata: {} });
    },
  };
  const change = typeof is === 'number' ? { weight: percent(is) } : is;
  const provider = { read: () => ({ ...seen, ...change }) };
  const rawRoute = () => raw;
  const effects = { client, accept: noop, rawRoute, providers: { httproute: provider } };
  await record(state, s, effects as unknown as Effects, new AbortController().signal);
  return sent;
}

test('a rollout is paused for a hand after a look at Deployment and route', async () => {
  const looks = ['look at the Deployment', 'look at the HTTPRoute'];
  expect(await recorded(pausedBy('route'), 1)).toEqual([...looks, 'record']);
});

// The route had got back what it was, and a stale list denied the rejection that was the reason.
test('but not when the Deployment carries a mark of ours that was not seen', async () => {
  await expect(recorded(pausedBy('route'), 1, aState(), '[]')).rejects.toMatchObject({
    code: 'KUBERNETES_CONFLICT',
    message: expect.stringContaining('Deployment web') as string,
  });
});

// A list that was stale showed the route as before the raise, and nobody had laid a hand on it.
const mark = { kind: 'withdrawn', revision: 'r', rule: 'r', because: 'b', at: at(-1) } as const;
test.each<[string, Partial<RouteView>]>([
  ['carries another weight than was seen', { weight: percent(5) }],
  ['carries less in one rule than was seen', { leastWeight: percent(0) }],
  ['was lowered by us', { record: { ...(seen.record as RouteRecord), mark } }],
])('but not when the route %s', async (_what, is) => {
  await expect(recorded(pausedBy('route'), is)).rejects.toMatchObject({
    code: 'KUBERNETES_CONFLICT',
    message: expect.stringContaining('HTTPRoute web') as string,
  });
});

test('a person who pauses waits for no look, nor does a record during a pause', async () => {
  expect(await recorded(pausedBy('ann'), 5)).toEqual(['record']);
  expect(await recorded(pausedBy('route'), 5, pausedBy('route'))).toEqual(['record']);
});
