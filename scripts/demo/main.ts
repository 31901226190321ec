// npm run demo: a cluster in this process, a shop under load, a good release and a bad one. Needs
// no Go, no root, no network. --fast tells the story in virtual time and checks how it ends.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { parse, stringify } from 'yaml';
import { administrator, serviceAccount } from '../../src/embedded/authorization.ts';
import { createEmbeddedCluster, type EmbeddedCluster } from '../../src/embedded/cluster.ts';
import { kubeconfigFor, serveHttp } from '../../src/embedded/http-server.ts';
import { startDataPlane } from '../../src/embedded/traffic/data-plane.ts';
import { HttpPods } from '../../src/embedded/traffic/http-pods.ts';
import { SteadyLoad } from '../../src/embedded/traffic/load.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { systemRandom } from '../../src/lib/random.ts';
import { fast } from './fast.ts';
import { openInbox } from './inbox.ts';
import { type LiveRollout, readRollout } from './live.ts';
import { file, install, openShop, shopHost } from './shop.ts';
import { openTerminal } from './terminal.ts';

const folder = file('.cache/demo');
const rate = 100;
const bold = (text: string) => `\u001b[1m${text}\u001b[0m`;
const terminal = openTerminal(process.stdout);
const say = (text: string) => terminal.say(text);
const steps = [5, 25, 50];

async function demo(): Promise<number> {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const pods = new HttpPods({ clock: systemClock, random: systemRandom });
  const cluster = createEmbeddedCluster({
    clock: systemClock,
    random: systemRandom,
    runtime: pods,
  });
  install(cluster);
  openShop(cluster);
  const front = await serveHttp(cluster.server, { withoutToken: administrator });
  const plane = await startDataPlane({ server: cluster.server, clock: systemClock, pods });
  const metricsPort = await freePort();
  const recent: string[] = [];
  let rollout: LiveRollout | undefined;
  let load: SteadyLoad | undefined;
  const inbox = await openInbox(() => {
    const { sent = 0, failed = 0, lost = 0 } = load?.counts ?? {};
    const versions = versionsOf(cluster).toSorted();
    return { rollout, steps, versions, sent, failed: failed + lost, events: recent.slice(-20) };
  }, showMessage);
  const kubeconfig = writeFiles(cluster, {
    api: front.url,
    prometheus: plane.prometheusUrl,
    slack: inbox.webhookUrl,
    metricsPort,
  });
  while (readyPods(cluster) < 9) await sleep(100);
  // The gateway follows the routes and endpoints a moment later.
  await sleep(1000);
  load = new SteadyLoad({
    clock: systemClock,
    url: plane.gatewayUrl,
    host: shopHost,
    rate: () => rate,
  });
  const controller = startController();
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());
  controller.once('exit', () => stop.abort());
  // Whoever reads the output may go, as `head` does: that ends the demo like Ctrl-C.
  process.stdout.on('error', () => stop.abort());
  process.once('exit', () => controller.kill('SIGKILL'));
  watch(cluster, load, recent);
  const metricsUrl = `http://127.0.0.1:${metricsPort}/metrics`;
  const looking = setInterval(() => {
    void readRollout(metricsUrl, 'shop', 'web').then((seen) => {
      rollout = seen;
      terminal.status(seen);
    });
  }, 1000);
  try {
    await story(cluster, load, inbox.pageUrl, kubeconfig, stop.signal);
  } catch (error) {
    if (!stop.signal.aborted) throw error;
  } finally {
    clearInterval(looking);
    terminal.status(undefined);
    controller.kill('SIGTERM');
    load.stop();
    inbox.close();
    await plane.close();
    await front.close();
    cluster.stop();
    rmSync(folder, { recursive: true, force: true });
  }
  return 0;
}

