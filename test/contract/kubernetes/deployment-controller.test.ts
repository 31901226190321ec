import { describe, expect, test } from 'vitest';
import { compareText } from '../../../src/embedded/controllers/objects.ts';
import { asArray, asObject, type JsonObject } from '../../../src/embedded/json.ts';
import { type Answer, at, eventually, nameOf } from './client.ts';
import { contractCluster } from './cluster.ts';
import { aDeployment, aPodSpec } from './objects.ts';

const cluster = contractCluster();
const deployments = () => `/apis/apps/v1/namespaces/${cluster.namespace}/deployments`;
const sets = () => `/apis/apps/v1/namespaces/${cluster.namespace}/replicasets`;
const pods = () => `/api/v1/namespaces/${cluster.namespace}/pods`;

const make = (name: string, spec: JsonObject = {}) =>
  cluster.api.post(deployments(), aDeployment(name, { spec }));
const patch = (name: string, body: JsonObject) =>
  cluster.api.patch(`${deployments()}/${name}`, 'strategic', body);
const image = (tag: string) => ({ spec: { template: { spec: aPodSpec(`shop/web:${tag}`) } } });
const items = (answer: Answer) => asArray(at(answer, 'items')).map(asObject);
const setsOf = async (app: string) =>
  items(await cluster.api.get(sets(), { labelSelector: `app=${app}` }));
const podsOf = async (app: string) =>
  items(await cluster.api.get(pods(), { labelSelector: `app=${app}` }));
const imageOf = (set: JsonObject) =>
  String(at(set, 'spec.template.spec.containers.0.image')).split(':')[1];
const owner = (set: JsonObject) =>
  asArray(at(set, 'metadata.ownerReferences'))
    .map(asObject)
    .find((o) => o['controller'] === true);
const condition = (answer: Answer | JsonObject, type: string) =>
  asArray(at(answer, 'status.conditions'))
    .map(asObject)
    .find((c) => c['type'] === type);
/** Sizes by image tag: `{v1: 2, v2: 0}`. */
const sizes = async (app: string) =>
  Object.fromEntries((await setsOf(app)).map((set) => [imageOf(set), at(set, 'spec.replicas')]));
const settled = (name: string) =>
  eventually(
    () => cluster.api.get(`${deployments()}/${name}`),
    (d) =>
      at(d, 'status.observedGeneration') === at(d, 'metadata.generation') &&
      at(d, 'status.availableReplicas') === at(d, 'spec.replicas') &&
      at(d, 'status.updatedReplicas') === at(d, 'spec.replicas') &&
      at(d, 'status.replicas') === at(d, 'spec.replicas') &&
      condition(d, 'Progressing')?.['reason'] === 'NewReplicaSetAvailable',
  );
/**
 * The controller has seen the newest generation, and a little longer for what it might do about
 * it.
 */
const seen = async (name: string) => {
  await eventually(
    () => cluster.api.get(`${deployments()}/${name}`),
    (d) => at(d, 'status.observedGeneration') === at(d, 'metadata.generation'),
  );
  const before = (await cluster.api.get(pods(), { labelSelector: `app=${name}` })).body;
  await new Promise((resolve) => setTimeout(resolve, cluster.real ? 700 : 150));
  return before;
};
/** Which of two ReplicaSets is the older one is told by whole seconds. */
const aSecond = () => new Promise((resolve) => setTimeout(resolve, 1100));
/** A ReplicaSet with the template of a Deployment, which its controller does not adopt. */
const bareSet = async (
  name: string,
  app: string,
  replicas: number,
  change: { readonly labels?: JsonObject; readonly image?: string } = {},
) => {
  const d = await cluster.api.get(`${deployments()}/${app}`);
  const labels = { app, 'pod-template-hash': name };
  const made = await cluster.api.post(sets(), {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: {
      name,
      labels: change.labels ?? { 'haldane.dev/canary-for': app },
      ownerReferences: [
        { apiVersion: 'apps/v1', kind: 'Deployment', name: app, uid: at(d, 'metadata.uid') },
      ],
    },
    spec: {
      replicas,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: at(d, 'spec.template.spec') },
    },
  });
  expect(made.status).toBe(201);
  return made;
};
const available = (name: string, count: number) =>
  eventually(
    () => cluster.api.get(`${sets()}/${name}`),
    (rs) => (at(rs, 'status.availableReplicas') ?? 0) === count,
  );

