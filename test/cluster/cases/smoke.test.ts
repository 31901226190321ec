import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { request } from 'undici';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openApi, waitUntil } from '../api.ts';
import { auditedRequests } from '../audit.ts';
import { type Cluster, openCluster } from '../cluster.ts';
import { startController, writeControllerConfig } from '../controller.ts';
import type { ContainerStatus, Pod } from '../kubelet/pod-object.ts';
import { startLoad } from '../load/load.ts';
import { clusterWide, namespaced } from '../resources.ts';
import { applyShop, type Deployment, type Shop, shopDeployment } from '../shop.ts';
import { startSlack } from '../slack.ts';

const namespace = 'smoke';

let cluster: Cluster;
let shop: Shop;

beforeAll(async () => {
  cluster = await openCluster();
  shop = await applyShop(cluster, namespace, { replicas: 3 });
});

afterAll(async () => {
  await shop?.remove();
  await cluster?.close();
});

/** Waits until a pod with the label shows a container status that `condition` accepts. */
async function untilContainer(
  label: string,
  condition: (status: ContainerStatus) => boolean,
): Promise<ContainerStatus> {
  let found: ContainerStatus | undefined;
  const path = `${namespaced('pods', namespace)}?labelSelector=app%3D${label}`;
  await cluster.api.until<{ readonly items: readonly Pod[] }>(path, (list) => {
    found = list?.items.flatMap((pod) => pod.status?.containerStatuses ?? []).find(condition);
    return found !== undefined;
  });
  if (found === undefined) throw new Error('not reached');
  return found;
}

/** The interval the running Traefik was told to keep between two configurations. */
async function throttle(): Promise<string | undefined> {
  const states = await cluster.components.states();
  const { pid } = states.find(({ name }) => name === 'traefik') ?? { pid: 0 };
  const line = await readFile(`/proc/${pid}/cmdline`, 'utf8');
  return /providersThrottleDuration=(\w+)/.exec(line)?.[1];
}

