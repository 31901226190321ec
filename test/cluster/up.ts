// Starts the cluster and leaves it running until Ctrl-C. usage: npm run cluster [-- --rate N]
import { chmodSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type OwnCluster, startCluster } from './cluster.ts';
import { prepareAndEnter, preparedTools } from './harness.ts';
import { startLoad } from './load/load.ts';
import { flagsToEnter, insideNetwork } from './network.ts';
import { clusterCache, repository } from './places.ts';
import { applyShop, type Shop } from './shop.ts';

const namespace = 'demo';

if (insideNetwork()) await run(process.argv.slice(2));
else process.exitCode = await prepareAndEnter(import.meta.filename, process.argv.slice(2));

async function run(args: readonly string[]): Promise<void> {
  let stop: () => void = () => {};
  const stopped = new Promise<void>((resolve) => {
    stop = resolve;
  });
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  const tools = preparedTools();
  const throttle = process.env['HALDANE_TEST_THROTTLE'] ?? '2s';
  const cluster = await startCluster({ tools, throttle });
  try {
    const shop = await applyShop(cluster, namespace);
    writeWrappers(cluster, tools.kubectl);
    console.log(introduction(cluster));
    const rate = Number(args[args.indexOf('--rate') + 1] ?? 0);
    await (args.includes('--rate') && rate > 0 ? drive(shop, rate, stopped) : stopped);
  } finally {
    for (const line of cluster.supervisor.surprises()) console.log(line);
    await cluster.close();
    console.log('\nthe cluster is gone; its logs are in', relative('.', cluster.files.run));
  }
}

/** Small programs that enter the cluster's network from any shell of the same user. */
function writeWrappers(cluster: OwnCluster, kubectl: string): void {
  const inside = `nsenter --target ${process.pid} ${flagsToEnter()} --`;
  const wrappers = {
    in: `KUBECONFIG='${cluster.kubeconfig}' exec ${inside} "$@"`,
    kubectl: `KUBECONFIG='${cluster.kubeconfig}' exec ${inside} '${kubectl}' "$@"`,
    curl: `exec ${inside} curl "$@"`,
  };
  for (const [name, command] of Object.entries(wrappers)) {
    const file = join(clusterCache, name);
    writeFileSync(file, `#!/bin/sh\n${command}\n`);
    chmodSync(file, 0o755);
  }
}

function introduction(cluster: OwnCluster): string {
  const at = (name: string) => `./${relative(repository, join(clusterCache, name))}`;
  const seconds = (cluster.startedIn / 1000).toFixed(1);
  return `
The cluster is ready (${seconds} s): Kubernetes 1.36.3, Traefik 3.7.9, Prometheus.
It has a network of its own; these three enter it, from another terminal in this folder:

  ${at('kubectl')} -n ${namespace} get deployment,pod,httproute
  ${at('curl')} -H 'Host: web.${namespace}.test' http://127.0.0.1:8000/
  ${at('in')} node_modules/.bin/node dist/haldane.js controller --config FILE

kubeconfig  ${relative(repository, cluster.kubeconfig)}   (of use inside that network only)
Prometheus  http://127.0.0.1:9090
logs        ${relative(repository, cluster.files.run)}

A new version, a bad version, and a fault in pods that run (more: test/cluster/README.md):

  ${at('kubectl')} -n ${namespace} set image deployment/web web=shop/web:v2
  ${at('kubectl')} -n ${namespace} set env deployment/web ERROR_RATE=0.5
  ${at('kubectl')} -n ${namespace} annotate pod -l app=web sim.test/latency-ms=300

Ctrl-C ends everything.
`;
}

/** Keeps requests coming and tells every five seconds who answered them. */
async function drive(shop: Shop, rate: number, stopped: Promise<void>): Promise<void> {
  console.log(`${rate} requests a second for web.${namespace}.test:`);
  let going = true;
  void stopped.then(() => {
    going = false;
  });
  while (going) {
    const load = startLoad({ host: shop.host, rate, seconds: 5 });
    await Promise.race([load.ended, stopped]);
    const { log } = load;
    const share = Object.entries(log.byVersion())
      .map(([version, count]) => `${version || '(no pod)'} ${count}`)
      .join('  ');
    const p99 = `p99 ${log.quantile(0.99).toFixed(0)} ms`;
    const time = new Date().toTimeString().slice(0, 8);
    console.log(`${time}  ${share}  failed ${log.failed().length}  ${p99}`);
    await sleep(0);
  }
}
