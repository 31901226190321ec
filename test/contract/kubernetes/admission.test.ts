import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import type { JsonObject } from '../../../src/embedded/json.ts';
import { type Answer, at, eventually } from './client.ts';
import { contractCluster } from './cluster.ts';
import { aDeployment, aPodSpec } from './objects.ts';

const cluster = contractCluster();
const deployments = () => `/apis/apps/v1/namespaces/${cluster.namespace}/deployments`;
const manifest = new URL('../../../manifests/install/pause-on-change.yaml', import.meta.url);
const optedIn = { 'haldane.dev/enabled': 'true' };
const newTemplate = { spec: { template: { spec: aPodSpec('shop/web:v2') } } };

const make = (name: string, change: JsonObject = {}) =>
  cluster.api.post(
    deployments(),
    aDeployment(name, { metadata: { annotations: optedIn }, spec: { replicas: 1 }, ...change }),
  );
const patch = (name: string, body: JsonObject, query = {}) =>
  cluster.api.patch(`${deployments()}/${name}`, 'strategic', body, query);
const paused = (answer: Answer) => [answer.status, at(answer, 'spec.paused') ?? false];

beforeAll(async () => {
  for (const document of parseAllDocuments(readFileSync(manifest, 'utf8'))) {
    const object = document.toJSON() as JsonObject;
    const plural =
      object['kind'] === 'MutatingAdmissionPolicy'
        ? 'mutatingadmissionpolicies'
        : 'mutatingadmissionpolicybindings';
    const name = String(at(object, 'metadata.name'));
    const answer = await cluster.api.apply(
      `/apis/admissionregistration.k8s.io/v1/${plural}/${name}`,
      object,
      'contract',
      { force: 'true' },
    );
    expect(answer.status).toBeLessThan(300);
  }
  await make('probe');
  await eventually(
    () => patch('probe', newTemplate, { dryRun: 'All' }),
    (answer) => at(answer, 'spec.paused') === true,
  );
});

describe('pause on change', () => {
  test('a new template pauses in the same request', async () => {
    await make('change');
    const answer = await patch('change', newTemplate);
    expect(paused(answer)).toEqual([200, true]);
    expect(at(answer, 'metadata.generation')).toBe(2);
  });

  test('a new template that says paused: false is paused all the same', async () => {
    await make('insists', {});
    expect(
      paused(await patch('insists', { spec: { ...newTemplate.spec, paused: false } })),
    ).toEqual([200, true]);
  });

  test('opt-in and template in one request pause', async () => {
    await make('both', { metadata: { annotations: null } });
    expect(
      paused(await patch('both', { metadata: { annotations: optedIn }, ...newTemplate })),
    ).toEqual([200, true]);
  });

  test('scaling and labelling do not', async () => {
    await make('scaled');
    expect(paused(await patch('scaled', { spec: { replicas: 2 } }))).toEqual([200, false]);
    expect(paused(await patch('scaled', { metadata: { labels: { a: 'b' } } }))).toEqual([
      200,
      false,
    ]);
  });

  test('a Deployment that is not opted in is left alone', async () => {
    await make('plain', { metadata: { annotations: { 'haldane.dev/enabled': 'false' } } });
    expect(paused(await patch('plain', newTemplate))).toEqual([200, false]);
  });

  test('without replicas there is nothing to protect', async () => {
    await make('empty', { spec: { replicas: 0 } });
    expect(paused(await patch('empty', newTemplate))).toEqual([200, false]);
  });

  test('our own unpausing goes through when the template stays', async () => {
    await make('resume');
    await patch('resume', newTemplate);
    expect(paused(await patch('resume', { spec: { paused: null } }))).toEqual([200, false]);
  });

  test('while a rollout is marked, nobody unpauses', async () => {
    await make('marked');
    await patch('marked', newTemplate);
    await patch('marked', { metadata: { annotations: { 'haldane.dev/rollout': 'abc' } } });
    expect(paused(await patch('marked', { spec: { paused: false } }))).toEqual([200, true]);
    expect(
      paused(
        await patch('marked', {
          metadata: { annotations: { 'haldane.dev/rollout': null } },
          spec: { paused: null },
        }),
      ),
    ).toEqual([200, false]);
  });

  test('paused is owned by nobody', async () => {
    await make('unowned');
    const answer = await patch('unowned', newTemplate);
    expect(JSON.stringify(at(answer, 'metadata.managedFields'))).not.toContain('f:paused');
  });

  test('applying the same manifest again keeps the pause', async () => {
    const config = (image: string) =>
      aDeployment('applied', {
        metadata: { annotations: optedIn },
        spec: { replicas: 1, template: { spec: aPodSpec(image) } },
      });
    await cluster.api.apply(`${deployments()}/applied`, config('shop/web:v1'), 'gitops');
    expect(
      paused(await cluster.api.apply(`${deployments()}/applied`, config('shop/web:v2'), 'gitops')),
    ).toEqual([200, true]);
    expect(
      paused(
        await cluster.api.apply(`${deployments()}/applied`, config('shop/web:v2'), 'gitops', {
          force: 'true',
        }),
      ),
    ).toEqual([200, true]);
  });

  test('replacing the whole object pauses', async () => {
    const made = await make('replaced');
    const body = {
      ...made.body,
      metadata: { name: 'replaced', annotations: optedIn },
      spec: {
        ...(made.body['spec'] as JsonObject),
        template: { metadata: { labels: { app: 'replaced' } }, spec: aPodSpec('shop/web:v2') },
      },
    };
    expect(paused(await cluster.api.put(`${deployments()}/replaced`, body))).toEqual([200, true]);
  });

  test('the scale subresource is not concerned', async () => {
    await make('by-scale');
    expect(
      (
        await cluster.api.patch(`${deployments()}/by-scale/scale`, 'merge', {
          spec: { replicas: 2 },
        })
      ).status,
    ).toBe(200);
    expect(paused(await cluster.api.get(`${deployments()}/by-scale`))).toEqual([200, false]);
  });
});
