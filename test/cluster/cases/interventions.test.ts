// What people do while a canary runs.
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { waitUntil } from '../api.ts';
import { auditedRequests } from '../audit.ts';
import type { Deployment } from '../shop.ts';
import {
  account,
  ask,
  type BusyShop,
  busyShop,
  canaryWeight,
  endShop,
  eventsOf,
  figure,
  hurried,
  openHurriedCluster,
  type RouteHistory,
  replicaSets,
  revisionOf,
  tracesOf,
  untilRest,
  untilWeight,
  watchRoute,
} from './setup.ts';
import { setStage } from './stage.ts';

const stage = setStage({ edit: hurried }, openHurriedCluster);

/** A step that lasts until somebody does something. */
const patient = { 'haldane.dev/steps': '20,50', 'haldane.dev/min-step': '10m' };

interface MidCanary extends BusyShop {
  readonly name: string;
  readonly revision: string;
  readonly route: RouteHistory;
  /** The Deployment before the release. */
  readonly before: Deployment;
}

/** A shop in whose middle v2 takes its first 20 %. */
async function midCanary(
  name: string,
  annotations: Readonly<Record<string, string>> = {},
): Promise<MidCanary> {
  const busy = await busyShop(stage.cluster, name, { annotations: { ...patient, ...annotations } });
  const before = await busy.shop.deployment();
  const route = watchRoute(stage.cluster, busy.shop);
  await busy.shop.release('shop/web:v2');
  await untilWeight(busy.shop, Number.parseInt(annotations['haldane.dev/steps'] ?? '20', 10));
  await busy.load.log.until('requests on v2', (log) => (log.byVersion()['v2'] ?? 0) > 20);
  return { ...busy, name, route, before, revision: await revisionOf(busy.shop) };
}

/** Ends a case: no request may have failed. */
async function conclude(one: MidCanary, said: string) {
  one.route.stop();
  const { sent, failed } = await endShop(one);
  figure(one.name, `${said}; ${sent} requests, ${failed.length} failed`);
  expect(failed).toEqual([]);
}

const weightsOf = ({ route }: MidCanary) => route.seen.map(({ weight }) => weight);
const marksOf = async ({ shop }: MidCanary) => (await shop.deployment()).metadata.annotations ?? {};
const rolloutStatus = ({ shop }: MidCanary) =>
  stage.cluster.kubectl([
    '-n',
    shop.namespace,
    'rollout',
    'status',
    'deployment/web',
    '--timeout=5s',
  ]);

/** The rejected template rests in the Deployment, and nothing else of the rollout is left. */
async function untilRejected(one: MidCanary) {
  await waitUntil(
    async () => (await tracesOf(stage.cluster, one.shop)).join() === 'Deployment is marked',
    {
      what: `${one.name} to be rolled back`,
      timeout: 60_000,
    },
  );
}

/** From the moment before the request to the arrival of the write that takes the traffic off. */
async function cutAfter(one: MidCanary, since: number): Promise<number> {
  let at = 0;
  await waitUntil(
    async () => {
      const asked = await auditedRequests(stage.cluster, { account, since });
      const uri = `/namespaces/${one.shop.namespace}/httproutes/`;
      at = asked.find((r) => r.verb === 'patch' && r.uri.includes(uri))?.at ?? 0;
      return at > 0;
    },
    { what: 'the route to be written', every: 50 },
  );
  return at - since;
}

