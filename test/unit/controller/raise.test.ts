import { expect, test } from 'vitest';
import type { Effects } from '../../../src/controller/effects.ts';
import { shift } from '../../../src/controller/write-route.ts';
import { type Percent, percent } from '../../../src/lib/units.ts';
import { aRoute, aSnapshot } from '../../builders/snapshot.ts';

const noop = () => undefined;

/** Shifts the route while the Deployment has reached this generation; tells what was sent. */
async function shifted(from: Percent, to: Percent, ahead: number): Promise<readonly string[]> {
  const sent: string[] = [];
  const s = aSnapshot({ route: aRoute({ weight: from }) });
  const { uid, generation } = s.deployment;
  const client = {
    get: () => {
      sent.push('look at the Deployment');
      return Promise.resolve({ metadata: { uid, generation: generation + ahead } });
    },
    mergePatch: () => {
      sent.push('patch the route');
      return Promise.resolve({ metadata: {} });
    },
  };
  const provider = { read: () => s.route, shift: () => ({ spec: {} }) };
  const rawRoute = () => ({ metadata: { name: 'web', namespace: 'shop', uid: s.route?.uid } });
  const effects = { client, accept: noop, rawRoute, providers: { httproute: provider } };
  await shift({ from, to }, s, effects as unknown as Effects, new AbortController().signal);
  return sent;
}

const [low, high] = [percent(5), percent(10)];

test('a raise looks at the Deployment first', async () => {
  expect(await shifted(low, high, 0)).toEqual(['look at the Deployment', 'patch the route']);
});

// After an outage of the API server the canary had the size for one pod, and got all requests of
// six.
test('and is not made for what the Deployment was', async () => {
  await expect(shifted(low, high, 1)).rejects.toMatchObject({ code: 'KUBERNETES_CONFLICT' });
});

test('lowering waits for nothing', async () => {
  expect(await shifted(high, low, 1)).toEqual(['patch the route']);
});
