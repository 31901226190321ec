// What people get wrong: told once and clearly, and nobody else notices.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { waitUntil } from '../api.ts';
import type { Cluster } from '../cluster.ts';
import { type Controller, runHaldane } from '../controller.ts';
import { namespaced } from '../resources.ts';
import { type Deployment, openShop, type Shop, shopDeployment, shopObjects } from '../shop.ts';
import {
  type BusyShop,
  busyShop,
  canaryWeight,
  endShop,
  eventsOf,
  figure,
  hurried,
  openHurriedCluster,
  recordReplicaSets,
  replicaSets,
  startHaldane,
  tracesOf,
  untilRest,
  untilWeight,
} from './setup.ts';

let cluster: Cluster;
let controller: Controller;
let neighbour: BusyShop;

beforeAll(async () => {
  cluster = await openHurriedCluster();
  controller = await startHaldane(cluster, { edit: hurried });
  neighbour = await busyShop(cluster, 'good', { annotations: { 'haldane.dev/steps': '20,50' } });
});

afterAll(async () => {
  await controller?.stop();
  await cluster?.close();
});

/** One thing that is wrong with a Deployment's annotations, and a part of what is said of it. */
type Fault = readonly [annotations: Readonly<Record<string, string>>, said: RegExp];

const key = (name: string, values: readonly string[], said: RegExp): Fault[] =>
  values.map((value) => [{ [`haldane.dev/${name}`]: value }, said]);

/** The numbers are those of the catalogue of bad input in the design. */
const faults: readonly Fault[] = [
  ...key('enabled', ['yes', 'True', '1', ' true'], /neither "true" nor "false"/), // 1
  ...key('step', ['1,10'], /unknown key; did you mean "steps"/), // 2
  ...key('Steps', ['1,10'], /unknown key; did you mean "steps"/), // 3
  ...key('steps', [''], /steps="": empty/), // 4
  ...key('steps', ['0,10'], /step 1 is 0/), // 5
  ...key('steps', ['1,5,5,20'], /step 3 \(5\) does not rise after 5/), // 6
  ...key('steps', ['50,10'], /step 2 \(10\) does not rise after 50/), // 6
  ...key('steps', ['1,101'], /outside 1–100/), // 7
  ...key('steps', ['-1'], /not a whole ASCII digit/), // 7
  ...key('steps', ['1.5', '1e1', '٣', '１'], /character \d/), // 8
  ...key('steps', ['0x10'], /step 1 is 0/), // 8
  ...key('steps', ['5abc', '5%', '1;10', '1,,5'], /character \d/), // 9
  ...key('steps', ['1,5,'], /ends with a comma/), // 9
  ...key('steps', [steps(51)], /more than 50 steps/), // 11
  ...key('steps', [`${'1'.repeat(31)}x`], /outside 1–100/), // 12
  ...key('steps', ['1'.repeat(200_000)], /200000 characters, over the limit/), // 13
  ...key('bake', ['0', '-5m', '5', '5 m', '5min', '1h30'], /bake="[^"]+": .*use /), // 14, 16
  ...key('bake', ['30d', '2147483648ms', '25d', '25h'], /bake="[^"]+": .*use /), // 15
  ...key('bake', ['NaNs', 'Infinityh'], /not a duration/), // 17
  ...key('bake', ['1e9h'], /"e9h" is not a unit/), // 17
  ...key('maxErrorRate', ['0.01'], /unknown key/), // 18
  [
    { 'haldane.dev/bake': '10m', 'haldane.dev/max-step': '5m' },
    /max-step is 5m and bake is 10m/, // 23
  ],
  ...key('prometheus', ['http://evil/', 'file:///'], /unknown key/), // 24, 25
  ...key('checks', ['http://evil/'], /a name of the configuration, not a URL/), // 24
  ...key('profile', ['http://prometheus:9090@evil/'], /not a URL/), // 25
  ...key('query', ['vector(0)'], /unknown key/), // 26
  ...key('checks', ['constructor', '__proto__', 'toString'], /unknown check/), // 27
  ...key('steps', ['{"__proto__":{"admin":true}}'], /character 1/), // 28
  ...key('route', ['other-ns/web', 'httproute/other-ns/web'], /namespace/), // 30
  ...key('route', ['httproute/../web', 'httproute/web?x', 'httproute/WEB'], /name/), // 31
  ...key('route', [`httproute/${'a'.repeat(254)}`], /name/), // 31
  ...key('route', [''], /empty/), // 31
  ...key('route', ['httproute/missing'], /no such route/), // 33
  ...key('service', ['missing'], /no such Service/),
  ...key('on-reject', ['explode'], /not one of keep, revert/),
  ...key('notify', ['#a\n@here'], /unknown notifier "#a\\u\{a\}@here"/), // 46
];