describe('rollout', () => {
  test('creates a ReplicaSet with revision 1 and annotations of the size', async () => {
    await make('first');
    await settled('first');
    const [set = {}] = await setsOf('first');
    expect(at(set, 'metadata.labels')).toEqual({
      app: 'first',
      'pod-template-hash': expect.any(String),
    });
    expect(asObject(at(set, 'metadata.annotations'))).toMatchObject({
      'deployment.kubernetes.io/revision': '1',
      'deployment.kubernetes.io/desired-replicas': '2',
      'deployment.kubernetes.io/max-replicas': '3',
    });
    expect(nameOf(set)).toBe(
      `first-${String(asObject(at(set, 'metadata.labels'))['pod-template-hash'])}`,
    );
    expect(owner(set)).toMatchObject({
      kind: 'Deployment',
      name: 'first',
      blockOwnerDeletion: true,
    });
  });

  test('a new template rolls over and raises the revision', async () => {
    await make('rolling');
    await settled('rolling');
    await patch('rolling', image('v2'));
    const done = await settled('rolling');
    await eventually(
      () => sizes('rolling'),
      (s) => s['v1'] === 0 && s['v2'] === 2,
    );
    expect(asObject(at(done, 'metadata.annotations'))['deployment.kubernetes.io/revision']).toBe(
      '2',
    );
    expect(condition(done, 'Available')).toMatchObject({
      status: 'True',
      reason: 'MinimumReplicasAvailable',
    });
  });

  test('annotations are copied to the ReplicaSet, last-applied-configuration is not', async () => {
    await make('copied');
    await settled('copied');
    await patch('copied', {
      metadata: {
        annotations: { note: 'x', 'kubectl.kubernetes.io/last-applied-configuration': '{}' },
      },
    });
    const annotations = await eventually(
      async () => asObject(at((await setsOf('copied'))[0] ?? {}, 'metadata.annotations')),
      (a) => a['note'] === 'x',
    );
    expect(annotations['kubectl.kubernetes.io/last-applied-configuration']).toBeUndefined();
  });

  test('an old template gets its ReplicaSet back, with a history of revisions', async () => {
    await make('back');
    await settled('back');
    await patch('back', image('v2'));
    await settled('back');
    await patch('back', image('v1'));
    await settled('back');
    const all = await setsOf('back');
    expect(all).toHaveLength(2);
    const first = all.find((set) => imageOf(set) === 'v1') ?? {};
    expect(asObject(at(first, 'metadata.annotations'))).toMatchObject({
      'deployment.kubernetes.io/revision': '3',
      'deployment.kubernetes.io/revision-history': '1',
    });
  });

  test('old ReplicaSets beyond the history limit are deleted', async () => {
    await make('history', { revisionHistoryLimit: 1 });
    for (const tag of ['v2', 'v3', 'v4']) {
      await settled('history');
      await patch('history', image(tag));
    }
    await settled('history');
    const left = await eventually(
      () => sizes('history'),
      (s) => Object.keys(s).length === 2,
    );
    expect(left).toEqual({ v3: 0, v4: 2 });
  });

  test('Recreate never runs two versions', async () => {
    await make('recreate', { strategy: { type: 'Recreate' } });
    await settled('recreate');
    const watch = await cluster.api.watch(pods(), { labelSelector: 'app=recreate' });
    await patch('recreate', image('v2'));
    await settled('recreate');
    const running = new Map<string, string>();
    for (const { type, object } of watch.events) {
      if (type === 'DELETED') running.delete(nameOf(object));
      else if (type !== 'BOOKMARK')
        running.set(nameOf(object), String(at(object, 'spec.containers.0.image')));
      expect(new Set(running.values()).size).toBeLessThanOrEqual(1);
    }
    watch.close();
  });

  test('a rollout that does not progress runs into its deadline', async () => {
    await make('stuck', { progressDeadlineSeconds: 2 });
    await settled('stuck');
    await patch('stuck', image('missing'));
    const late = await eventually(
      () => cluster.api.get(`${deployments()}/stuck`),
      (d) => condition(d, 'Progressing')?.['reason'] === 'ProgressDeadlineExceeded',
    );
    expect(condition(late, 'Progressing')?.['status']).toBe('False');
  });

  test('two active ReplicaSets share a change of size in proportion', async () => {
    await make('shared', { replicas: 4 });
    await settled('shared');
    await patch('shared', image('missing'));
    const stuck = (s: JsonObject) => s['v1'] === 3 && s['missing'] === 2;
    await eventually(() => sizes('shared'), stuck);
    await patch('shared', { spec: { replicas: 8 } });
    await eventually(
      () => sizes('shared'),
      (s) => s['v1'] === 6 && s['missing'] === 4,
    );
  });

  test('deleting the Deployment removes its ReplicaSets and pods', async () => {
    await make('deleted');
    await settled('deleted');
    await cluster.api.delete(`${deployments()}/deleted`);
    await eventually(
      () => setsOf('deleted'),
      (all) => all.length === 0,
    );
    await eventually(
      () => podsOf('deleted'),
      (all) => all.length === 0,
    );
  });
});