describe('the test cluster', () => {
  it('runs the Kubernetes it was pinned to', async () => {
    const version = await cluster.api.get<{ readonly gitVersion: string }>('/version');
    expect(version.gitVersion).toBe('v1.36.3');
    const policies = await cluster.api.request('GET', clusterWide('mutatingadmissionpolicies'));
    expect(policies.status).toBe(200);
  });

  it('makes a Deployment available, as kubectl sees it', async () => {
    const status = ['-n', namespace, 'rollout', 'status', 'deployment/web', '--timeout=20s'];
    const result = await cluster.kubectl(status);
    expect(result).toMatchObject({ code: 0, stderr: '' });
    expect((await shop.deployment()).status?.availableReplicas).toBe(3);
  });

  it('carries traffic through the gateway and records each request', async () => {
    const load = startLoad({ host: shop.host, rate: 200, count: 400 });
    const { sent } = await load.ended;
    expect(sent).toBe(400);
    expect(load.log.all).toHaveLength(400);
    expect(load.log.failed()).toEqual([]);
    expect(load.log.byVersion()).toEqual({ v1: 400 });
    expect(new Set(load.log.all.map(({ pod }) => pod)).size).toBe(3);
  });

  it('splits 99 to 1 exactly', async () => {
    const canary = { name: 'web-canary', replicas: 1, image: 'shop/web:v2' };
    await cluster.apply(JSON.stringify(shopDeployment(namespace, canary)));
    const service = {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'web-canary', namespace },
    };
    const spec = { selector: { app: 'web-canary' }, ports: [{ port: 80, targetPort: 8080 }] };
    await cluster.apply(JSON.stringify({ ...service, spec }));
    await cluster.api.until<Deployment>(
      namespaced('deployments', namespace, 'web-canary'),
      (seen) => seen?.status?.availableReplicas === 1,
    );
    const weigh = (stable: number, canary: number) =>
      cluster.api.patch(shop.paths.route, 'merge', {
        spec: {
          rules: [
            {
              backendRefs: [
                { name: 'web', port: 80, weight: stable },
                { name: 'web-canary', port: 80, weight: canary },
              ],
            },
          ],
        },
      });
    await weigh(0, 100);
    const moving = startLoad({ host: shop.host, rate: 100 });
    await moving.log.until('all traffic on v2', (log) => log.share('v2', 200) === 1);
    await weigh(99, 1);
    await moving.log.until('traffic on both', (log) => log.share('v1', 1000) > 0.95);
    await moving.stop();
    expect(moving.log.failed()).toEqual([]);

    const load = startLoad({ host: shop.host, rate: 250, count: 500 });
    await load.ended;
    // Of any 500 requests in a row 5, and one less or more where the data plane began its round
    // anew.
    const { v1 = 0, v2 = 0 } = load.log.byVersion();
    expect(v1 + v2).toBe(500);
    expect(Math.abs(v2 - 5)).toBeLessThanOrEqual(1);
    await weigh(100, 0);
  });

  it('has the gateway in Prometheus, and the pods that ask for it', async () => {
    const service = `service=~"httproute-${namespace}-web-.*-svc-${namespace}-web-0@.*"`;
    await cluster.prometheus.until(`traefik_service_requests_total{${service}} > 0`, (samples) =>
      samples.some(({ metric }) => metric['code'] === '200'),
    );
    const [sample] = await cluster.prometheus.until(
      `sum by (namespace, pod_template_hash) (http_requests_total{namespace="${namespace}"}) > 0`,
    );
    expect(sample?.metric['pod_template_hash']).toMatch(/^[a-z0-9]+$/);
  });

  it('changes the behaviour of living pods at once', async () => {
    const [first] = await shop.pods();
    if (first === undefined) throw new Error('no pod');
    await shop.behave([first], { 'error-rate': '1' });
    const load = startLoad({ host: shop.host, rate: 100, seconds: 60 });
    await load.log.until('a failed request', (log) => log.firstFailure() !== undefined);
    await load.stop();
    const { name } = first.metadata;
    expect(load.log.failed().every(({ pod, status }) => pod === name && status === 500)).toBe(true);
    await shop.behave([first], { 'error-rate': '' });
  });

  it('shows a crash and the loop that follows', async () => {
    const crashing = { name: 'crashing', replicas: 1, env: { CRASH_REASON: 'OOMKilled' } };
    await cluster.apply(JSON.stringify(shopDeployment(namespace, crashing)));
    await untilContainer('crashing', ({ ready }) => ready);
    const path = `${namespaced('pods', namespace)}?labelSelector=app%3Dcrashing`;
    await shop.behave(await cluster.api.list<Pod>(path), { 'crash-once': 'a' });
    const again = await untilContainer('crashing', (s) => s.ready && s.restartCount === 1);
    expect(again.lastState?.terminated).toMatchObject({ reason: 'OOMKilled', exitCode: 137 });
    await shop.behave(await cluster.api.list<Pod>(path), { crash: '1' });
    const looping = await untilContainer(
      'crashing',
      ({ state }) => state?.waiting?.reason === 'CrashLoopBackOff',
    );
    expect(looping).toMatchObject({ ready: false, restartCount: 1 });
  });

  it('shows an image that cannot be pulled', async () => {
    const missing = { name: 'missing', replicas: 1, image: 'shop/web:missing' };
    await cluster.apply(JSON.stringify(shopDeployment(namespace, missing)));
    const status = await untilContainer(
      'missing',
      ({ state }) => state?.waiting?.reason === 'ImagePullBackOff',
    );
    expect(status).toMatchObject({ ready: false, restartCount: 0 });
  });

  it('knows a ServiceAccount and counts what it asks', async () => {
    const account = `
apiVersion: v1
kind: ServiceAccount
metadata: { name: reader, namespace: ${namespace} }
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: { name: reader, namespace: ${namespace} }
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view }
subjects: [{ kind: ServiceAccount, name: reader, namespace: ${namespace} }]`;
    await cluster.apply(account);
    const kubeconfig = await cluster.serviceAccountKubeconfig(namespace, 'reader');
    const api = openApi(kubeconfig);
    await api.until(shop.paths.deployment, (seen) => seen !== undefined);
    const since = Date.now();
    expect((await api.request('GET', shop.paths.deployment)).status).toBe(200);
    expect((await api.request('DELETE', shop.paths.deployment)).status).toBe(403);
    await api.close();
    const get = ['-n', namespace, 'get', 'deployment', 'web', '-o', 'name'];
    expect(await cluster.kubectl(get, { kubeconfig })).toMatchObject({ code: 0 });
    const seen = await auditedRequests(cluster, { account: `${namespace}/reader`, since });
    expect(seen.slice(0, 2).map(({ verb, status }) => [verb, status])).toEqual([
      ['get', 200],
      ['delete', 403],
    ]);
  });

  it('has a Slack that can refuse and hang', async () => {
    const slack = await startSlack(cluster);
    const post = (text: string) =>
      request(slack.url, { method: 'POST', body: JSON.stringify({ text }), headersTimeout: 500 });
    expect((await post('one')).statusCode).toBe(200);
    slack.behave({ kind: 'refuse', status: 429, retryAfter: 7 });
    const refused = await post('two');
    expect([refused.statusCode, refused.headers['retry-after']]).toEqual([429, '7']);
    slack.behave({ kind: 'hang' });
    await expect(post('three')).rejects.toThrow('Headers Timeout');
    await slack.until('one');
    expect(slack.messages.map(({ status }) => status)).toEqual([200, 429, 0]);
    expect(slack.accepted()).toHaveLength(1);
    await slack.close();
  });

  it('runs a controller, kills it and starts it again', async () => {
    const entry = join(cluster.files.run, 'stand-in.mjs');
    await writeFile(
      entry,
      `import { createServer } from 'node:http';
const { argv, env } = process;
console.log(JSON.stringify({ msg: 'begun', arguments: argv.slice(2), mark: env.MARK }));
createServer((_, response) => response.end('ok')).listen(8081, '127.0.0.1');`,
    );
    const { kubeconfig } = cluster;
    const config = await writeControllerConfig(cluster);
    const controller = await startController(cluster, { config, kubeconfig, entry });
    expect(controller.logs()[0]?.['arguments']).toEqual(['controller', '--config', config]);
    expect(controller.usage()?.residentBytes).toBeGreaterThan(20e6);
    await controller.kill();
    expect(controller.isRunning()).toBe(false);
    await controller.start({ env: { MARK: 'again' } });
    await controller.untilLog('its second life', ({ mark }) => mark === 'again');
    await controller.stop();
  });

  it('starts a component with other settings, and repairs it', async () => {
    await cluster.components.restart('traefik', { settings: { throttle: '100ms' } });
    expect(await throttle()).toBe('100ms');
    await cluster.components.pause('prometheus');
    await cluster.components.repair();
    expect(await throttle()).toBe('2s');
    await waitUntil(async () => (await shop.visit()).pod !== '', { what: 'traffic again' });
    await cluster.prometheus.until('up{job="traefik"} == 1');
  });

  it('survives a stop of Prometheus and of the API server', async () => {
    const load = startLoad({ host: shop.host, rate: 100 });
    await cluster.components.stop('prometheus');
    await expect(cluster.prometheus.query('up')).rejects.toThrow('ECONNREFUSED');
    await cluster.components.start('prometheus');
    await cluster.prometheus.until('up{job="traefik"} == 1');
    await cluster.components.kill('kube-apiserver');
    await cluster.components.repair();
    await cluster.api.until(shop.paths.deployment, (seen) => seen !== undefined);
    await load.stop();
    expect(load.log.failed()).toEqual([]);
  });
});
