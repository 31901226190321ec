// The command line on a real cluster, as a user and as kubectl's plugin.
import { mkdir, readFile, symlink } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { waitUntil } from '../api.ts';
import { auditedRequests } from '../audit.ts';
import type { Cluster } from '../cluster.ts';
import { type CommandResult, runCommand } from '../command.ts';
import { bundle, type Controller, runHaldane } from '../controller.ts';
import { namespaced } from '../resources.ts';
import { untilCleared } from './records.ts';
import {
  account,
  ask,
  type BusyShop,
  busyShop,
  endShop,
  eventsOf,
  figure,
  hurried,
  openHurriedCluster,
  revisionOf,
  startHaldane,
  untilRest,
  untilWeight,
} from './setup.ts';

const namespace = 'cli';

let cluster: Cluster;
let controller: Controller;
let busy: BusyShop;

beforeAll(async () => {
  cluster = await openHurriedCluster();
  controller = await startHaldane(cluster, { edit: hurried });
  // Nothing goes on by itself here: every step waits for a person.
  const annotations = { 'haldane.dev/steps': '10,50', 'haldane.dev/min-step': '1h' };
  busy = await busyShop(cluster, namespace, { optIn: false, annotations });
});

afterAll(async () => {
  const { failed } = await endShop(busy);
  await controller?.stop();
  await cluster?.close();
  expect(failed).toEqual([]);
});

/**
 * A Pod object for the controller, which runs beside the node: what is in the leader's memory is
 * asked for through the API server's proxy to its pod.
 */
async function runAsPod(): Promise<void> {
  const name = hostname();
  const pod = namespaced('pods', 'haldane', name);
  const restricted = {
    allowPrivilegeEscalation: false,
    capabilities: { drop: ['ALL'] },
    runAsNonRoot: true,
    seccompProfile: { type: 'RuntimeDefault' },
  };
  await cluster.api.create(namespaced('pods', 'haldane'), {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name },
    spec: {
      nodeName: 'elsewhere', // no kubelet takes it
      containers: [
        {
          name: 'controller',
          image: 'haldane',
          ports: [{ containerPort: 8081 }],
          securityContext: restricted,
        },
      ],
    },
  });
  const podIP = '10.244.255.3'; // every address of the pod network is local here
  await cluster.api.patch(`${pod}/status`, 'merge', { status: { podIP, podIPs: [{ ip: podIP }] } });
}

const haldane = (...args: readonly string[]): Promise<CommandResult> =>
  runHaldane([...args, '-n', namespace], cluster.kubeconfig);

interface Status {
  readonly phase: string;
  readonly weightPercent: number;
  readonly step: number;
  readonly attempt: number;
  readonly revision: string;
  readonly pausedBy: string | null;
}

async function status(): Promise<Status> {
  const { code, stdout, stderr } = await haldane('status', 'web', '-o', 'json');
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return JSON.parse(stdout) as Status;
}

const untilPhase = (phase: string): Promise<void> =>
  waitUntil(async () => (await status()).phase === phase, { what: `the phase ${phase}` });