function steps(count: number): string {
  return Array.from({ length: count }, (_, i) => i + 1).join(',');
}

const nameOf = (index: number) => `bad-${index}`;

interface Status {
  readonly deployment: string;
  readonly phase: string;
  readonly because: string;
}

const told = async (namespace: string, name: string) =>
  (await eventsOf(cluster, namespace, name)).filter(({ reason }) => reason === 'CanaryInvalid');

describe.concurrent('a fault in the annotations', () => {
  it('is told in one Event and one line, and changes nothing', async () => {
    const namespace = 'bad';
    const made = new Map<string, Deployment['spec']>();
    for (const [index, [annotations]] of faults.entries()) {
      const name = nameOf(index);
      const all = { 'haldane.dev/enabled': 'true', ...annotations };
      for (const object of shopObjects(namespace, { name, replicas: 1, annotations: all })) {
        if (object.kind === 'Gateway' && index > 0) continue;
        await cluster.apply(JSON.stringify(object));
      }
      const path = namespaced('deployments', namespace, name);
      made.set(name, (await cluster.api.get<Deployment>(path)).spec);
    }
    const events = new Map<string, readonly string[]>();
    await waitUntil(
      async () => {
        const args = ['-n', namespace, 'get', 'events', '-o', 'json'];
        const { items } = JSON.parse((await cluster.kubectl(args)).stdout) as {
          items: { reason: string; message: string; involvedObject: { name: string } }[];
        };
        events.clear();
        for (const { reason, message, involvedObject } of items) {
          if (reason !== 'CanaryInvalid') continue;
          const before = events.get(involvedObject.name) ?? [];
          events.set(involvedObject.name, [...before, message]);
        }
        return events.size === faults.length;
      },
      {
        what: () =>
          `an Event about each; none about ${faults
            .filter((_, index) => !events.has(nameOf(index)))
            .map(([annotations]) => JSON.stringify(annotations).slice(0, 80))
            .join(' ')}`,
        timeout: 60_000,
        every: 500,
      },
    );
    const { stdout } = await runHaldane(
      ['status', '-n', namespace, '-o', 'json'],
      cluster.kubeconfig,
    );
    const { rollouts } = JSON.parse(stdout) as { readonly rollouts: readonly Status[] };
    for (const [index, [annotations, said]] of faults.entries()) {
      const about = JSON.stringify(annotations).slice(0, 80);
      const messages = events.get(nameOf(index)) ?? [];
      expect(messages, about).toHaveLength(1);
      expect(messages[0], about).toMatch(said);
      expect(messages[0], about).not.toMatch(/\n/);
      expect(messages[0]?.length, about).toBeLessThan(1024);
      const status = rollouts.find((one) => one.deployment === nameOf(index));
      expect(status, about).toMatchObject({ phase: 'invalid' });
      expect(status?.because, about).toMatch(said);
      expect(status?.because, about).not.toMatch(/\n/);
      const path = namespaced('deployments', namespace, nameOf(index));
      const { spec } = await cluster.api.get<Deployment>(path);
      expect(spec, about).toEqual(made.get(nameOf(index)));
    }
    figure('faults in annotations', `${faults.length} told, each in one Event and one line`);
  });

  it('keeps a new template waiting, and the neighbours do not notice', async () => {
    const busy = await busyShop(cluster, 'bad-busy', { annotations: { 'haldane.dev/steps': '0' } });
    const { shop } = busy;
    const sets = await recordReplicaSets(cluster, shop);
    await waitUntil(async () => (await told('bad-busy', 'web')).length === 1, { what: 'an Event' });
    const { uid } = (await shop.pods())[0]?.metadata ?? {};
    await shop.release('shop/web:v2');
    await neighbour.shop.release('shop/web:v2');
    await untilRest(cluster, neighbour.shop, 'shop/web:v2');
    // All that time the new template has waited.
    expect(await canaryWeight(shop)).toBe(0);
    expect(sets.all()).toHaveLength(1);
    expect((await shop.pods())[0]?.metadata.uid).toBe(uid);
    expect(busy.load.log.byVersion()['v2']).toBeUndefined();
    expect(await told('bad-busy', 'web')).toHaveLength(1);
    // Mended, it becomes a canary by itself.
    await shop.annotate({ 'haldane.dev/steps': '20,50' });
    await untilRest(cluster, shop, 'shop/web:v2');
    // Last of all goes the mark that a problem was told.
    await cluster.api.until<Deployment>(
      shop.paths.deployment,
      (d) => d !== undefined && !('haldane.dev/notified' in (d.metadata.annotations ?? {})),
    );
    sets.stop();
    const ends = [await endShop(busy), await endShop(neighbour)];
    figure(
      'a fault beside a healthy release',
      ends.map(({ sent, failed }) => `${sent} requests, ${failed.length} failed`).join('; '),
    );
    expect(ends.flatMap(({ failed }) => failed)).toEqual([]);
    expect(controller.isRunning()).toBe(true);
  });
});

