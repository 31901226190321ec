import { execFile } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import type { JsonObject } from '../../../src/embedded/json.ts';
import { at, eventually } from './client.ts';
import { contractCluster } from './cluster.ts';
import { aDeployment, aPodSpec, aService } from './objects.ts';

const cluster = contractCluster();
const deployments = () => `/apis/apps/v1/namespaces/${cluster.namespace}/deployments`;

type Run = { readonly code: number; readonly out: string; readonly err: string };

/** Runs kubectl in the namespace of this file; `input` goes to its standard input. */
function kubectl(line: string, input?: JsonObject): Promise<Run> {
  const args = ['--kubeconfig', cluster.kubeconfig, '-n', cluster.namespace, ...line.split(' ')];
  return new Promise((resolve) => {
    const child = execFile('kubectl', args, { timeout: 30_000 }, (error, out, err) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
      resolve({ code, out, err: err.replaceAll(/^WARNING: version difference.*\n/gm, '') });
    });
    child.stdin?.end(input === undefined ? '' : stringify(input));
  });
}

const make = async (name: string, spec: JsonObject = {}) => {
  const done = await kubectl('apply -f -', aDeployment(name, { spec }));
  expect(done).toMatchObject({ code: 0, out: `deployment.apps/${name} created\n` });
};
const rolledOut = async (name: string) =>
  expect(await kubectl(`rollout status deployment/${name} --timeout=25s`)).toMatchObject({
    code: 0,
  });

const installed =
  (await new Promise<boolean>((resolve) => {
    execFile('kubectl', ['version', '--client'], (error) => resolve(error === null));
  })) || process.env['CI'] !== undefined;

/** Leaves its cases out. */
const withoutKubectl = (_name: string, _cases: () => void): void => {};

// A newcomer without kubectl can check everything else; CI must have it.
if (!installed) test('kubectl is not on this machine', () => expect(installed).toBe(false));