/** A port that nobody listens on now. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

interface Addresses {
  readonly api: string;
  readonly prometheus: string;
  readonly slack: string;
  readonly metricsPort: number;
}

function writeFiles(cluster: EmbeddedCluster, at: Addresses): string {
  const account = cluster.find('v1', 'serviceaccounts', 'haldane', 'haldane');
  const user = serviceAccount('haldane', 'haldane', account?.metadata.uid ?? '');
  const token = cluster.server.tokens.issue(user);
  const config = parse(readFileSync(file('config/haldane.yaml'), 'utf8')) as {
    sources: { default: { url: string } };
    defaults: { notify?: string[] };
    notifiers: object;
    controller?: object;
  };
  config.sources.default.url = at.prometheus;
  config.defaults.notify = ['slack'];
  config.notifiers = { slack: { kind: 'slack', urlFile: `${folder}/slack-url` } };
  config.controller = { metricsPort: at.metricsPort, leaderElection: false };
  writeFileSync(`${folder}/slack-url`, at.slack, { mode: 0o600 });
  writeFileSync(`${folder}/haldane.yaml`, stringify(config));
  const options = { mode: 0o600 };
  writeFileSync(`${folder}/controller.kubeconfig`, kubeconfigFor(at.api, token), options);
  const kubeconfig = `${folder}/kubeconfig`;
  writeFileSync(
    kubeconfig,
    kubeconfigFor(at.api, cluster.server.tokens.issue(administrator)),
    options,
  );
  return kubeconfig;
}

/** The same bundle that the image runs, with the rights of the shipped ServiceAccount. */
function startController(): ChildProcess {
  const log = openSync(`${folder}/controller.log`, 'w');
  const bundle = file('dist/haldane.js');
  return spawn(process.execPath, [bundle, 'controller', '--config', `${folder}/haldane.yaml`], {
    env: { ...process.env, KUBECONFIG: `${folder}/controller.kubeconfig`, NODE_ENV: 'production' },
    stdio: ['ignore', log, log],
  });
}

async function story(
  cluster: EmbeddedCluster,
  load: SteadyLoad,
  pageUrl: string,
  kubeconfig: string,
  signal: AbortSignal,
): Promise<void> {
  const until = async (done: () => boolean) => {
    while (!done()) await sleep(200, undefined, { signal });
  };
  const served = () => versionsOf(cluster).join();
  say(bold('A shop with three services; 100 requests a second to one of them, web:v1.'));
  say(`Live page: ${pageUrl}\n`);
  await until(() => load.counts.answered > rate);
  say(bold('$ kubectl -n shop annotate deployment/web haldane.dev/enabled=true'));
  const annotations = { 'haldane.dev/enabled': 'true', 'haldane.dev/steps': steps.join() };
  patch(cluster, { metadata: { annotations } });
  await sleep(2000, undefined, { signal });
  say(bold('\n$ kubectl -n shop set image deployment/web web=shop/web:v2      # a good release'));
  release(cluster, 'v2', '0');
  await until(() => served() === 'v2' && !isRolling(cluster));
  say(
    bold(
      '\n$ kubectl -n shop set image deployment/web web=shop/web:v3      # 5 % of requests fail',
    ),
  );
  release(cluster, 'v3', '0.05');
  await until(() => isRejected(cluster) && served() === 'v2');
  const { sent, failed, lost } = load.counts;
  say(bold(`\n${sent} requests so far, ${failed + lost} failed. All traffic is on v2 again.`));
  say(`\nThe cluster stays up. Try, in another terminal:
  export KUBECONFIG=${kubeconfig}
  kubectl -n shop get deployments,pods
  kubectl -n shop set image deployment/web web=shop/web:v4
  node dist/haldane.js status -n shop --watch
  node dist/haldane.js explain web -n shop
Ctrl-C ends it and leaves nothing behind.`);
  await until(() => false);
}

interface DeploymentObject {
  readonly metadata: { readonly annotations?: Readonly<Record<string, string>> };
}

const annotationsOf = (cluster: EmbeddedCluster) =>
  (cluster.find('apps/v1', 'deployments', 'shop', 'web') as DeploymentObject | undefined)?.metadata
    .annotations ?? {};
