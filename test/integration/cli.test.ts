import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { readAsked } from '../../src/controller/read-annotations.ts';
import { settingsOf } from '../../src/controller/settings.ts';
import { deploymentView } from '../../src/kubernetes/objects.ts';
import type { RawObject } from '../../src/kubernetes/raw-object.ts';
import { resources } from '../../src/kubernetes/resources.ts';
import { instant } from '../../src/lib/units.ts';
import { parseConfig } from '../../src/spec/config-file.ts';
import { parseRequest } from '../../src/spec/request.ts';
import { decodeState, encodeState } from '../../src/spec/state-codec.ts';
import {
  aState,
  type CliCluster,
  layCanary,
  layDeployment,
  layReplicaSet,
  never,
  revisionOf,
  runCli,
  startCliCluster,
} from '../builders/cli-cluster.ts';

type Change = Parameters<typeof layCanary>[2];

const optedIn = { 'haldane.dev/enabled': 'true' };
let cluster: CliCluster;

beforeAll(async () => {
  cluster = await startCliCluster();
});
afterAll(async () => {
  await cluster.close();
});

const refOf = (name: string) => ({ resource: resources.deployments, namespace: 'default', name });
const read = (name: string): Promise<RawObject> => cluster.client.get(refOf(name), never);
const annotationsOf = async (name: string): Promise<Readonly<Record<string, string>>> =>
  (await read(name)).metadata.annotations ?? {};

/**
 * Plays the controller: takes the request by writing its id into the state, or what `take` does.
 */
async function takeRequest(name: string, canary: RawObject): Promise<string> {
  for (;;) {
    const text = (await annotationsOf(name))['haldane.dev/request'];
    const parsed = text === undefined ? undefined : parseRequest(text);
    if (parsed?.ok !== true) {
      await new Promise((resolve) => setTimeout(resolve, 20));
      continue;
    }
    const { 'haldane.dev/state': before = '' } = canary.metadata.annotations ?? {};
    const state = decodeState(before, (await read(name)).metadata.uid ?? '');
    if (state === undefined || state === 'unreadable') throw new Error('no state');
    const next = encodeState({ ...state, requestId: parsed.value.id });
    await cluster.client.mergePatch(
      { resource: resources.replicaSets, namespace: 'default', name: canary.metadata.name },
      { metadata: { annotations: { 'haldane.dev/state': next } } },
      {},
      never,
    );
    return text ?? '';
  }
}