describe('paused', () => {
  test('a new template starts nothing, and the condition says so', async () => {
    await make('paused');
    await settled('paused');
    await patch('paused', { spec: { paused: true, ...image('v2').spec } });
    await seen('paused');
    expect(await sizes('paused')).toEqual({ v1: 2 });
    const d = await cluster.api.get(`${deployments()}/paused`);
    expect(condition(d, 'Progressing')).toMatchObject({
      status: 'Unknown',
      reason: 'DeploymentPaused',
    });
    expect(at(d, 'status.updatedReplicas') ?? 0).toBe(0);
  });

  test('without a deadline the Progressing condition is left alone', async () => {
    await make('endless', { progressDeadlineSeconds: 2_147_483_647 });
    await eventually(
      () => cluster.api.get(`${deployments()}/endless`),
      (d) => at(d, 'status.availableReplicas') === 2,
    );
    await patch('endless', { spec: { paused: true } });
    await seen('endless');
    const ours = {
      type: 'Progressing',
      status: 'True',
      reason: 'Ours',
      message: 'm',
      lastUpdateTime: '2026-01-01T00:00:00Z',
      lastTransitionTime: '2026-01-01T00:00:00Z',
    };
    await cluster.api.patch(`${deployments()}/endless/status`, 'strategic', {
      status: { conditions: [ours] },
    });
    await patch('endless', { metadata: { annotations: { wake: 'up' } } });
    await seen('endless');
    expect(
      condition(await cluster.api.get(`${deployments()}/endless`), 'Progressing')?.['reason'],
    ).toBe('Ours');
  });

  test('a deadline that ran out stays, also over scaling', async () => {
    await make('rejected');
    await settled('rejected');
    await patch('rejected', { spec: { paused: true, ...image('v2').spec } });
    await seen('rejected');
    const ours = {
      type: 'Progressing',
      status: 'False',
      reason: 'ProgressDeadlineExceeded',
      message: 'ours',
      lastUpdateTime: '2026-01-01T00:00:00Z',
      lastTransitionTime: '2026-01-01T00:00:00Z',
    };
    await cluster.api.patch(`${deployments()}/rejected/status`, 'strategic', {
      status: { conditions: [ours] },
    });
    await patch('rejected', { spec: { replicas: 3 } });
    await eventually(
      () => sizes('rejected'),
      (s) => s['v1'] === 3,
    );
    expect(
      condition(await cluster.api.get(`${deployments()}/rejected`), 'Progressing'),
    ).toMatchObject({ reason: 'ProgressDeadlineExceeded', message: 'ours' });
  });

  test('scaling reaches the only active ReplicaSet', async () => {
    await make('scaled');
    await settled('scaled');
    await patch('scaled', { spec: { paused: true, ...image('v2').spec } });
    await patch('scaled', { spec: { replicas: 4 } });
    await eventually(
      () => sizes('scaled'),
      (s) => s['v1'] === 4,
    );
    await patch('scaled', { spec: { replicas: 1 } });
    await eventually(
      () => sizes('scaled'),
      (s) => s['v1'] === 1,
    );
  });

  test('born paused it has no ReplicaSet, and a deleted one does not come back', async () => {
    await make('unborn', { paused: true });
    await seen('unborn');
    expect(await setsOf('unborn')).toEqual([]);
  });

  test('scaled up from nothing the newest old ReplicaSet grows, not the last served', async () => {
    await make('newest');
    await settled('newest');
    await aSecond();
    for (const tag of ['v2', 'v1']) {
      await patch('newest', image(tag));
      await settled('newest');
    }
    await patch('newest', { spec: { replicas: 0 } });
    await eventually(
      () => sizes('newest'),
      (s) => s['v1'] === 0 && s['v2'] === 0,
    );
    await patch('newest', { spec: { paused: true, ...image('v3').spec } });
    await seen('newest');
    await patch('newest', { spec: { replicas: 2 } });
    await eventually(
      () => sizes('newest'),
      (s) => s['v2'] === 2,
    );
    expect(await sizes('newest')).toEqual({ v1: 0, v2: 2 });
  });

  test('resuming rolls the new template out', async () => {
    await make('resumed');
    await settled('resumed');
    await patch('resumed', { spec: { paused: true, ...image('v2').spec } });
    await seen('resumed');
    await patch('resumed', { spec: { paused: null } });
    await settled('resumed');
    await eventually(
      () => sizes('resumed'),
      (s) => s['v1'] === 0 && s['v2'] === 2,
    );
  });
});

