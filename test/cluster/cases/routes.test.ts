// Routes that people have made their own: restored as they were, and their ratios kept meanwhile.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type KubernetesObject, waitUntil } from '../api.ts';
import type { Cluster } from '../cluster.ts';
import type { Controller } from '../controller.ts';
import { startLoad } from '../load/load.ts';
import { namespaced } from '../resources.ts';
import { type HttpRoute, type Shop, shopDeployment } from '../shop.ts';
import {
  ask,
  type BusyShop,
  busyShop,
  canaryWeight,
  endShop,
  figure,
  hurried,
  openHurriedCluster,
  revisionOf,
  startHaldane,
  tracesOf,
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

const patient = { 'haldane.dev/steps': '20,50', 'haldane.dev/min-step': '10m' };

interface EndpointSlice extends KubernetesObject {
  readonly endpoints?: readonly { readonly conditions: { readonly ready?: boolean } }[];
}

/** Another application for the same route: Deployment and Service, version v9, and ready. */
async function addBackend(namespace: string, name: string, annotations = {}): Promise<void> {
  const image = `shop/${name}:v9`;
  const made = shopDeployment(namespace, { name, replicas: 1, image, annotations });
  await cluster.apply(JSON.stringify(made));
  const service = { apiVersion: 'v1', kind: 'Service', metadata: { name, namespace } };
  const spec = { selector: { app: name }, ports: [{ port: 80, targetPort: 8080 }] };
  await cluster.apply(JSON.stringify({ ...service, spec }));
  await waitUntil(
    async () => {
      const all = await cluster.api.list<EndpointSlice>(namespaced('endpointslices', namespace));
      const slices = all.filter(
        ({ metadata }) => metadata.labels?.['kubernetes.io/service-name'] === name,
      );
      return slices.some(({ endpoints }) => endpoints?.some(({ conditions }) => conditions.ready));
    },
    { what: `an endpoint of ${namespace}/${name}` },
  );
}

/** Three hosts, three rules with matches and filters, other backends with weights of their own. */
const ownRules = (shop: Shop) => ({
  hostnames: ['first.example', shop.host, 'last.example'],
  rules: [
    {
      name: 'api',
      matches: [{ path: { type: 'PathPrefix', value: '/api' }, method: 'GET' }],
      filters: [
        {
          type: 'RequestHeaderModifier',
          requestHeaderModifier: {
            set: [{ name: 'x-team', value: 'checkout' }],
            remove: ['x-debug'],
          },
        },
      ],
      backendRefs: [
        { name: 'other', port: 80, weight: 10 },
        { name: 'web', port: 80, weight: 90 },
      ],
    },
    {
      matches: [{ path: { type: 'PathPrefix', value: '/only' } }],
      backendRefs: [{ name: 'other', port: 80 }],
    },
    { backendRefs: [{ name: 'web', port: 80 }] },
  ],
});

/** The route as a person sees it: everything but what the API server and the gateway write. */
const textOf = ({ spec, metadata }: HttpRoute) =>
  JSON.stringify({ spec, labels: metadata.labels, annotations: metadata.annotations });

async function ownRoute(name: string): Promise<BusyShop & { readonly before: string }> {
  const busy = await busyShop(cluster, name, { annotations: patient });
  const { shop } = busy;
  await addBackend(name, 'other');
  await cluster.api.patch(shop.paths.route, 'merge', {
    metadata: { annotations: { 'team.example/owner': 'checkout' }, labels: { tier: 'front' } },
    spec: ownRules(shop),
  });
  const api = startLoad({ host: shop.host, rate: 20, path: '/api/x' });
  await api.log.until(
    'the other application behind /api',
    (log) => (log.byVersion()['v9'] ?? 0) > 2,
  );
  await api.stop();
  return { ...busy, before: textOf(await shop.route()) };
}

async function release({ shop, load }: BusyShop, image: string): Promise<string> {
  await shop.release(image);
  await waitUntil(async () => (await shareOf(shop)) === 20, { what: '20 % in every rule' });
  const version = image.split(':')[1] ?? '';
  await load.log.until(`requests on ${version}`, (log) => (log.byVersion()[version] ?? 0) > 20);
  return revisionOf(shop);
}

/** Share of the canary among the requests for the Service, the same in all rules; else NaN. */
async function shareOf(shop: Shop): Promise<number> {
  const shares = (await shop.route()).spec.rules.flatMap(({ backendRefs }) => {
    const weightOf = (test: (name: string) => boolean) =>
      backendRefs.find(({ name }) => test(name))?.weight ?? 0;
    const canary = weightOf((name) => name.startsWith(`${shop.name}-canary-`));
    const stable = weightOf((name) => name === shop.name);
    return canary + stable === 0 ? [] : [(100 * canary) / (canary + stable)];
  });
  return new Set(shares).size === 1 ? (shares[0] ?? Number.NaN) : Number.NaN;
}

describe.concurrent('a route of somebody’s own', () => {
  it('is restored byte for byte after a promotion and after a rollback', async () => {
    const one = await ownRoute('own-route');
    const { shop } = one;
    const revision = await release(one, 'shop/web:v2');
    const during = await shop.route();
    expect(during.spec.hostnames).toEqual(['first.example', shop.host, 'last.example']);
    const [first, second, third] = during.spec.rules;
    const parts = first?.backendRefs.map(({ weight = 0 }) => weight) ?? [];
    const [other = 0, stable = 0, canary = 0] = parts;
    expect(other / (other + stable + canary)).toBeCloseTo(0.1, 10);
    expect(first?.filters).toEqual(ownRules(shop).rules[0]?.filters);
    expect(second?.backendRefs).toHaveLength(1);
    expect(third?.backendRefs).toHaveLength(2);

    // 72 of 100 requests under /api for stable, 18 for the canary, 10 for the other application.
    const load = startLoad({ host: shop.host, rate: 200, count: 1000, path: '/api/x' });
    await load.ended;
    expect(load.log.failed()).toEqual([]);
    const { v1 = 0, v2 = 0, v9 = 0 } = load.log.byVersion();
    expect(v9).toBeGreaterThan(90);
    expect(v9).toBeLessThan(110);
    expect(v2 / (v1 + v2)).toBeCloseTo(0.2, 1);

    await ask(shop, 'promote', { revision, step: 1 });
    await untilRest(cluster, shop, 'shop/web:v2');
    expect(textOf(await shop.route())).toBe(one.before);

    const next = await release(one, 'shop/web:v3');
    await ask(shop, 'rollback', { revision: next });
    await waitUntil(async () => (await tracesOf(cluster, shop)).length === 1, { what: 'the end' });
    expect(textOf(await shop.route())).toBe(one.before);
    await shop.release('shop/web:v2');
    await untilRest(cluster, shop, 'shop/web:v2');
    expect(textOf(await shop.route())).toBe(one.before);
    const { sent, failed } = await endShop(one);
    figure(
      'a route of somebody’s own',
      `restored byte for byte twice; under /api ${v1} : ${v2} : ${v9} of 1000 for stable, ` +
        'canary, other; ' +
        `${sent} requests, ${failed.length} failed`,
    );
    expect(failed).toEqual([]);
  });

  it('keeps what its owner changes while a canary runs', async () => {
    const one = await ownRoute('edited-route');
    const { shop } = one;
    const revision = await release(one, 'shop/web:v2');
    const header = { name: 'x-edited', value: 'yes' };
    await cluster.api.patch(shop.paths.route, 'json', [
      { op: 'add', path: '/spec/hostnames/-', value: 'added.example' },
      { op: 'add', path: '/spec/rules/0/filters/0/requestHeaderModifier/set/-', value: header },
      { op: 'add', path: '/spec/rules/1/backendRefs/0/weight', value: 7 },
    ]);
    expect(await canaryWeight(shop)).toBeGreaterThan(0);
    await ask(shop, 'promote', { revision, step: 1 });
    await untilRest(cluster, shop, 'shop/web:v2');
    const expected = JSON.parse(one.before) as { spec: ReturnType<typeof ownRules> };
    expected.spec.hostnames.push('added.example');
    const [first, second] = expected.spec.rules;
    first?.filters?.[0]?.requestHeaderModifier.set.push(header);
    Object.assign(second?.backendRefs[0] ?? {}, { weight: 7 });
    expect(JSON.parse(textOf(await shop.route()))).toEqual(expected);
    const { sent, failed } = await endShop(one);
    figure('an edited route', `the edit is kept; ${sent} requests, ${failed.length} failed`);
    expect(failed).toEqual([]);
  });

  it('serves two canaries of two Deployments at once', async () => {
    const namespace = 'shared-route';
    const quick = { 'haldane.dev/steps': '20,50' };
    const one = await busyShop(cluster, namespace, { annotations: quick });
    const { shop } = one;
    await addBackend(namespace, 'other', { 'haldane.dev/enabled': 'true', ...quick });
    const shared = [
      { name: 'web', port: 80, weight: 3 },
      { name: 'other', port: 80, weight: 1 },
    ];
    await cluster.api.patch(shop.paths.route, 'merge', {
      spec: { rules: [{ backendRefs: shared }] },
    });
    await one.load.log.until('both applications', (log) => (log.byVersion()['v9'] ?? 0) > 20);
    const before = textOf(await shop.route());
    await shop.release('shop/web:v2');
    const place = ['-n', namespace, 'set', 'image', 'deployment/other', 'web=shop/other:v10'];
    expect(await cluster.kubectl(place)).toMatchObject({ code: 0 });
    let together = false;
    await waitUntil(
      async () => {
        const [rule] = (await shop.route()).spec.rules;
        const names = rule?.backendRefs.map(({ name }) => name) ?? [];
        const shows = (app: string) => names.some((name) => name.startsWith(`${app}-canary-`));
        together ||= shows('web') && shows('other');
        return together;
      },
      { what: 'both canaries on the route', timeout: 60_000 },
    );
    await waitUntil(async () => (await tracesOf(cluster, shop)).length === 0, {
      what: 'both to be promoted',
      timeout: 90_000,
    });
    await one.load.log.until('the new versions alone', (log) => log.share('v10', 1000) > 0.2);
    expect(one.load.log.share('v2', 1000) + one.load.log.share('v10', 1000)).toBe(1);
    expect(textOf(await shop.route())).toBe(before);
    const { sent, failed } = await endShop(one);
    figure('two canaries on one route', `both promoted; ${sent} requests, ${failed.length} failed`);
    expect(failed).toEqual([]);
  });
});