describe('status', () => {
  test('of a Deployment that is not there names those that are', async () => {
    await layDeployment(cluster, 'there');
    const { code, err } = await cluster.run('status', 'nowhere');
    expect(code).toBe(1);
    expect(err).toMatch(/no Deployment "nowhere" in namespace "default"; there are: .*there/);
  });

  test('at rest', async () => {
    await layDeployment(cluster, 'resting', optedIn);
    const { code, out } = await cluster.run('status', 'resting', '--exit-code');
    expect(out).toMatch(/^default\/resting {2}rest\n {2}why {7}nothing to do/);
    expect(code).toBe(0);
  });

  test('during a rollout: weight, step, images, evidence, and exit code 3', async () => {
    const deployment = await layDeployment(cluster, 'rolling', optedIn);
    const { revision } = await layCanary(cluster, deployment);
    const { code, out } = await cluster.run('status', 'rolling', '--exit-code');
    expect(code).toBe(3);
    expect(out).toContain('default/rolling  progressing  ▰▰▱▱  5 %  step 2 of 3');
    expect(out).toContain('about 420 more canary requests (gathering)');
    expect(out).toContain('web: shop/web:v1 → shop/web:v2');
    expect(out).toContain('errors: canary 0.12 %, stable 0.10 %, evidence against it 0.70');
    expect(out).toContain('1,204 requests, 2 failed');
    const json = JSON.parse((await cluster.run('status', 'rolling', '-o', 'json')).out) as object;
    expect(json).toMatchObject({
      namespace: 'default',
      deployment: 'rolling',
      phase: 'progressing',
      weightPercent: 5,
      step: 2,
      steps: [1, 5, 25],
      revision,
      replicas: { wanted: 3, canary: 1 },
      problems: [],
    });
  });

  test('of a first step says why it begins there and how long it takes', async () => {
    const deployment = await layDeployment(cluster, 'slow', optedIn);
    const at = instant(Date.UTC(2026, 0, 2, 12));
    const step = { index: 0, fromIndex: -1, from: 0, to: 1, raisedAt: at, inForceAt: at };
    const ladder = {
      by: 'annotation',
      requestsPerSecond: 4.2,
      firstStepSeconds: 7380,
      onePercentSeconds: 7380,
    };
    await layCanary(cluster, deployment, { step, ladder } as Change);
    const words = 'stable gets 4.2 requests/s: steps 1, 5, 25, 100; 1 % takes about 2 h 3 min';
    expect((await cluster.run('status', 'slow')).out).toContain(`steps     ${words}`);
    const json = JSON.parse((await cluster.run('status', 'slow', '-o', 'json')).out) as object;
    expect(json).toMatchObject({ ladder: words });
  });

  test('of a dry run says that it never acts, and a list shows a check that does', async () => {
    const deployment = await layDeployment(cluster, 'shown', optedIn);
    const figures = { canaryRatio: 0.5, stableRatio: 0, evidence: 4000, promotion: 0 };
    const [errors] = aState('', '').summary.checks;
    const perPod = { canaryRatio: 6 / 3600, stableRatio: 0, per: 'pod-second' };
    const restarts = { check: 'restarts', ...figures, ...perPod };
    const checks = [{ check: 'latency', ...figures, dryRun: true }, restarts, errors];
    const { summary } = aState('', '');
    await layCanary(cluster, deployment, { summary: { ...summary, checks } } as Change);
    const { out } = await cluster.run('status', 'shown');
    for (const line of [
      'latency (dry run): canary 50 %, stable 0 %, evidence against it 4,000, never acts',
      'restarts: canary 6 per pod-hour, stable 0 per pod-hour, evidence against it 4,000',
      'errors: canary 0.12 %, stable 0.10 %, evidence against it 0.70',
    ]) {
      expect(out).toContain(`check     ${line}\n`);
    }
    const listed = (await cluster.run('status')).out.split('\n');
    expect(listed.find((line) => / shown /.test(line))).toMatch(/ 0\.12 % +0\.10 % /);
    const json = JSON.parse((await cluster.run('status', 'shown', '-o', 'json')).out) as object;
    expect(json).toMatchObject({
      checks: [
        { check: 'latency', dryRun: true },
        { check: 'restarts', dryRun: false, per: 'pod-second' },
        { check: 'errors', dryRun: false },
      ],
    });
  });

  test('of lost evidence says what it costs', async () => {
    const deployment = await layDeployment(cluster, 'forgetful', optedIn);
    await layCanary(cluster, deployment, { alphaShare: 1 / 4, attempt: 3 });
    const { out } = await cluster.run('status', 'forgetful');
    expect(out).toContain('lost      evidence was lost twice: a rollback needs 4 times as much');
    expect(out).toContain(', attempt 3 (');
    const json = JSON.parse(
      (await cluster.run('explain', 'forgetful', '-o', 'json')).out,
    ) as object;
    expect(json).toMatchObject({ alphaShare: 1 / 4, attempt: 3, polls: null });
  });

  test('of a new template that nobody has looked at yet', async () => {
    await layDeployment(cluster, 'waiting', optedIn);
    const container = { name: 'web', image: 'shop/web:v9' };
    const patch = { spec: { template: { spec: { containers: [container] } } } };
    await cluster.client.mergePatch(refOf('waiting'), patch, {}, never);
    const { code, out } = await cluster.run('status', 'waiting', '--exit-code');
    expect(out).toContain('preparing');
    expect(out).toContain('a new template waits for its canary');
    expect(code).toBe(3);
  });

  test('of a raise that was recorded and not made names the step that is carried', async () => {
    const deployment = await layDeployment(cluster, 'between', optedIn);
    const state = {
      step: {
        index: 2,
        fromIndex: 1,
        from: 5,
        to: 25,
        raisedAt: instant(0),
        inForceAt: null,
      },
    } as never;
    await layCanary(cluster, deployment, state);
    const { out } = await cluster.run('status', 'between', '-o', 'json');
    expect(JSON.parse(out)).toMatchObject({ step: 2 });
  });

  test('of bad annotations lists every one, as the controller does', async () => {
    const bad = { 'haldane.dev/steps': '0,10', 'haldane.dev/stps': '1' };
    await layDeployment(cluster, 'bad', { ...optedIn, ...bad });
    const { code, out } = await cluster.run('status', 'bad', '--exit-code');
    expect(code).toBe(1);
    expect(out).toContain('default/bad  invalid');
    expect(out).toMatch(/problem +haldane\.dev\/steps="0,10": /);
    expect(out).toMatch(/problem +haldane\.dev\/stps.*did you mean "?steps/);
  });

  test('after a rollback tells why, and exit code 1', async () => {
    const deployment = await layDeployment(cluster, 'refused', optedIn);
    const rejection = {
      revision: revisionOf(deployment),
      attempt: 2,
      rule: 'evidenceWorse',
      because: 'errors 100 % against 0.1 %',
    };
    await cluster.client.mergePatch(
      refOf('refused'),
      { metadata: { annotations: { 'haldane.dev/rejected': JSON.stringify([rejection]) } } },
      {},
      never,
    );
    const { code, out } = await cluster.run('status', 'refused', '--exit-code');
    expect(code).toBe(1);
    expect(out).toContain('errors 100 % against 0.1 % (evidenceWorse)');
    expect(out).toContain('attempt 2');
  });

  test('of many is a table of those that are opted in', async () => {
    const { out } = await cluster.run('status');
    expect(out).toMatch(/^NAMESPACE +NAME +PHASE +WEIGHT/);
    expect(out).toMatch(/default +rolling +progressing +5 % +2\/3 +0\.12 % +0\.10 %/);
    expect(out).not.toContain('there');
    const all = JSON.parse((await cluster.run('status', '-A', '-o', 'json')).out) as {
      rollouts: { deployment: string }[];
    };
    expect(all.rollouts.map(({ deployment }) => deployment)).toContain('resting');
  });

  test('--watch on a pipe prints a line for each change and ends with the rollout', async () => {
    const deployment = await layDeployment(cluster, 'watched', optedIn);
    const { canary, revision } = await layCanary(cluster, deployment);
    const printed = { out: '', err: '' };
    const args = ['status', 'watched', '--watch', '--exit-code'];
    const running = runCli([...args, '--kubeconfig', cluster.kubeconfig], printed);
    await vi.waitFor(() => expect(printed.out).toContain('progressing'), { timeout: 10_000 });
    await cluster.client.deleteObject(
      { resource: resources.replicaSets, namespace: 'default', name: canary.metadata.name },
      {},
      never,
    );
    const rejection = { revision, attempt: 1, rule: 'podsBroken', because: 'web crashes' };
    const rejected = JSON.stringify([rejection]);
    await cluster.client.mergePatch(
      refOf('watched'),
      {
        metadata: {
          annotations: { 'haldane.dev/rollout': null, 'haldane.dev/rejected': rejected },
        },
      },
      {},
      never,
    );
    const { code, out } = await running;
    expect(code).toBe(1);
    const lines = out
      .trimEnd()
      .split('\n')
      .map((line) => line.replace(/^\d\d:\d\d:\d\d {2}/, ''));
    expect(lines[0]).toBe(
      'default/watched progressing 5 % step 2/3: about 420 more canary requests (gathering)',
    );
    expect(lines.at(-1)).toBe('default/watched rejected: web crashes (podsBroken)');
  });

  test('shows no control character of an annotation', async () => {
    const deployment = await layDeployment(cluster, 'evil', optedIn);
    const rejection = { revision: revisionOf(deployment), attempt: 1, rule: 'x' };
    const because = '\u001B[2Jall is well\u202E\u0007';
    await cluster.client.mergePatch(
      refOf('evil'),
      {
        metadata: {
          annotations: { 'haldane.dev/rejected': JSON.stringify([{ ...rejection, because }]) },
        },
      },
      {},
      never,
    );
    for (const command of [['status', 'evil'], ['status'], ['explain', 'evil']]) {
      const { out } = await cluster.run(...command);
      expect(out).toContain('all is well');
      expect(out.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\u202E]/u);
    }
  });
});