describe('a bare ReplicaSet beside a paused Deployment', () => {
  const canary = async (app: string, replicas: number) => {
    await make(app);
    await settled(app);
    await patch(app, { spec: { paused: true, ...image('v2').spec } });
    await seen(app);
    await bareSet(`${app}-b`, app, replicas);
    await available(`${app}-b`, replicas);
  };

  test('is not adopted as long as its labels do not match', async () => {
    await canary('aside', 1);
    await patch('aside', { metadata: { annotations: { wake: 'up' } } });
    await seen('aside');
    const set = await cluster.api.get(`${sets()}/aside-b`);
    expect(owner(set.body)).toBeUndefined();
    expect(at(set, 'spec.replicas')).toBe(1);
    expect(at(await cluster.api.get(`${deployments()}/aside`), 'status.replicas')).toBe(2);
  });

  test('is adopted by a label patch; the old one goes to 0 and no pod is replaced', async () => {
    await canary('adopted', 2);
    const before = (await podsOf('adopted'))
      .filter((pod) => asObject(at(pod, 'metadata.labels'))['pod-template-hash'] === 'adopted-b')
      .map((pod) => String(at(pod, 'metadata.uid')))
      .sort(compareText);
    await cluster.api.patch(`${sets()}/adopted-b`, 'merge', {
      metadata: {
        labels: {
          app: 'adopted',
          'pod-template-hash': 'adopted-b',
          'haldane.dev/canary-for': null,
        },
        annotations: {
          'deployment.kubernetes.io/desired-replicas': '2',
          'deployment.kubernetes.io/max-replicas': '3',
          'deployment.kubernetes.io/revision': '2',
        },
      },
    });
    await eventually(
      () => sizes('adopted'),
      (s) => s['v1'] === 0 && s['v2'] === 2,
    );
    expect(owner((await cluster.api.get(`${sets()}/adopted-b`)).body)).toMatchObject({
      name: 'adopted',
      controller: true,
    });
    await eventually(
      () => podsOf('adopted'),
      (all) => all.length === 2,
    );
    expect(
      (await podsOf('adopted')).map((pod) => String(at(pod, 'metadata.uid'))).sort(compareText),
    ).toEqual(before);
    await patch('adopted', { spec: { paused: null } });
    await settled('adopted');
    expect(await setsOf('adopted')).toHaveLength(2);
  });

  test('the same reference becomes the controller: none is added', async () => {
    await canary('same-ref', 2);
    await cluster.api.patch(`${sets()}/same-ref-b`, 'merge', {
      metadata: { labels: { app: 'same-ref', 'pod-template-hash': 'same-ref-b' } },
    });
    const set = await eventually(
      () => cluster.api.get(`${sets()}/same-ref-b`),
      (answer) => owner(answer.body) !== undefined,
    );
    expect(at(set, 'metadata.ownerReferences')).toHaveLength(1);
  });

  test('adopted with unready pods both stay active; taking the old one to 0 ends it', async () => {
    await make('sticks');
    await settled('sticks');
    await patch('sticks', { spec: { paused: true, ...image('missing').spec } });
    await seen('sticks');
    await aSecond();
    await bareSet('sticks-b', 'sticks', 2);
    await cluster.api.patch(`${sets()}/sticks-b`, 'merge', {
      metadata: {
        labels: { app: 'sticks', 'pod-template-hash': 'sticks-b' },
        annotations: {
          'deployment.kubernetes.io/desired-replicas': '2',
          'deployment.kubernetes.io/max-replicas': '3',
        },
      },
    });
    await eventually(
      () => cluster.api.get(`${sets()}/sticks-b`),
      (answer) => owner(answer.body) !== undefined,
    );
    await seen('sticks');
    expect(await sizes('sticks')).toEqual({ v1: 1, missing: 2 });
    const old = (await setsOf('sticks')).find((set) => imageOf(set) === 'v1') ?? {};
    await cluster.api.patch(`${sets()}/${nameOf(old)}`, 'merge', { spec: { replicas: 0 } });
    await eventually(
      () => sizes('sticks'),
      (s) => s['v1'] === 0 && s['missing'] === 2,
    );
  });

  test('an older empty ReplicaSet with the same template wins over it', async () => {
    await make('oldest');
    await settled('oldest');
    await patch('oldest', image('v2'));
    await settled('oldest');
    await patch('oldest', { spec: { paused: true, ...image('v1').spec } });
    await eventually(
      async () => (await setsOf('oldest')).find((set) => imageOf(set) === 'v1') ?? {},
      (set) =>
        asObject(at(set, 'metadata.annotations'))['deployment.kubernetes.io/revision'] === '3',
    );
    expect(await sizes('oldest')).toEqual({ v1: 0, v2: 2 });
  });

  test('is removed with the Deployment through its plain ownerReference', async () => {
    await canary('together', 1);
    await cluster.api.delete(`${deployments()}/together`);
    await eventually(
      () => cluster.api.get(`${sets()}/together-b`),
      ({ status }) => status === 404,
    );
  });

  test('released when the label goes: the reference goes with it', async () => {
    await canary('released', 2);
    await cluster.api.patch(`${sets()}/released-b`, 'merge', {
      metadata: { labels: { app: 'released', 'pod-template-hash': 'released-b' } },
    });
    await eventually(
      () => cluster.api.get(`${sets()}/released-b`),
      (answer) => owner(answer.body) !== undefined,
    );
    await cluster.api.patch(`${sets()}/released-b`, 'merge', {
      metadata: { labels: { app: null } },
    });
    await eventually(
      () => cluster.api.get(`${sets()}/released-b`),
      (answer) => at(answer, 'metadata.ownerReferences') === undefined,
    );
  });
});