describe.concurrent('in the middle of a canary', () => {
  it('a new revision takes the place of the one under way', async () => {
    const one = await midCanary('new-revision');
    const began = Date.now();
    await one.shop.release('shop/web:v3');
    await waitUntil(async () => (await revisionOf(one.shop)) !== one.revision, { what: 'v3' });
    const next = await revisionOf(one.shop);
    await untilWeight(one.shop, 0);
    await untilWeight(one.shop, 20);
    const took = Date.now() - began;
    await one.load.log.until('requests on v3', (log) => (log.byVersion()['v3'] ?? 0) > 20);
    await ask(one.shop, 'promote', { revision: next, step: 1 });
    await untilRest(stage.cluster, one.shop, 'shop/web:v3');
    expect(await marksOf(one)).not.toHaveProperty('haldane.dev/rejected');
    expect(weightsOf(one)).toEqual([0, 20, 0, 20, 100, 0]);
    await conclude(one, `v3 has its first weight after ${took} ms`);
  });

  it('the stable template comes back', async () => {
    const one = await midCanary('user-revert');
    const since = Date.now();
    await one.shop.release('shop/web:v1');
    const cut = await cutAfter(one, since);
    await untilRest(stage.cluster, one.shop, 'shop/web:v1');
    expect(await marksOf(one)).not.toHaveProperty('haldane.dev/rejected');
    expect((await one.shop.deployment()).spec).toEqual(one.before.spec);
    expect(await rolloutStatus(one)).toMatchObject({ code: 0 });
    expect(weightsOf(one)).toEqual([0, 20, 0]);
    await conclude(one, `cut ${cut} ms after the revert`);
  });

  it('the Deployment is scaled up and down', async () => {
    const one = await midCanary('scaled', { 'haldane.dev/steps': '40,50' });
    const sizes = async () => {
      const sets = await replicaSets(stage.cluster, one.shop);
      return sets.map(({ spec }) => spec.replicas).sort((a, b) => b - a);
    };
    const scale = async (replicas: number, expected: readonly number[]) => {
      await one.shop.deployment();
      await stage.cluster.kubectl([
        ...['-n', one.shop.namespace, 'scale', 'deployment/web', `--replicas=${replicas}`],
      ]);
      let seen: readonly number[] = [];
      await waitUntil(
        async () => {
          seen = await sizes();
          return seen.join() === expected.join();
        },
        { what: () => `${expected.join()} pods; last seen ${seen.join()}` },
      );
    };
    expect(await sizes()).toEqual([3, 2]);
    await scale(8, [8, 4]);
    await scale(2, [2, 1]);
    expect(await canaryWeight(one.shop)).toBe(40);
    await ask(one.shop, 'promote', { revision: one.revision, step: 1 });
    await untilRest(stage.cluster, one.shop, 'shop/web:v2');
    expect((await sizes())[0]).toBe(2);
    await conclude(one, 'canary 2 of 3, 4 of 8, 1 of 2 pods at 40 %');
  });

  it('somebody pauses and resumes it', async () => {
    const one = await midCanary('paused', { 'haldane.dev/min-step': '10s' });
    await ask(one.shop, 'pause', { revision: one.revision, by: 'ada' });
    await waitUntil(
      async () =>
        (await eventsOf(stage.cluster, one.name, 'web')).some(
          ({ reason }) => reason === 'CanaryPaused',
        ),
      { what: 'the pause to be told' },
    );
    await sleep(15_000); // a step lasts some eleven seconds here
    expect(await canaryWeight(one.shop)).toBe(20);
    await ask(one.shop, 'resume', { revision: one.revision });
    await untilRest(stage.cluster, one.shop, 'shop/web:v2');
    expect(weightsOf(one)).toEqual([0, 20, 50, 100, 0]);
    await conclude(one, 'held at 20 % while paused, promoted after');
  });

  it('somebody rolls it back, and retries it', async () => {
    const one = await midCanary('rolled-back');
    const since = Date.now();
    await ask(one.shop, 'rollback', { revision: one.revision, by: 'grace' });
    const cut = await cutAfter(one, since);
    expect(cut).toBeLessThanOrEqual(1000);
    await untilRejected(one);
    const status = await rolloutStatus(one);
    expect(status.code).toBe(1);
    expect((await stage.slack.until('rolled-back')).text).toContain('grace');
    const events = await eventsOf(stage.cluster, one.name, 'web');
    expect(events.filter(({ reason }) => reason === 'CanaryRolledBack')).toHaveLength(1);
    expect(JSON.parse((await marksOf(one))['haldane.dev/rejected'] ?? '')).toMatchObject([
      { revision: one.revision, attempt: 1, rule: 'rollbackRequested' },
    ]);
    // A rejected revision is not tried again by itself.
    await sleep(3000);
    expect(await tracesOf(stage.cluster, one.shop)).toEqual(['Deployment is marked']);

    await ask(one.shop, 'retry', { revision: one.revision });
    await untilWeight(one.shop, 20);
    expect((await marksOf(one))['haldane.dev/rollout']).toBe(`${one.revision} attempt=2`);
    await ask(one.shop, 'promote', { revision: one.revision, step: 1 });
    await untilRest(stage.cluster, one.shop, 'shop/web:v2');
    expect(await rolloutStatus(one)).toMatchObject({ code: 0 });
    await conclude(one, `request to route write ${cut} ms; retried and promoted`);
  });

  it('somebody skips a step, and a stale request is refused', async () => {
    const one = await midCanary('skipped');
    await ask(one.shop, 'skip-step', { revision: one.revision, step: 1 });
    await untilWeight(one.shop, 50);
    const refusals = async () =>
      (await eventsOf(stage.cluster, one.name, 'web')).filter(
        ({ reason }) => reason === 'RequestRefused',
      );
    await ask(one.shop, 'promote', { revision: one.revision, step: 1 });
    await waitUntil(async () => (await refusals()).length === 1, { what: 'a refusal' });
    expect((await refusals())[0]?.message).toMatch(/at step 2 .*named step 1/);
    await ask(one.shop, 'rollback', { revision: 'abcdefabcd' });
    await waitUntil(async () => (await refusals()).length === 2, { what: 'a second refusal' });
    await one.shop.annotate({ 'haldane.dev/request': 'destroy everything' });
    await waitUntil(async () => (await refusals()).length === 3, { what: 'a third refusal' });
    expect(await canaryWeight(one.shop)).toBe(50);
    await ask(one.shop, 'promote', { revision: one.revision, step: 2 });
    await untilRest(stage.cluster, one.shop, 'shop/web:v2');
    expect(weightsOf(one)).toEqual([0, 20, 50, 100, 0]);
    // What was acted on was never also refused.
    expect(await refusals()).toHaveLength(3);
    await conclude(one, 'three stale or unreadable requests refused, each with an Event');
  });

  it('a rollback writes the stable template back where that is wished', async () => {
    const one = await midCanary('reverting', { 'haldane.dev/on-reject': 'revert' });
    await ask(one.shop, 'rollback', { revision: one.revision });
    await untilRest(stage.cluster, one.shop, 'shop/web:v1');
    expect((await one.shop.deployment()).spec).toEqual(one.before.spec);
    expect(await rolloutStatus(one)).toMatchObject({ code: 0 });
    // Git brings it back: it is not tried again, and whoever waits for it is told.
    await one.shop.release('shop/web:v2');
    await waitUntil(async () => (await rolloutStatus(one)).code === 1, { what: 'a refusal' });
    expect(await tracesOf(stage.cluster, one.shop)).toEqual(['Deployment is marked']);
    await one.shop.release('shop/web:v1');
    await untilRest(stage.cluster, one.shop, 'shop/web:v1');
    expect(weightsOf(one)).toEqual([0, 20, 0]);
    await conclude(one, 'spec as before the release; brought back, it stays rejected');
  });

  it.each(['on-change', 'at-rest'])('the Deployment is opted out, paused %s', async (pause) => {
    const wish = pause === 'at-rest' ? { 'haldane.dev/pause': pause } : {};
    const one = await midCanary(`opted-out-${pause}`, wish);
    await one.shop.annotate({ 'haldane.dev/enabled': null });
    await untilRest(stage.cluster, one.shop, 'shop/web:v1');
    await stage.cluster.api.until<Deployment>(
      one.shop.paths.deployment,
      (seen) => seen?.spec.paused !== true,
    );
    const { paused: _paused, progressDeadlineSeconds: _deadline, ...spec } = one.before.spec;
    expect((await one.shop.deployment()).spec).toEqual({ ...spec, progressDeadlineSeconds: 600 });
    expect(weightsOf(one)).toEqual([0, 20, 0]);
    await conclude(one, 'spec as before the opt-in');
  });

  it('the Deployment is deleted', async () => {
    const one = await midCanary('deleted');
    const before = (await one.shop.route()).spec.rules[0]?.backendRefs[0];
    await stage.cluster.api.remove(one.shop.paths.deployment, { propagationPolicy: 'Background' });
    await waitUntil(async () => (await tracesOf(stage.cluster, one.shop)).length === 0, {
      what: 'nothing to be left',
      timeout: 60_000,
    });
    const after = (await one.shop.route()).spec.rules[0]?.backendRefs;
    expect(after).toMatchObject([{ name: before?.name, port: before?.port }]);
    one.route.stop();
    await endShop(one);
    figure('deleted', 'route restored, Service unpinned, nothing left');
  });
});