describe('requests', () => {
  test('promote names revision, step and person, and waits until it is taken', async () => {
    const deployment = await layDeployment(cluster, 'promoted', optedIn);
    const { revision, canary } = await layCanary(cluster, deployment);
    const [ran, text] = await Promise.all([
      cluster.run('promote', 'promoted'),
      takeRequest('promoted', canary),
    ]);
    expect(ran.err).toBe('');
    expect(ran.code).toBe(0);
    expect(ran.out).toMatch(
      new RegExp(`^default/promoted: asked for promote at step 2 of revision ${revision}; taken`),
    );
    const parsed = parseRequest(text);
    expect(parsed).toMatchObject({ ok: true, value: { verb: 'promote', revision, step: 2 } });
  });

  test('rollback names no step: it is right at any', async () => {
    const deployment = await layDeployment(cluster, 'rolled', optedIn);
    const { revision } = await layCanary(cluster, deployment);
    const { code } = await cluster.run('rollback', 'rolled', '--no-wait');
    expect(code).toBe(0);
    const text = (await annotationsOf('rolled'))['haldane.dev/request'] ?? '';
    const { value } = parseRequest(text) as { value: object };
    expect(value).toMatchObject({ verb: 'rollback', revision, step: undefined });
  });

  test('a controller that is away is told of, and the request stays', async () => {
    const deployment = await layDeployment(cluster, 'alone', optedIn);
    await layCanary(cluster, deployment);
    const { code, err } = await cluster.run('pause', 'alone', '--timeout', '0.3');
    expect(code).toBe(1);
    expect(err).toContain('has not taken it within 0.3 s');
    expect((await annotationsOf('alone'))['haldane.dev/request']).toMatch(/^pause revision=/);
  });

  test.each<[verb: string, name: string, change: object, why: RegExp]>([
    ['resume', 'r1', {}, /it is not paused/],
    ['pause', 'r2', { pause: { by: 'ada', at: 1, because: 'x' } }, /paused already, by ada/],
    ['retry', 'r3', {}, /a rollout is under way/],
  ])('%s is refused where it means nothing', async (verb, name, change, why) => {
    const deployment = await layDeployment(cluster, name, optedIn);
    await layCanary(cluster, deployment, change);
    const { code, err } = await cluster.run(verb, name);
    expect(code).toBe(1);
    expect(err).toMatch(why);
    expect((await annotationsOf(name))['haldane.dev/request']).toBeUndefined();
  });

  test.each([
    ['promote', /no rollout is under way/],
    ['rollback', /no rollout is under way/],
    ['retry', /was not rolled back/],
  ])('%s at rest is refused', async (verb, why) => {
    const { code, err } = await cluster.run(verb, 'resting');
    expect(code).toBe(1);
    expect(err).toMatch(why);
  });

  test('rollback of what was rolled back tells why it was', async () => {
    const { code, err } = await cluster.run('rollback', 'refused');
    expect(code).toBe(1);
    expect(err).toContain('was rolled back already: errors 100 % against 0.1 %');
  });

  test('retry of a rejected template', async () => {
    const { code } = await cluster.run('retry', 'refused', '--no-wait');
    expect(code).toBe(0);
    expect((await annotationsOf('refused'))['haldane.dev/request']).toMatch(/^retry revision=/);
  });
});

