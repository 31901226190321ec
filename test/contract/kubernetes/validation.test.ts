import { describe, expect, test } from 'vitest';
import type { JsonObject } from '../../../src/embedded/json.ts';
import { at } from './client.ts';
import { contractCluster } from './cluster.ts';
import { aConfigMap, aDeployment, aReplicaSet, aRoute, aService } from './objects.ts';

const cluster = contractCluster();
const paths: Readonly<Record<string, string>> = {
  ConfigMap: 'api/v1 configmaps',
  Deployment: 'apis/apps/v1 deployments',
  ReplicaSet: 'apis/apps/v1 replicasets',
  Service: 'api/v1 services',
  HTTPRoute: 'apis/gateway.networking.k8s.io/v1 httproutes',
  EndpointSlice: 'apis/discovery.k8s.io/v1 endpointslices',
  HorizontalPodAutoscaler: 'apis/autoscaling/v2 horizontalpodautoscalers',
};
const pathOf = (kind: string) => {
  const [groupVersion = '', plural = ''] = (paths[kind] ?? '').split(' ');
  return `/${groupVersion}/namespaces/${cluster.namespace}/${plural}`;
};
const weighted = (weight: number) => [{ name: 'a', port: 80, weight }];

const refused: readonly [why: string, object: JsonObject, field: string][] = [
  ['a name with capitals', aConfigMap('Capital'), 'metadata.name'],
  ['a name that ends with a dash', aConfigMap('dash-'), 'metadata.name'],
  [
    'a label value with a space',
    aConfigMap('label', { metadata: { labels: { a: 'b c' } } }),
    'metadata.labels',
  ],
  [
    'a label key with two slashes',
    aConfigMap('label', { metadata: { labels: { 'a/b/c': 'd' } } }),
    'metadata.labels',
  ],
  [
    'annotations above 256 KiB',
    aConfigMap('large', { metadata: { annotations: { a: 'x'.repeat(262_145) } } }),
    'metadata.annotations',
  ],
  ['negative replicas', aDeployment('bad', { spec: { replicas: -1 } }), 'spec.replicas'],
  [
    'a selector that does not match the template',
    aDeployment('bad', { spec: { selector: { matchLabels: { app: 'other' } } } }),
    'spec.template.metadata.labels',
  ],
  [
    'no containers',
    aDeployment('bad', { spec: { template: { spec: { containers: [] } } } }),
    'spec.template.spec.containers',
  ],
  [
    'two containers of one name',
    aDeployment('bad', {
      spec: {
        template: {
          spec: {
            containers: [
              { name: 'a', image: 'x' },
              { name: 'a', image: 'y' },
            ],
          },
        },
      },
    }),
    'spec.template.spec.containers[1].name',
  ],
  [
    'a restart policy other than Always',
    aDeployment('bad', { spec: { template: { spec: { restartPolicy: 'Never' } } } }),
    'spec.template.spec.restartPolicy',
  ],
  [
    'a progress deadline not above minReadySeconds',
    aDeployment('bad', { spec: { minReadySeconds: 10, progressDeadlineSeconds: 10 } }),
    'spec.progressDeadlineSeconds',
  ],
  [
    'Recreate with rolling update settings',
    aDeployment('bad', {
      spec: { strategy: { type: 'Recreate', rollingUpdate: { maxSurge: 1 } } },
    }),
    'spec.strategy.rollingUpdate',
  ],
  [
    'an unknown strategy',
    aDeployment('bad', { spec: { strategy: { type: 'Sideways' } } }),
    'spec.strategy',
  ],
  [
    'a ReplicaSet selector that does not match',
    aReplicaSet('bad', 'a', { spec: { selector: { matchLabels: { set: 'other' } } } }),
    'spec.template.metadata.labels',
  ],
  ['a Service without ports', aService('bad', { spec: { ports: [] } }), 'spec.ports'],
  [
    'a Service port above 65535',
    aService('bad', { spec: { ports: [{ port: 70_000 }] } }),
    'spec.ports[0].port',
  ],
  [
    'two unnamed Service ports',
    aService('bad', { spec: { ports: [{ port: 80 }, { port: 81 }] } }),
    'spec.ports[0].name',
  ],
  ['a Service name with a dot', aService('a.b'), 'metadata.name'],
  ['a negative weight', aRoute('bad', weighted(-1)), 'spec.rules[0].backendRefs[0].weight'],
  [
    'a weight above a million',
    aRoute('bad', weighted(1_000_001)),
    'spec.rules[0].backendRefs[0].weight',
  ],
  ['a backend without a port', aRoute('bad', [{ name: 'a' }]), 'spec.rules[0].backendRefs[0]'],
  [
    'a path match of unknown type',
    aRoute('bad', weighted(1), {
      spec: { rules: [{ matches: [{ path: { type: 'Glob', value: '/' } }] }] },
    }),
    'spec.rules[0].matches[0].path.type',
  ],
  [
    '17 backends',
    aRoute(
      'bad',
      Array.from({ length: 17 }, (_, i) => ({ name: `b${i}`, port: 80 })),
    ),
    'spec.rules[0].backendRefs',
  ],
  [
    'an endpoint on loopback',
    {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { name: 'bad' },
      addressType: 'IPv4',
      endpoints: [{ addresses: ['127.0.0.1'] }],
    },
    'endpoints[0].addresses[0]',
  ],
  [
    'an autoscaler that goes nowhere',
    {
      apiVersion: 'autoscaling/v2',
      kind: 'HorizontalPodAutoscaler',
      metadata: { name: 'bad' },
      spec: {
        minReplicas: 3,
        maxReplicas: 2,
        scaleTargetRef: { kind: 'Deployment', name: 'a', apiVersion: 'apps/v1' },
      },
    },
    'spec.maxReplicas',
  ],
];