(installed ? describe : withoutKubectl)('kubectl', () => {
  test('apply creates, leaves alone, configures', async () => {
    await make('applied');
    expect((await kubectl('apply -f -', aDeployment('applied'))).out).toBe(
      'deployment.apps/applied unchanged\n',
    );
    expect(
      (
        await kubectl(
          'apply -f -',
          aDeployment('applied', { spec: { template: { spec: aPodSpec('shop/web:v2') } } }),
        )
      ).out,
    ).toBe('deployment.apps/applied configured\n');
    expect(
      at(
        await cluster.api.get(`${deployments()}/applied`),
        'spec.template.spec.containers.0.image',
      ),
    ).toBe('shop/web:v2');
  });

  test('apply removes what the manifest no longer has', async () => {
    await kubectl(
      'apply -f -',
      aDeployment('pruned', { metadata: { labels: { a: '1', b: '2' } } }),
    );
    await kubectl('apply -f -', aDeployment('pruned', { metadata: { labels: { a: '1' } } }));
    expect(at(await cluster.api.get(`${deployments()}/pruned`), 'metadata.labels')).toEqual({
      a: '1',
    });
  });

  test('apply refuses an unknown field', async () => {
    const done = await kubectl('apply -f -', aDeployment('odd', { spec: { nonsense: 1 } }));
    expect(done.code).toBe(1);
    expect(done.err).toContain('unknown field "spec.nonsense"');
  });

  test('server-side apply', async () => {
    expect(await kubectl('apply --server-side -f -', aDeployment('ssa'))).toMatchObject({
      code: 0,
      out: 'deployment.apps/ssa serverside-applied\n',
    });
  });

  test('server-side apply names the conflict', async () => {
    await make('disputed');
    await cluster.api.apply(
      `${deployments()}/disputed`,
      aDeployment('disputed', { spec: { minReadySeconds: 1 } }),
      'other',
    );
    const done = await kubectl(
      'apply --server-side -f -',
      aDeployment('disputed', { spec: { minReadySeconds: 2 } }),
    );
    expect(done.code).toBe(1);
    expect(done.err).toContain('.spec.minReadySeconds');
  });

  test('get shows columns', async () => {
    await make('shown');
    await rolledOut('shown');
    const { out } = await kubectl('get deployment shown');
    expect(out).toMatch(/^NAME +READY +UP-TO-DATE +AVAILABLE +AGE\nshown +2\/2 +2 +2 +\d+s\n$/);
    expect((await kubectl('get pods -l app=shown -o wide')).out).toMatch(
      /NAME +READY +STATUS +RESTARTS +AGE +IP[^\n]*\n(shown-\S+ +1\/1 +Running +0[^\n]*\n){2}/,
    );
  });

  test('get of nothing says so', async () => {
    const done = await kubectl('get deployment nobody');
    expect(done).toMatchObject({
      code: 1,
      err: 'Error from server (NotFound): deployments.apps "nobody" not found\n',
    });
  });

  test('get -o jsonpath', async () => {
    await make('path', { replicas: 0 });
    expect(
      (await kubectl('get deployment path -o jsonpath={.spec.template.spec.containers[0].image}'))
        .out,
    ).toBe('shop/web:v1');
  });

  test('set image rolls out and rollout status waits for it', async () => {
    await make('image');
    await rolledOut('image');
    expect((await kubectl('set image deployment/image web=shop/web:v2')).out).toBe(
      'deployment.apps/image image updated\n',
    );
    await rolledOut('image');
    expect((await kubectl('get deployment image -o jsonpath={.status.updatedReplicas}')).out).toBe(
      '2',
    );
  });

  test('rollout history, undo and restart', async () => {
    await make('story');
    await rolledOut('story');
    await kubectl('set image deployment/story web=shop/web:v2');
    await rolledOut('story');
    expect((await kubectl('rollout history deployment/story')).out).toMatch(
      /REVISION +CHANGE-CAUSE\n1 +<none>\n2 +<none>/,
    );
    expect((await kubectl('rollout undo deployment/story')).out).toBe(
      'deployment.apps/story rolled back\n',
    );
    await rolledOut('story');
    expect(
      (await kubectl('get deployment story -o jsonpath={.spec.template.spec.containers[0].image}'))
        .out,
    ).toBe('shop/web:v1');
    expect((await kubectl('rollout restart deployment/story')).out).toBe(
      'deployment.apps/story restarted\n',
    );
    await rolledOut('story');
  });

  test('rollout pause and resume; restart of a paused one is refused', async () => {
    await make('halt', { replicas: 1 });
    await rolledOut('halt');
    expect((await kubectl('rollout pause deployment/halt')).out).toBe(
      'deployment.apps/halt paused\n',
    );
    expect((await kubectl('rollout restart deployment/halt')).code).toBe(1);
    expect((await kubectl('rollout resume deployment/halt')).out).toBe(
      'deployment.apps/halt resumed\n',
    );
  });

  test('rollout status fails when the deadline has run out', async () => {
    await make('late', {
      replicas: 1,
      progressDeadlineSeconds: 1,
      template: { spec: aPodSpec('shop/web:missing') },
    });
    const done = await kubectl('rollout status deployment/late --timeout=25s');
    expect(done.code).toBe(1);
    expect(done.err).toContain('exceeded its progress deadline');
  });

  test('scale', async () => {
    await make('sized');
    expect((await kubectl('scale deployment/sized --replicas=3')).out).toBe(
      'deployment.apps/sized scaled\n',
    );
    await eventually(
      () => cluster.api.get(`${deployments()}/sized`),
      (d) => at(d, 'status.availableReplicas') === 3,
    );
  });

  test('scale with another current size is refused', async () => {
    await make('guarded', { replicas: 0 });
    expect((await kubectl('scale deployment/guarded --current-replicas=5 --replicas=3')).code).toBe(
      1,
    );
  });

  test('annotate and label', async () => {
    await make('marked', { replicas: 0 });
    expect((await kubectl('annotate deployment/marked haldane.dev/enabled=true')).out).toBe(
      'deployment.apps/marked annotated\n',
    );
    expect((await kubectl('annotate deployment/marked haldane.dev/enabled=false')).code).toBe(1);
    expect(
      (await kubectl('annotate --overwrite deployment/marked haldane.dev/enabled-')).code,
    ).toBe(0);
    expect((await kubectl('label deployment/marked tier=web')).out).toBe(
      'deployment.apps/marked labeled\n',
    );
  });

  test('patch in three kinds, and of the status', async () => {
    await make('patched', { replicas: 0 });
    expect((await kubectl('patch deployment/patched -p {"spec":{"minReadySeconds":1}}')).code).toBe(
      0,
    );
    expect(
      (await kubectl('patch deployment/patched --type=merge -p {"spec":{"minReadySeconds":2}}'))
        .code,
    ).toBe(0);
    expect(
      (
        await kubectl(
          'patch deployment/patched --type=json -p ' +
            '[{"op":"replace","path":"/spec/minReadySeconds","value":3}]',
        )
      ).code,
    ).toBe(0);
    expect((await kubectl('get deployment patched -o jsonpath={.spec.minReadySeconds}')).out).toBe(
      '3',
    );
  });

  test('replace', async () => {
    await make('replaced', { replicas: 0 });
    const done = await kubectl(
      'replace -f -',
      aDeployment('replaced', { spec: { replicas: 0, minReadySeconds: 4 } }),
    );
    expect(done).toMatchObject({ code: 0, out: 'deployment.apps/replaced replaced\n' });
  });

  test('describe lists ReplicaSets, conditions and events', async () => {
    await make('told', { replicas: 1 });
    await rolledOut('told');
    const { out } = await kubectl('describe deployment told');
    expect(out).toMatch(/Conditions:[\s\S]*Available +True +MinimumReplicasAvailable/);
    expect(out).toMatch(/NewReplicaSet: +told-\S+ \(1\/1 replicas created\)/);
    expect(out).toMatch(/ScalingReplicaSet[\s\S]*Scaled up replica set told-\S+ from 0 to 1/);
  });

  test('wait for a condition', async () => {
    await make('waited', { replicas: 1 });
    expect(
      (await kubectl('wait deployment/waited --for=condition=Available --timeout=20s')).out,
    ).toBe('deployment.apps/waited condition met\n');
  });

  test('get -w prints changes', async () => {
    await make('watched', { replicas: 1 });
    const watching = kubectl('get deployment watched -w --request-timeout=3s -o name');
    await eventually(
      () => kubectl('annotate --overwrite deployment/watched tick=1'),
      ({ code }) => code === 0,
    );
    expect((await watching).out).toContain('deployment.apps/watched');
  });

  test('delete, with and without its dependents', async () => {
    await make('doomed', { replicas: 1 });
    await rolledOut('doomed');
    expect((await kubectl('delete deployment doomed --cascade=orphan')).out).toContain(
      '"doomed" deleted',
    );
    const orphans = await kubectl('get rs -l app=doomed -o name');
    expect(orphans.out).toMatch(/replicaset\.apps\/doomed-/);
    expect((await kubectl('delete rs -l app=doomed')).code).toBe(0);
    await eventually(
      () => kubectl('get pods -l app=doomed -o name'),
      ({ out }) => out === '',
    );
  });

  test('Services and routes', async () => {
    expect((await kubectl('apply -f -', aService('front'))).out).toBe('service/front created\n');
    expect((await kubectl('get service front')).out).toMatch(
      /NAME +TYPE +CLUSTER-IP [^\n]*\nfront +ClusterIP +10\.96\.\d+\.\d+ +<none> +80\/TCP/,
    );
    expect((await kubectl('get httproutes')).code).toBe(0);
  });

  test('api-resources knows short names', async () => {
    const { out } = await kubectl('api-resources');
    expect(out).toMatch(/deployments +deploy +apps\/v1 +true +Deployment/);
    expect(out).toMatch(/httproutes +gateway\.networking\.k8s\.io\/v1 +true +HTTPRoute/);
  });

  test('explain knows the fields', async () => {
    expect((await kubectl('explain deployment.spec.paused')).out).toMatch(
      /FIELD: paused <boolean>/,
    );
  });
});