describe('opting', () => {
  test('enable writes the annotation, and what is set beside it', async () => {
    await layDeployment(cluster, 'joining');
    const { code, out } = await cluster.run('enable', 'joining', '--set', 'steps=1,50');
    expect(code).toBe(0);
    expect(out).toContain('default/joining: opted in');
    expect(await annotationsOf('joining')).toMatchObject({
      'haldane.dev/enabled': 'true',
      'haldane.dev/steps': '1,50',
    });
  });

  test('enable refuses what the controller would refuse, and writes nothing', async () => {
    await layDeployment(cluster, 'wrong');
    const { code, err } = await cluster.run('enable', 'wrong', '--set', 'steps=50,1');
    expect(code).toBe(1);
    expect(err).toContain('haldane.dev/steps="50,1"');
    expect((await annotationsOf('wrong'))['haldane.dev/enabled']).toBeUndefined();
  });

  test('disable takes it away, twice without harm', async () => {
    expect((await cluster.run('disable', 'joining')).out).toContain('opted out');
    expect((await annotationsOf('joining'))['haldane.dev/enabled']).toBeUndefined();
    expect((await cluster.run('disable', 'joining')).out).toContain('was not opted in');
  });
});

describe('templates', () => {
  const imageOf = async (name: string): Promise<string> => {
    const { template } = (await read(name))['spec'] as {
      template: { spec: { containers: { image: string }[] } };
    };
    return template.spec.containers[0]?.image ?? '';
  };

  test('undo during a rollout goes back to stable, byte for byte', async () => {
    const deployment = await layDeployment(cluster, 'undone', optedIn);
    await layCanary(cluster, deployment);
    const { code, out } = await cluster.run('undo', 'undone');
    expect(code).toBe(0);
    expect(out).toContain('back to revision');
    expect(await imageOf('undone')).toBe('shop/web:v1');
    expect(revisionOf(await read('undone'))).toBe(revisionOf(deployment));
  });

  test('undo at rest goes back to the revision before', async () => {
    const deployment = await layDeployment(cluster, 'older', optedIn);
    const old = { controller: true, replicas: 0 };
    await layReplicaSet(cluster, deployment, 'shop/web:v0', { ...old, number: 0 });
    await layReplicaSet(cluster, deployment, 'shop/web:v-1', { ...old, number: -1 });
    expect((await cluster.run('undo', 'older')).code).toBe(0);
    expect(await imageOf('older')).toBe('shop/web:v0');
  });

  test('undo without history says so', async () => {
    await layDeployment(cluster, 'first', optedIn);
    const { code, err } = await cluster.run('undo', 'first');
    expect(code).toBe(1);
    expect(err).toContain('no earlier revision');
  });

  test('restart changes the template and nothing else of it', async () => {
    const before = await layDeployment(cluster, 'restarted', optedIn);
    expect((await cluster.run('restart', 'restarted')).code).toBe(0);
    const after = await read('restarted');
    expect(revisionOf(after)).not.toBe(revisionOf(before));
    expect(await imageOf('restarted')).toBe('shop/web:v1');
  });
});