const isRejected = (cluster: EmbeddedCluster) =>
  annotationsOf(cluster)['haldane.dev/rejected'] !== undefined;
const isRolling = (cluster: EmbeddedCluster) =>
  annotationsOf(cluster)['haldane.dev/rollout'] !== undefined;

function readyPods(cluster: EmbeddedCluster): number {
  return cluster.list('v1', 'pods', 'shop').filter((pod) => {
    const { conditions = [] } = (pod as { status?: PodStatus }).status ?? {};
    return conditions.some(({ type, status }) => type === 'Ready' && status === 'True');
  }).length;
}

interface PodStatus {
  readonly conditions?: readonly { readonly type: string; readonly status: string }[];
}

/** Versions of the pods of web that are there, each once. */
function versionsOf(cluster: EmbeddedCluster): readonly string[] {
  const found = cluster.list('v1', 'pods', 'shop').flatMap(({ metadata, spec }) => {
    if (metadata.labels?.['app'] !== 'web' || metadata.deletionTimestamp !== undefined) return [];
    const { containers } = spec as { readonly containers: readonly { readonly image: string }[] };
    return containers[0]?.image.split(':').at(-1) ?? [];
  });
  return [...new Set(found)];
}

function patch(cluster: EmbeddedCluster, change: object): void {
  const resource = cluster.server.resource('apps/v1', 'deployments');
  const target = { resource, namespace: 'shop', name: 'web' };
  cluster.server.objects.patch(target, 'strategic', change as never, { manager: 'demo' });
}

function release(cluster: EmbeddedCluster, version: string, errorRate: string): void {
  const env = [{ name: 'ERROR_RATE', value: errorRate }];
  const container = { name: 'web', image: `shop/web:${version}`, env };
  patch(cluster, { spec: { template: { spec: { containers: [container] } } } });
}

/** Prints every change of the route and every Event of ours, as they are committed. */
function watch(cluster: EmbeddedCluster, load: SteadyLoad, recent: string[]): void {
  const begin = Date.now();
  let shown = '';
  const tell = (text: string) => {
    const seconds = ((Date.now() - begin) / 1000).toFixed(0).padStart(4);
    const { failed, lost } = load.counts;
    const line = `${seconds} s  ${text.padEnd(60)}  failed so far: ${failed + lost}`;
    recent.push(line);
    say(line);
  };
  cluster.server.store.onCommit(({ key, object }) => {
    if (key.endsWith('/httproutes') && object.metadata.name === 'web') {
      const text = weights(object as unknown as RouteObject);
      if (text !== shown) tell(text);
      shown = text;
    }
    const event = object as unknown as EventObject;
    if (key === '/events' && event.source?.component === 'haldane') {
      tell(`${event.reason}: ${event.message}`);
    }
  });
}

interface EventObject {
  readonly reason: string;
  readonly message: string;
  readonly source?: { readonly component?: string };
}
interface RouteObject {
  readonly spec: {
    readonly rules: readonly {
      readonly backendRefs: readonly { readonly name: string; readonly weight?: number }[];
    }[];
  };
}

/** `web 95 % ███████████████████░  canary 5 %` */
function weights({ spec }: RouteObject): string {
  const refs = spec.rules[0]?.backendRefs ?? [];
  const total = refs.reduce((sum, { weight = 1 }) => sum + weight, 0);
  const canary = refs.find(({ name }) => name.includes('-canary-'))?.weight ?? 0;
  const share = total === 0 ? 0 : Math.round((canary / total) * 100);
  const filled = share === 0 ? 0 : Math.max(1, Math.round(share / 5));
  return `stable ${'█'.repeat(20 - filled)}${'░'.repeat(filled)} canary ${share} %`;
}

function showMessage(text: string): void {
  say(`\n  ┌ Slack ${'─'.repeat(60)}`);
  for (const part of text.split(' · ')) say(`  │ ${part}`);
  say(`  └${'─'.repeat(67)}\n`);
}

process.exitCode = process.argv.includes('--fast') ? await fast(say) : await demo();
