// Stands in for the kubelet of a single node: pods are HTTP servers in this process.
// usage: KUBECONFIG=FILE SCRAPE_TARGETS=FILE node main.ts
import { setTimeout as sleep } from 'node:timers/promises';
import { openApi } from '../api.ts';
import { registerNode, SimulatedNode } from './node.ts';
import { ScrapeTargets } from './scrape-targets.ts';

const api = openApi(process.env['KUBECONFIG'] ?? '');
const node = new SimulatedNode(api, new ScrapeTargets(process.env['SCRAPE_TARGETS'] ?? ''));

let registered = false;
for (;;) {
  try {
    if (!registered) await registerNode(api);
    registered = true;
    await node.follow();
  } catch (cause) {
    console.log('node', String(cause));
    await sleep(200);
  }
}
