// kill -9 at every write of a whole promotion and of a whole rollback.
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { waitUntil } from '../api.ts';
import { auditedRequests } from '../audit.ts';
import type { Cluster } from '../cluster.ts';
import type { Controller } from '../controller.ts';
import type { Deployment, Shop } from '../shop.ts';
import { recordPods } from './records.ts';
import {
  account,
  ask,
  type BusyShop,
  busyShop,
  endShop,
  figure,
  hurried,
  install,
  openHurriedCluster,
  recordReplicaSets,
  replicaSets,
  revisionOf,
  startHaldane,
  tracesOf,
  untilRest,
  untilWeight,
  watchRoute,
} from './setup.ts';

let cluster: Cluster;
let kubeconfig: string;

beforeAll(async () => {
  cluster = await openHurriedCluster();
  kubeconfig = await install(cluster);
});

afterAll(async () => {
  await cluster?.close();
});

const replicas = 3;
/** Requests per second in each lane: the lanes and their many lives share the machine. */
const rate = 40;
/** Milliseconds between looks; what looks more often takes the processor from what is looked at. */
const every = 250;
/** Some fifty lives one after another in each lane. */
const patience = { timeout: 850_000 };

interface Lane extends BusyShop {
  readonly controller: Controller;
  readonly pausedAtRest: boolean;
  /** A life that ends at a write, `n:before` or `n:after`; undefined: one that goes on. */
  live(killAt?: string): Promise<void>;
}

/** Lanes work at the same time, each with a shop and a controller of its own. */
async function openLane(name: string, metricsPort: number, pause?: 'at-rest'): Promise<Lane> {
  const annotations = {
    'haldane.dev/steps': '20,50',
    ...(pause === undefined ? {} : { 'haldane.dev/pause': pause }),
  };
  const busy = await busyShop(cluster, name, { annotations, replicas, rate });
  // Most of a short life is compiling. The cache is written when a life ends in peace.
  const cache = { NODE_COMPILE_CACHE: join(cluster.files.run, 'compiled') };
  const controller = await startHaldane(cluster, {
    name,
    kubeconfig,
    env: cache,
    readyUrl: `http://127.0.0.1:${metricsPort}/readyz`,
    edit: (config) => {
      hurried(config);
      // A Lease would make every life wait for the one before it to expire.
      const namespaces = [name];
      config['controller'] = { metricsPort, namespaces, leaderElection: false };
    },
  });
  await controller.stop();
  const live = async (killAt = '') => {
    const env = { ...cache, HALDANE_TEST_KILL_AT_WRITE: killAt };
    await controller.start({ env }).catch((cause: unknown) => {
      // It may reach its last write before anybody has seen it ready.
      if (killAt === '' || controller.isRunning()) throw cause;
    });
  };
  await live();
  return { ...busy, controller, live, pausedAtRest: pause === 'at-rest' };
}

/** Lets it die at the n-th write before it is sent and after it was answered, and live on then. */
async function dieTwice(lane: Lane, n: number, isOver: () => Promise<boolean>): Promise<number> {
  let deaths = 0;
  for (const killAt of [`${n}:before`, '1:after']) {
    await lane.live(killAt);
    await waitUntil(async () => !lane.controller.isRunning() || (await isOver()), {
      what: `death at ${killAt} in ${lane.shop.namespace}`,
      timeout: 90_000,
      every,
    });
    if (lane.controller.isRunning()) await lane.controller.kill();
    else deaths += 1;
  }
  await lane.live();
  return deaths;
}

/** Lets it die before and after each of its writes, until there is nothing left to write. */
async function dieAlways(lane: Lane, isOver: () => Promise<boolean>): Promise<number> {
  let deaths = 0;
  for (let over = false; !over; deaths += 1) {
    await lane.live(deaths % 2 === 0 ? '1:before' : '1:after');
    await waitUntil(
      async () => {
        over = await isOver();
        return over || !lane.controller.isRunning();
      },
      { what: `death ${deaths + 1} in ${lane.shop.namespace}`, timeout: 60_000, every },
    );
  }
  await lane.controller.kill();
  await lane.live();
  return deaths - 1;
}

const die = async (
  lane: Lane,
  killAt: number | 'always' | undefined,
  isOver: () => Promise<boolean>,
): Promise<number> => {
  if (killAt === undefined) return 0;
  return killAt === 'always' ? dieAlways(lane, isOver) : dieTwice(lane, killAt, isOver);
};

