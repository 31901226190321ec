import { expect, test } from 'vitest';
import type { Effects } from '../../../src/controller/effects.ts';
import { cut } from '../../../src/controller/write-route.ts';
import { OperatingError } from '../../../src/lib/errors.ts';
import { percent } from '../../../src/lib/units.ts';
import type { RouteMark } from '../../../src/rollout/views.ts';
import { aMark, aRoute, aSnapshot } from '../../builders/snapshot.ts';

const noop = () => undefined;

/** Withdraws a canary from a route that was marked unseen. Tells the mark that it gets. */
async function markAfter(unseen: RouteMark): Promise<RouteMark | undefined> {
  const seen = aRoute({ weight: percent(5) });
  const now = { ...seen, weight: percent(0), record: { ...seen.record, mark: unseen } };
  const [stale, fresh] = ['1', '2'].map((resourceVersion) => {
    return { metadata: { name: 'web', namespace: 'shop', uid: seen.uid, resourceVersion } };
  });
  let sent: RouteMark | undefined;
  const client = {
    get: () => Promise.resolve(fresh),
    mergePatch: (
      _ref: object,
      { of, mark }: { readonly of: unknown; readonly mark: RouteMark },
    ) => {
      if (of !== fresh) throw new OperatingError('KUBERNETES_CONFLICT', 'the route has changed');
      sent = mark;
      return Promise.resolve(fresh);
    },
  };
  const provider = {
    read: (raw: unknown) => (raw === fresh ? now : seen),
    lower: (of: unknown, _uid: string, _weight: number, mark: RouteMark) => ({ of, mark }),
  };
  const providers = { httproute: provider };
  const beginRead = () => noop;
  const effects = { client, accept: noop, beginRead, rawRoute: () => stale, providers };
  const s = aSnapshot({ route: seen });
  const { signal } = new AbortController();
  await cut(aMark('withdrawn'), s, effects as unknown as Effects, signal);
  return sent;
}

// The answer of the cut was lost, and its Deployment was opted out: nobody was told of it.
test('a cut that comes upon a rejection of its canary leaves it', async () => {
  expect(await markAfter(aMark('rejected'))).toEqual(aMark('rejected'));
});

test.each([
  ['a suspicion', aMark('flinch')],
  ['a rejection of another canary', aMark('rejected', 'cccccccccc')],
])('and says its own reason after %s', async (_what, unseen) => {
  expect(await markAfter(unseen)).toEqual(aMark('withdrawn'));
});