describe('422 with the field named', () => {
  test.each(refused)('%s', async (_why, object, field) => {
    const answer = await cluster.api.post(pathOf(String(object['kind'])), object);
    expect(answer.status).toBe(422);
    expect(at(answer, 'reason')).toBe('Invalid');
    expect((at(answer, 'details.causes') as JsonObject[]).map((cause) => cause['field'])).toContain(
      field,
    );
  });
});

describe('immutable', () => {
  test('selector of a Deployment', async () => {
    await cluster.api.post(
      pathOf('Deployment'),
      aDeployment('fixed', { spec: { replicas: 0, paused: true } }),
    );
    const answer = await cluster.api.patch(`${pathOf('Deployment')}/fixed`, 'json', [
      { op: 'add', path: '/spec/selector/matchLabels/x', value: 'y' },
      { op: 'add', path: '/spec/template/metadata/labels/x', value: 'y' },
    ]);
    expect(answer.status).toBe(422);
    expect(at(answer, 'message')).toMatch(/field is immutable/);
  });

  test('selector of a ReplicaSet', async () => {
    await cluster.api.post(pathOf('ReplicaSet'), aReplicaSet('fixed', 'fixed'));
    const answer = await cluster.api.patch(`${pathOf('ReplicaSet')}/fixed`, 'json', [
      { op: 'add', path: '/spec/selector/matchLabels/x', value: 'y' },
      { op: 'add', path: '/spec/template/metadata/labels/x', value: 'y' },
    ]);
    expect(answer.status).toBe(422);
  });

  test('clusterIP of a Service', async () => {
    await cluster.api.post(pathOf('Service'), aService('fixed'));
    const answer = await cluster.api.patch(`${pathOf('Service')}/fixed`, 'merge', {
      spec: { clusterIP: '10.96.77.77', clusterIPs: ['10.96.77.77'] },
    });
    expect(answer.status).toBe(422);
  });
});

describe('accepted, however odd', () => {
  test('weights that are all zero', async () => {
    const answer = await cluster.api.post(
      pathOf('HTTPRoute'),
      aRoute('zero', [
        { name: 'a', port: 80, weight: 0 },
        { name: 'b', port: 80, weight: 0 },
      ]),
    );
    expect(answer.status).toBe(201);
  });

  test('a weight that nobody gives is 1', async () => {
    const answer = await cluster.api.post(
      pathOf('HTTPRoute'),
      aRoute('one', [{ name: 'a', port: 80 }]),
    );
    expect(at(answer, 'spec.rules.0.backendRefs.0.weight')).toBe(1);
  });

  test('progressDeadlineSeconds of the largest int32', async () => {
    const answer = await cluster.api.post(
      pathOf('Deployment'),
      aDeployment('endless', { spec: { replicas: 0, progressDeadlineSeconds: 2_147_483_647 } }),
    );
    expect(at(answer, 'spec.progressDeadlineSeconds')).toBe(2_147_483_647);
  });
});

describe('unknown and mistyped fields', () => {
  const odd = () => aDeployment('odd', { spec: { replicas: 0, nonsense: 1 } });

  test('fieldValidation=Strict refuses', async () => {
    const answer = await cluster.api.post(pathOf('Deployment'), odd(), {
      fieldValidation: 'Strict',
    });
    expect(answer.status).toBe(400);
    expect(at(answer, 'message')).toMatch(/strict decoding error: unknown field "spec.nonsense"/);
  });

  test('fieldValidation=Warn drops and warns', async () => {
    const answer = await cluster.api.post(pathOf('Deployment'), odd(), {
      fieldValidation: 'Warn',
      dryRun: 'All',
    });
    expect(answer.status).toBe(201);
    expect(answer.headers['warning']).toContain('unknown field \\"spec.nonsense\\"');
    expect(at(answer, 'spec.nonsense')).toBeUndefined();
  });

  test('fieldValidation=Ignore drops in silence', async () => {
    const answer = await cluster.api.post(pathOf('Deployment'), odd(), {
      fieldValidation: 'Ignore',
      dryRun: 'All',
    });
    expect(answer.headers['warning']).toBeUndefined();
  });

  test('text for a number is 400', async () => {
    const answer = await cluster.api.post(
      pathOf('Deployment'),
      aDeployment('typed', { spec: { replicas: 'many' } }),
    );
    expect(answer.status).toBe(400);
  });

  test('a number for text in annotations is 400', async () => {
    const answer = await cluster.api.post(
      pathOf('ConfigMap'),
      aConfigMap('typed', { metadata: { annotations: { a: 1 } } }),
    );
    expect(answer.status).toBe(400);
  });
});