/** What is left of a release, in a form that two releases can be compared in. */
async function endState({ shop }: BusyShop, image: string) {
  const deployment = await shop.deployment();
  const service = await cluster.api.get<Deployment>(shop.paths.service);
  const sets = (await replicaSets(cluster, shop)).filter(({ spec }) => spec.replicas > 0);
  const { conditions = [] } = deployment.status ?? {};
  const state = {
    spec: deployment.spec,
    marks: Object.keys(deployment.metadata.annotations ?? {}).sort(),
    progressing: conditions
      .filter(({ type }) => type === 'Progressing')
      .map(({ status, reason }) => `${status} ${reason}`),
    serving: sets.map(({ spec }) => [spec.template.spec.containers[0]?.image, spec.replicas]),
    service: [service.spec.selector, service.metadata.annotations],
    rules: (await shop.route()).spec.rules,
    traces: await tracesOf(cluster, shop),
  };
  return JSON.parse(JSON.stringify(state).replaceAll(image, 'IMAGE')) as typeof state;
}

/** Writes of the controller in one namespace, as it counts them itself. */
async function writesSince(shop: Shop, since: number): Promise<number> {
  const all = await auditedRequests(cluster, { account, since });
  return all.filter(
    ({ verb, uri }) =>
      uri.includes(`/namespaces/${shop.namespace}/`) &&
      !['get', 'list', 'watch'].includes(verb) &&
      !/\/(events|leases)|dryRun/.test(uri),
  ).length;
}

/** Two at each write, but some rollouts need a few writes less than the undisturbed one. */
const fewestDeaths = ({ writes }: { readonly writes: number }) => 2 * writes - 8;

/** Raises of a weight that was carried already, by what the log says of the verdict. */
const unearned = ({ controller }: Lane) =>
  controller
    .logs()
    .filter((line) => line['action'] === 'shift-route' && Number(line['canaryWeightPercent']) > 0)
    .filter((line) => line['verdict'] !== 'pass');

/** One promotion; the writes in it are counted, or it is killed at one of them. */
async function promote(lane: Lane, image: string, killAt?: number | 'always') {
  const { shop } = lane;
  const route = watchRoute(cluster, shop);
  const sets = await recordReplicaSets(cluster, shop);
  const pods = recordPods(cluster, shop);
  const before = sets.all().length;
  const since = Date.now();
  if (killAt !== undefined) await lane.controller.kill();
  await shop.release(image);
  const isOver = async () => {
    const serving = (await replicaSets(cluster, shop)).filter(({ spec }) => spec.replicas > 0);
    const images = serving.map(({ spec }) => spec.template.spec.containers[0]?.image);
    return images.join() === image && (await tracesOf(cluster, shop)).length === 0;
  };
  const deaths = await die(lane, killAt, isOver);
  await untilRest(cluster, shop, image);
  await cluster.api.until<Deployment>(
    shop.paths.deployment,
    (d) =>
      (d?.spec.paused === true) === lane.pausedAtRest &&
      d?.status?.observedGeneration === d?.metadata.generation,
  );
  const weights = route.seen.map(({ weight }) => weight);
  const made = [sets.all().length - before, pods.of(image).length];
  for (const one of [route, sets, pods]) one.stop();
  const took = Date.now() - since;
  return { deaths, weights, made, took, writes: await writesSince(shop, since) };
}

/** One rollback that somebody asked for at 20 %. */
async function rollBack(
  lane: Lane,
  image: string,
  killAt?: number | 'always',
  stable = 'shop/web:v1',
) {
  const { shop } = lane;
  const route = watchRoute(cluster, shop);
  // A step that lasts, so that no write comes before the cut.
  await shop.annotate({ 'haldane.dev/min-step': '10m' });
  await shop.release(image);
  await untilWeight(shop, 20);
  await lane.load.log.until('requests on the canary', (log) => log.share(tag(image), 500) > 0.1);
  const revision = await revisionOf(shop);
  if (killAt !== undefined) await lane.controller.kill();
  const since = Date.now();
  await ask(shop, 'rollback', { revision });
  const isOver = async () =>
    (await shop.deployment()).metadata.annotations?.['haldane.dev/rejected'] !== undefined &&
    (await tracesOf(cluster, shop)).join() === 'Deployment is marked';
  const deaths = await die(lane, killAt, isOver);
  await waitUntil(isOver, { what: `${shop.namespace} to be rolled back`, timeout: 60_000 });
  const state = await endState(lane, image);
  const writes = await writesSince(shop, since);
  const weights = route.seen.map(({ weight }) => weight);
  route.stop();
  await shop.release(stable);
  await untilRest(cluster, shop, stable);
  return { deaths, weights, state, writes };
}

