// Whatever people use to change a Deployment: it becomes a canary, and nothing rolls natively.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { waitUntil } from '../api.ts';
import type { Cluster } from '../cluster.ts';
import type { Controller } from '../controller.ts';
import { type Deployment, shopDeployment } from '../shop.ts';
import {
  type BusyShop,
  busyShop,
  canaryWeight,
  endShop,
  figure,
  hurried,
  openHurriedCluster,
  type ReplicaSetRecord,
  recordReplicaSets,
  startHaldane,
  untilRest,
} from './setup.ts';

let cluster: Cluster;
let controller: Controller;

beforeAll(async () => {
  cluster = await openHurriedCluster();
  controller = await startHaldane(cluster, { edit: hurried });
});

afterAll(async () => {
  await controller?.stop();
  await cluster?.close();
});

const steps = '20,50';

type Mode = 'on-change' | 'at-rest';
interface Verb {
  readonly name: string;
  /** Image that serves when the canary has been promoted. */
  readonly image: string;
  run(cluster: Cluster, busy: BusyShop, mode: Mode): Promise<{ code: number; stderr: string }>;
}

const manifest = (busy: BusyShop, mode: Mode, image: string) => {
  const pause = mode === 'at-rest' ? { 'haldane.dev/pause': 'at-rest' } : {};
  const annotations = { 'haldane.dev/enabled': 'true', 'haldane.dev/steps': steps, ...pause };
  return JSON.stringify(shopDeployment(busy.shop.namespace, { image, annotations }));
};
const inShop = (busy: BusyShop, ...args: readonly string[]) => ['-n', busy.shop.namespace, ...args];

const setImage: Verb = {
  name: 'kubectl set image',
  image: 'shop/web:v2',
  run: (on, busy) => on.kubectl(inShop(busy, 'set', 'image', 'deployment/web', 'web=shop/web:v2')),
};
const apply: Verb = {
  name: 'kubectl apply',
  image: 'shop/web:v3',
  run: (on, busy, mode) =>
    on.kubectl(['apply', '-f', '-'], { input: manifest(busy, mode, 'shop/web:v3') }),
};
const serverSide: Verb = {
  name: 'kubectl apply --server-side --force-conflicts',
  image: 'shop/web:v4',
  run: (on, busy, mode) =>
    on.kubectl(['apply', '--server-side', '--force-conflicts', '-f', '-'], {
      input: manifest(busy, mode, 'shop/web:v4'),
    }),
};
const replace: Verb = {
  name: 'kubectl replace',
  image: 'shop/web:v5',
  run: (on, busy, mode) =>
    on.kubectl(['replace', '-f', '-'], { input: manifest(busy, mode, 'shop/web:v5') }),
};
const restart: Verb = {
  name: 'kubectl rollout restart',
  image: 'shop/web:v5',
  run: (on, busy) => on.kubectl(inShop(busy, 'rollout', 'restart', 'deployment/web')),
};
const undo: Verb = {
  name: 'kubectl rollout undo',
  image: 'shop/web:v5',
  run: (on, busy) => on.kubectl(inShop(busy, 'rollout', 'undo', 'deployment/web')),
};

const all = [setImage, apply, serverSide, replace, restart, undo];
/** T17: kubectl itself refuses these on a paused Deployment; `haldane restart|undo` do it there. */
const refusedWhilePaused = [restart, undo];

describe('what people use to change a Deployment', () => {
  it.concurrent.each<Mode>(['on-change', 'at-rest'])(
    'becomes a canary, paused %s',
    async (mode) => {
      const annotations: Record<string, string> = { 'haldane.dev/steps': steps };
      if (mode === 'at-rest') annotations['haldane.dev/pause'] = 'at-rest';
      const busy = await busyShop(cluster, `verbs-${mode}`, { annotations });
      const sets = await recordReplicaSets(cluster, busy.shop);
      if (mode === 'at-rest') {
        const path = busy.shop.paths.deployment;
        await cluster.api.until<Deployment>(path, (seen) => seen?.spec.paused === true);
      }
      const refused = mode === 'at-rest' ? refusedWhilePaused : [];
      for (const verb of all.filter((one) => !refused.includes(one))) {
        await shipWith(verb, busy, mode, sets);
      }
      const known = sets.all().length;
      for (const verb of refused) {
        const said = await verb.run(cluster, busy, mode);
        expect(said.code).toBe(1);
        expect(said.stderr).toMatch(/paused/);
      }
      expect(sets.all()).toHaveLength(known);
      expect(await canaryWeight(busy.shop)).toBe(0);
      sets.stop();
      const { sent, failed } = await endShop(busy);
      figure(`verbs, ${mode}`, `${sent} requests, ${failed.length} failed`);
      expect(failed).toEqual([]);
    },
  );
});

/** One release from the command to the promotion. */
async function shipWith(verb: Verb, busy: BusyShop, mode: Mode, sets: ReplicaSetRecord) {
  const began = Date.now();
  const known = sets.all().length;
  const said = await verb.run(cluster, busy, mode);
  expect(said, `${verb.name}: ${said.stderr}`).toMatchObject({ code: 0 });
  await waitUntil(async () => (await canaryWeight(busy.shop)) > 0, {
    what: () => `${verb.name} to become a canary; ${JSON.stringify(sets.all())}`,
    timeout: 60_000,
  });
  await untilRest(cluster, busy.shop, verb.image);
  // Every ReplicaSet that came is ours, and there is one for each release.
  const made = sets.all().slice(known);
  expect(
    made.map(({ canary }) => canary),
    verb.name,
  ).toEqual([true]);
  figure(`verb, ${mode}`, `${verb.name}: canary and promoted in ${Date.now() - began} ms`);
}