describe.concurrent('something that cannot be steered', () => {
  interface Stuck {
    readonly name: string;
    readonly said: RegExp;
    /** Spec of the Deployment, merged over an ordinary one. */
    readonly spec?: Readonly<Record<string, unknown>>;
    /** Done before the opt-in. */
    readonly prepare?: (shop: Shop) => Promise<unknown>;
  }

  const route = (shop: Shop, name: string, backendRefs: readonly object[]) =>
    cluster.apply(
      JSON.stringify({
        apiVersion: 'gateway.networking.k8s.io/v1',
        kind: 'HTTPRoute',
        metadata: { name, namespace: shop.namespace },
        spec: { parentRefs: [{ name: 'gw' }], rules: [{ backendRefs }] },
      }),
    );
  const rules = (shop: Shop, backendRefs: readonly object[]) =>
    cluster.api.patch(shop.paths.route, 'merge', { spec: { rules: [{ backendRefs }] } });
  const deployment = (shop: Shop, name: string, labels: Readonly<Record<string, string>>) => {
    const made = shopDeployment(shop.namespace, { name, replicas: 1 });
    const { template } = made.spec;
    const metadata = { ...template.metadata, labels };
    const spec = {
      ...made.spec,
      selector: { matchLabels: labels },
      template: { ...template, metadata },
    };
    return cluster.apply(JSON.stringify({ ...made, spec }));
  };

  const cases: readonly Stuck[] = [
    {
      name: 'route-without-us', // 33
      said: /no HTTPRoute sends requests to Service web/,
      prepare: (shop) => rules(shop, [{ name: 'elsewhere', port: 80 }]),
    },
    {
      name: 'two-routes', // 33
      said: /more than one route sends requests to Service web: httproute\/\w+, httproute\/\w+/,
      prepare: (shop) => route(shop, 'second', [{ name: 'web', port: 80 }]),
    },
    {
      name: 'other-namespace', // 34
      said: /no HTTPRoute sends requests to Service web/,
      prepare: (shop) => rules(shop, [{ name: 'web', namespace: 'default', port: 80 }]),
    },
    {
      name: 'weightless', // 35
      said: /the weights of rule 0 add up to 0/,
      prepare: (shop) => rules(shop, [{ name: 'web', port: 80, weight: 0 }]),
    },
    {
      name: 'named-twice',
      said: /rule 0 names Service web twice/,
      prepare: (shop) =>
        rules(shop, [
          { name: 'web', port: 80 },
          { name: 'web', port: 80 },
        ]),
    },
    {
      name: 'same-labels', // 36
      said: /Deployment twin selects the same pods/,
      prepare: (shop) => deployment(shop, 'twin', { app: 'web' }),
    },
    {
      name: 'shared-service', // T18
      said: /Service web also leads to pod guest-/,
      prepare: async (shop) => {
        await deployment(shop, 'guest', { tier: 'front', app: 'guest' });
        await cluster.api.patch(shop.paths.deployment, 'merge', {
          spec: { template: { metadata: { labels: { tier: 'front' } } } },
        });
        await cluster.api.patch(shop.paths.service, 'merge', {
          spec: { selector: { app: null, tier: 'front' } },
        });
      },
    },
    {
      name: 'recreate', // 37
      said: /strategy Recreate never runs two versions at once/,
      spec: { strategy: { type: 'Recreate' } },
    },
    {
      name: 'paused-by-hand', // 37
      said: /paused by hand; "kubectl rollout resume deployment\/web"/,
      prepare: (shop) =>
        cluster.api.patch(shop.paths.deployment, 'merge', { spec: { paused: true } }),
    },
  ];

  it.each(cases)('is told: $name', async ({ name, said, spec, prepare }) => {
    for (const object of shopObjects(name, {
      replicas: 1,
      ...(spec === undefined ? {} : { spec }),
    }))
      await cluster.apply(JSON.stringify(object));
    const shop = openShop(cluster, name);
    await prepare?.(shop);
    await cluster.api.until<Deployment>(
      shop.paths.deployment,
      (d) => d?.status?.availableReplicas === 1 && d.status.updatedReplicas === 1,
    );
    const before = JSON.stringify((await shop.route()).spec);
    await shop.annotate({ 'haldane.dev/enabled': 'true' });
    await waitUntil(async () => (await told(name, 'web')).some((e) => said.test(e.message)), {
      what: `an Event about ${name}`,
    });
    // A new template waits: nothing of ours appears anywhere.
    await shop.release('shop/web:v2');
    await cluster.api.until<Deployment>(
      shop.paths.deployment,
      (d) => d?.status?.observedGeneration === d?.metadata.generation,
    );
    const traces = await tracesOf(cluster, shop);
    if (name !== 'paused-by-hand') expect(traces).toEqual([]);
    expect(JSON.stringify((await shop.route()).spec)).toBe(before);
    expect(await told(name, 'web')).toHaveLength(1);
    await shop.remove();
  });

  it.each(['on-change', 'at-rest'])(
    'at no replicas there is no canary, paused %s',
    async (pause) => {
      const name = `empty-${pause}`;
      const wish = pause === 'at-rest' ? { 'haldane.dev/pause': pause } : {};
      const busy = await busyShop(cluster, name, { annotations: wish });
      const { shop } = busy;
      if (pause === 'at-rest') {
        const { api } = cluster;
        await api.until<Deployment>(shop.paths.deployment, (d) => d?.spec.paused === true);
      }
      await busy.load.stop();
      const scale = async (replicas: number) => {
        const args = ['-n', name, 'scale', 'deployment/web', `--replicas=${replicas}`];
        expect(await cluster.kubectl(args)).toMatchObject({ code: 0 });
      };
      await scale(0);
      await waitUntil(
        async () => (await replicaSets(cluster, shop)).every((set) => set.spec.replicas === 0),
        { what: 'no pods' },
      );
      await shop.release('shop/web:v2');
      await waitUntil(async () => (await replicaSets(cluster, shop)).length === 2, {
        what: 'a ReplicaSet of the new template',
      });
      await scale(2);
      await untilRest(cluster, shop, 'shop/web:v2');
      expect(await told(name, 'web')).toEqual([]);
      await shop.remove();
    },
  );
});

describe('what is accepted', () => {
  it('steps that end below 100 lead to promotion', async () => {
    const annotations = { 'haldane.dev/steps': '10,40' }; // 10 of the catalogue
    const busy = await busyShop(cluster, 'below', { annotations });
    await busy.shop.release('shop/web:v2');
    await untilWeight(busy.shop, 40);
    await untilRest(cluster, busy.shop, 'shop/web:v2');
    const { failed } = await endShop(busy);
    expect(failed).toEqual([]);
  });
});
