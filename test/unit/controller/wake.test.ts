import { expect, test } from 'vitest';
import type { Cluster } from '../../../src/controller/cluster.ts';
import { emptyMemory, type RolloutMemory } from '../../../src/controller/memory.ts';
import { wakeOnChange } from '../../../src/controller/wake.ts';
import { createWorkQueue } from '../../../src/controller/work-queue.ts';
import type { ChangeListener } from '../../../src/kubernetes/store.ts';
import { seededRandom } from '../../../src/lib/random.ts';
import { millis } from '../../../src/lib/units.ts';
import { answer } from '../../../src/rollout/decision.ts';
import { marks } from '../../../src/rollout/snapshot.ts';
import type { DeploymentView, EndpointSliceView } from '../../../src/rollout/views.ts';
import { aDeployment } from '../../builders/snapshot.ts';
import { virtualClock } from '../../builders/virtual-clock.ts';

const quiet = { onChange: () => () => undefined, by: () => [] };

/** One Deployment's passes, each at its moment, ms. */
function aController() {
  const clock = virtualClock();
  const passes: number[] = [];
  const memory: RolloutMemory = emptyMemory();
  const work = () => {
    passes.push(clock.monotonic());
    memory.restingSince = clock.monotonic();
    return Promise.resolve();
  };
  const queue = createWorkQueue({ clock, random: seededRandom(1), work });
  let tell: ChangeListener<DeploymentView> = () => undefined;
  const told = { onChange: (listener: typeof tell) => ((tell = listener), () => undefined) };
  let tellEndpoints: ChangeListener<EndpointSliceView> = () => undefined;
  const toldEndpoints = {
    onChange: (listener: typeof tellEndpoints) => ((tellEndpoints = listener), () => undefined),
  };
  const cluster = {
    deployments: { ...quiet, ...told },
    replicaSets: quiet,
    services: quiet,
    routes: quiet,
    endpointSlices: { ...quiet, ...toldEndpoints },
    pods: quiet,
  } as unknown as Cluster;
  wakeOnChange(cluster, new Map([['shop/web', memory]]), queue, clock);
  const change = async (annotations: Record<string, string> = {}, after = 1) => {
    const previous = aDeployment();
    const current = { ...previous, annotations: { ...previous.annotations, ...annotations } };
    tell({ key: 'shop/web', previous, current });
    await clock.advance(millis(after));
  };
  const changeEndpoints = async () => {
    const current = { namespace: 'shop' } as EndpointSliceView;
    tellEndpoints({ key: 'shop/web', previous: undefined, current });
    await clock.advance(millis(1000));
  };
  return { clock, memory, passes, change, changeEndpoints };
}

test('the first change of a burst is looked at once, the others together', async () => {
  const { clock, passes, change } = aController();
  for (let i = 0; i < 12; i += 1) await change();
  await clock.advance(millis(1000));
  expect(passes).toEqual([0, 20]);
  await change();
  expect(passes).toEqual([0, 20, 1012]);
});

test('a request does not wait, nor does what comes during a pass that writes', async () => {
  const { memory, passes, change } = aController();
  await change();
  await change({ [marks.request]: '{"kind":"retry"}' });
  memory.restingSince = undefined;
  await change();
  expect(passes).toEqual([0, 1, 2]);
});

// The canary was gone when this process came: it knows of no rollout, and waits for endpoints.
test.each([
  ['rolling-back', 1],
  ['rest', 0],
] as const)('endpoints matter while something is under way: %s', async (phase, expected) => {
  const { memory, passes, changeEndpoints } = aController();
  memory.decision = { rule: 'canaryLost', ...answer(phase, { kind: 'rest' }, 'gone') };
  await changeEndpoints();
  expect(passes).toHaveLength(expected);
});