describe('haldane', () => {
  it('opts in, and says what it finds', async () => {
    expect(await haldane('enable', 'web')).toMatchObject({ code: 0, stderr: '' });
    const lint = await haldane('lint', 'web');
    expect(lint).toMatchObject({ code: 0, stderr: '' });
    const table = await haldane('status');
    expect(table).toMatchObject({ code: 0 });
    expect(table.stdout).toMatch(/cli\s+web\s+rest/);
    expect((await haldane('status', 'web', '--exit-code')).code).toBe(0);
  });

  it('shows a rollout, pauses it and goes on', async () => {
    await busy.shop.release('shop/web:v2');
    await untilWeight(busy.shop, 10);
    await untilPhase('progressing');
    expect(await status()).toMatchObject({ weightPercent: 10, step: 1, attempt: 1 });
    expect((await haldane('status', 'web', '--exit-code')).code).toBe(3);
    const explained = await haldane('explain', 'web');
    expect(explained).toMatchObject({ code: 0, stderr: '' });
    expect(explained.stdout).toMatch(/10 %\s+step 1 of 2/);
    expect(explained.stdout).toContain('shop/web:v1 → shop/web:v2');
    expect(explained.stdout).toContain('meaning');
    await runAsPod();
    await waitUntil(
      async () => (await haldane('explain', 'web', '--polls', '3')).stdout.includes('last polls'),
      { what: 'polls from the leader’s pod' },
    );

    expect(await haldane('resume', 'web')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('it is not paused') as unknown,
    });
    expect(await haldane('pause', 'web')).toMatchObject({ code: 0, stderr: '' });
    await untilPhase('paused');
    expect((await status()).pausedBy).not.toBeNull();
    expect(await haldane('resume', 'web')).toMatchObject({ code: 0, stderr: '' });
    await untilPhase('progressing');
  });

  it('refuses what names another step, with the reason', async () => {
    const revision = await revisionOf(busy.shop);
    await ask(busy.shop, 'promote', { revision, step: 2, by: 'test' });
    const refused = () => eventsOf(cluster, namespace, 'web');
    await waitUntil(
      async () => (await refused()).some(({ reason }) => reason === 'RequestRefused'),
      { what: 'an Event about the refusal' },
    );
    const event = (await refused()).find(({ reason }) => reason === 'RequestRefused');
    expect(event?.message).toContain('the rollout is at step 1');
    expect((await status()).weightPercent).toBe(10);
  });

  it('skips a step and promotes', async () => {
    expect(await haldane('skip-step', 'web')).toMatchObject({ code: 0, stderr: '' });
    await untilWeight(busy.shop, 50);
    const promote = await haldane('promote', 'web');
    expect(promote).toMatchObject({ code: 0, stderr: '' });
    expect(promote.stdout).toMatch(/asked for promote at step 2 of revision \w+; taken after/);
    await untilRest(cluster, busy.shop, 'shop/web:v2');
    expect(await haldane('promote', 'web')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('no rollout is under way') as unknown,
    });
    expect((await status()).phase).toBe('rest');
  });

  it('rolls back within a second, and retries', async () => {
    await busy.shop.release('shop/web:v3');
    await untilWeight(busy.shop, 10);
    expect(await haldane('rollback', 'web')).toMatchObject({ code: 0, stderr: '' });
    await untilCleared(cluster, busy.shop);
    expect((await haldane('status', 'web', '--exit-code')).code).toBe(1);
    expect(await haldane('rollback', 'web')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('was rolled back already') as unknown,
    });
    expect(await haldane('retry', 'web')).toMatchObject({ code: 0, stderr: '' });
    await untilWeight(busy.shop, 10);
    expect(await status()).toMatchObject({ attempt: 2 });
    // From the moment at which the request is written to the write of the route.
    const since = Date.now();
    await ask(busy.shop, 'rollback', { revision: await revisionOf(busy.shop) });
    await untilCleared(cluster, busy.shop);
    const seen = await auditedRequests(cluster, { account, since });
    const cut = seen.find(({ verb, uri }) => verb === 'patch' && uri.includes('/httproutes/'));
    const took = ((cut?.at ?? Number.NaN) - since) / 1000;
    figure('manual rollback', `route write ${took.toFixed(3)} s after the request was sent`);
    expect(took).toBeLessThanOrEqual(1);
  });

  it('is a plugin of kubectl', async () => {
    const folder = join(cluster.files.run, 'plugins');
    await mkdir(folder, { recursive: true });
    await symlink(bundle(), join(folder, 'kubectl-haldane'));
    const { tools } = JSON.parse(
      await readFile(process.env['HALDANE_TEST_CLUSTER'] ?? '', 'utf8'),
    ) as { readonly tools: { readonly kubectl: string } };
    const kubectl = (...args: readonly string[]) =>
      runCommand(tools.kubectl, ['haldane', ...args], {
        env: {
          ...process.env,
          KUBECONFIG: cluster.kubeconfig,
          HOME: cluster.files.run,
          // The plugin's own interpreter is this one.
          PATH: `${folder}:${join(process.execPath, '..')}:${process.env['PATH'] ?? ''}`,
        },
      });
    const shown = await kubectl('status', 'web', '-n', namespace);
    expect(shown).toMatchObject({ code: 0, stderr: '' });
    expect(shown.stdout).toContain('cli/web');
    const wrong = await kubectl('rollback', 'wob', '-n', namespace);
    expect(wrong.code).toBe(1);
    expect(wrong.stderr).toContain('kubectl haldane: no Deployment "wob"');
    expect(await kubectl('retry', 'web', '-n', namespace)).toMatchObject({ code: 0 });
    await untilWeight(busy.shop, 10);
    expect(await kubectl('rollback', 'web', '-n', namespace)).toMatchObject({ code: 0 });
    await untilCleared(cluster, busy.shop);
    expect(await kubectl('disable', 'web', '-n', namespace)).toMatchObject({ code: 0 });
    await untilRest(cluster, busy.shop, 'shop/web:v2');
  });
});
