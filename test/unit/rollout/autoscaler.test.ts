import { expect, test } from 'vitest';
import { autoscalerView } from '../../../src/kubernetes/objects.ts';
import { autoscalerWarning } from '../../../src/rollout/autoscaler.ts';

const raw = (
  metrics: readonly object[],
  target = 'web',
  replicas = { minReplicas: 2, maxReplicas: 9 },
) => ({
  metadata: { name: 'web', namespace: 'shop' },
  spec: { scaleTargetRef: { kind: 'Deployment', name: target }, metrics, ...replicas },
});
const resource = (name: string) => ({
  type: 'Resource',
  resource: { name, target: { type: 'Utilization', averageUtilization: 60 } },
});
const external = (type: string) => ({
  type: 'External',
  external: { metric: { name: 'queue_length' }, target: { type, value: '30' } },
});

test.each<[string, object, RegExp | undefined]>([
  ['CPU cancels out', raw([resource('cpu')]), undefined],
  ['memory is constant per pod', raw([resource('cpu'), resource('memory')]), /memory/],
  ['one value for the whole application', raw([external('Value')]), /queue_length/],
  ['an average over pods', raw([external('AverageValue')]), undefined],
  ['another Deployment', raw([resource('memory')], 'search'), undefined],
  [
    'one replica for ever',
    raw([resource('cpu')], 'web', { minReplicas: 1, maxReplicas: 1 }),
    /spare/,
  ],
])('%s (T11)', (_when, object, expected) => {
  const said = autoscalerWarning('web', [autoscalerView(object as never)]);
  if (expected === undefined) expect(said).toBeUndefined();
  else expect(said).toMatch(expected);
});