describe('explain', () => {
  test('gives the meaning of the rule, what comes next, and the Events', async () => {
    const { metadata } = await read('rolling');
    const message = 'revision ab: began';
    const event = {
      metadata: { name: 'rolling.1' },
      involvedObject: { kind: 'Deployment', name: 'rolling', uid: metadata.uid },
      reason: 'CanaryStarted',
      message,
      type: 'Normal',
      source: { component: 'haldane' },
      lastTimestamp: '2026-01-02T12:00:00Z',
    };
    await cluster.client.create(resources.events, 'default', event, {}, never);
    const { code, out } = await cluster.run('explain', 'rolling');
    expect(code).toBe(0);
    expect(out).toContain('Requests are being counted');
    expect(out).toMatch(/ago {2}CanaryStarted {2}revision ab: began/);
    const json = JSON.parse((await cluster.run('explain', 'rolling', '-o', 'json')).out) as object;
    expect(json).toMatchObject({
      rule: 'gathering',
      events: [{ reason: 'CanaryStarted', message }],
    });
  });
});

describe('lint', () => {
  let folder = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'haldane-lint-'));
  });
  afterAll(() => {
    rmSync(folder, { recursive: true });
  });
  const manifest = (annotations: string, kind = 'Deployment'): string => {
    const file = join(folder, 'file.yaml');
    const head = `apiVersion: apps/v1\nkind: ${kind}\nmetadata:\n  name: web\n`;
    writeFileSync(file, `${head}  annotations: {${annotations}}\n---\nkind: Service\n`);
    return file;
  };

  test.each<[what: string, annotations: string, kind: string, code: number, out: RegExp]>([
    ['all is well', 'haldane.dev/enabled: "true"', 'Deployment', 0, /Deployment\/web: ok/],
    ['no quotes', 'haldane.dev/enabled: true', 'Deployment', 1, /must be in quotes/],
    [
      'a typing error',
      'haldane.dev/enabled: "true", haldane.dev/stps: "1"',
      'Deployment',
      1,
      /steps/,
    ],
    ['another kind', 'haldane.dev/enabled: "true"', 'StatefulSet', 1, /only Deployments/],
    ['not ours', 'a: "b"', 'Deployment', 0, /no Deployment with an annotation/],
  ])('of a file: %s', async (_what, annotations, kind, code, out) => {
    const ran = await runCli(['lint', '-f', manifest(annotations, kind)]);
    expect(ran.out).toMatch(out);
    expect(ran.code).toBe(code);
  });

  test('of a file, with the names that the configuration has', async () => {
    const file = manifest('haldane.dev/enabled: "true", haldane.dev/profile: "nobody"');
    expect((await runCli(['lint', '-f', file])).code).toBe(0);
    const ran = await runCli(['lint', '-f', file, '--config', 'config/haldane.yaml']);
    expect(ran.out).toMatch(/haldane\.dev\/profile="nobody"/);
    expect(ran.code).toBe(1);
  });

  test.each(['memory', 'restarts', 'memory,restarts'])(
    'of checks that count no requests (%s) says what the controller says',
    async (checks) => {
      const key = 'haldane.dev/checks';
      const file = manifest(`haldane.dev/enabled: "true", ${key}: "${checks}"`);
      const counting =
        'errors, latency, latency-objective, application-errors, application-latency';
      const message =
        `haldane.dev/checks="${checks}": none of them counts requests and acts, so that errors ` +
        'would not be seen; use names with commas between; ' +
        `configured: ${counting}, memory, restarts; at least one of ${counting}`;
      const ran = await runCli(['lint', '-f', file, '--config', 'config/haldane.yaml']);
      expect([ran.code, ran.out]).toEqual([1, `Deployment/web: 1 to mend\n  ${message}\n`]);
      const annotations = { ...optedIn, [key]: checks };
      const name = `gauged-${checks.replace(',', '-')}`;
      const view = deploymentView(await layDeployment(cluster, name, annotations));
      const config = parseConfig(readFileSync('config/haldane.yaml', 'utf8'), 'x');
      if (!config.ok) throw new Error(config.problems[0]?.message);
      const { problems, spec } = readAsked(view, settingsOf(config.config));
      expect([problems, spec]).toEqual([[{ key, message }], undefined]);
      const both = manifest(`haldane.dev/enabled: "true", ${key}: "${checks},errors"`);
      expect((await runCli(['lint', '-f', both, '--config', 'config/haldane.yaml'])).code).toBe(0);
    },
  );

  test('of a Deployment finds its Service and its route', async () => {
    const { client } = cluster;
    const run = (...args: readonly string[]) => cluster.run(...args);
    await layDeployment(cluster, 'linted', optedIn);
    expect((await run('lint', 'linted')).out).toMatch(/no Service selects the pods of linted/);
    const ports = [{ port: 80 }];
    const service = { metadata: { name: 'linted' }, spec: { selector: { of: 'linted' }, ports } };
    await client.create(resources.services, 'default', service, {}, never);
    expect((await run('lint', 'linted')).out).toMatch(/no HTTPRoute sends requests/);
    const rules = [{ backendRefs: [{ name: 'linted', port: 80 }] }];
    const route = { metadata: { name: 'front' }, spec: { rules } };
    await client.create(resources.httpRoutes, 'default', route, {}, never);
    const { code, out } = await run('lint', 'linted');
    expect(out).toBe(
      'default/linted: ok\n  Service linted, httproute/front, steps 1, 5, 10, 25, 50, then 100 %\n',
    );
    expect(code).toBe(0);
  });

  test('needs a name or a file, not both', async () => {
    expect((await runCli(['lint'])).code).toBe(2);
    expect((await runCli(['lint', 'a', '-f', 'b'])).code).toBe(2);
  });
});

test('without a cluster the message says what to do', async () => {
  const { code, err } = await runCli(['status', '--kubeconfig', 'no-such-file']);
  expect(code).toBe(2);
  expect(err).toContain('the kubeconfig cannot be used');
});