const tag = (image: string) => image.split(':')[1] ?? '';

describe.concurrent('killed at every write', () => {
  it('a promotion ends as if nobody had died', patience, async () => {
    const busy = await Promise.all([0, 1, 2].map((i) => openLane(`crash-promote-${i}`, 8090 + i)));
    const [first] = busy;
    if (first === undefined) throw new Error('no lane');
    const undisturbed = await promote(first, 'shop/web:v2');
    expect(undisturbed.weights).toEqual([0, 20, 50, 100, 0]);
    const expected = await endState(first, 'shop/web:v2');
    let next = 1;
    let deaths = 0;
    await Promise.all(
      busy.map(async (lane, index) => {
        for (let release = 3; next <= undisturbed.writes; release += 1) {
          const n = next;
          next += 1;
          const image = `shop/web:v${release}`;
          const one = await promote(lane, image, n);
          const where = `write ${n} in lane ${index}`;
          expect(one.weights, where).toEqual([0, 20, 50, 100, 0]);
          expect(one.made, where).toEqual([1, replicas]);
          expect(await endState(lane, image), where).toEqual(expected);
          deaths += one.deaths;
        }
      }),
    );
    expect(busy.flatMap(unearned)).toEqual([]);
    expect(deaths).toBeGreaterThanOrEqual(fewestDeaths(undisturbed));
    const ends = await finish(busy);
    figure(
      'killed at every write of a promotion',
      `${undisturbed.writes} writes, ${deaths} deaths; ${ends}; undisturbed ${undisturbed.took} ms`,
    );
  });

  it('a rollback ends as if nobody had died', patience, async () => {
    const busy = [await openLane('crash-rollback', 8093)];
    const [first] = busy;
    if (first === undefined) throw new Error('no lane');
    const undisturbed = await rollBack(first, 'shop/web:v2');
    expect(undisturbed.weights).toEqual([0, 20, 0]);
    let next = 1;
    let deaths = 0;
    await Promise.all(
      busy.map(async (lane, index) => {
        for (let release = 3; next <= undisturbed.writes; release += 1) {
          const n = next;
          next += 1;
          const one = await rollBack(lane, `shop/web:v${release}`, n);
          const where = `write ${n} in lane ${index}`;
          expect(one.weights, where).toEqual([0, 20, 0]);
          expect(one.state, where).toEqual(undisturbed.state);
          deaths += one.deaths;
        }
      }),
    );
    expect(deaths).toBeGreaterThanOrEqual(fewestDeaths(undisturbed));
    const ends = await finish(busy);
    figure(
      'killed at every write of a rollback',
      `${undisturbed.writes} writes, ${deaths} deaths; ${ends}`,
    );
  });
});

describe.concurrent('dead more often than alive', () => {
  it('a promotion and a rollback end all the same, paused at rest', patience, async () => {
    const lane = await openLane('crash-always', 8095, 'at-rest');
    await cluster.api.until<Deployment>(lane.shop.paths.deployment, (d) => d?.spec.paused === true);
    const calm = await promote(lane, 'shop/web:v2');
    const expected = await endState(lane, 'shop/web:v2');
    const promoted = await promote(lane, 'shop/web:v3', 'always');
    expect(promoted.weights).toEqual([0, 20, 50, 100, 0]);
    expect(promoted.made).toEqual([1, replicas]);
    expect(await endState(lane, 'shop/web:v3')).toEqual(expected);
    const calmRollback = await rollBack(lane, 'shop/web:v4', undefined, 'shop/web:v3');
    const rolledBack = await rollBack(lane, 'shop/web:v5', 'always', 'shop/web:v3');
    expect(rolledBack.weights).toEqual([0, 20, 0]);
    expect(rolledBack.state).toEqual(calmRollback.state);
    expect(unearned(lane)).toEqual([]);
    const ends = await finish([lane]);
    figure(
      'killed before and after each write of one promotion and one rollback, at rest',
      `${calm.writes} and ${calmRollback.writes} writes, ` +
        `${promoted.deaths} and ${rolledBack.deaths} deaths; ${ends}`,
    );
  });
});

/** Nobody's request may have failed. */
async function finish(busy: readonly Lane[]): Promise<string> {
  const ends = await Promise.all(
    busy.map(async (lane) => {
      await lane.controller.kill();
      return endShop(lane);
    }),
  );
  const sent = ends.reduce((sum, end) => sum + end.sent, 0);
  const failed = ends.flatMap((end) => end.failed);
  expect(failed).toEqual([]);
  return `${sent} requests, ${failed.length} failed`;
}
