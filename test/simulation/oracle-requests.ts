import type { KubernetesRequest } from '../../src/kubernetes/transport.ts';
import { type AtWrite, type Book, say } from './oracle-book.ts';
import type { RouteTruth, SetTruth } from './oracle-view.ts';
import { isWrite } from './process.ts';

// What our processes knew when they asked for what comes true later.

/** What is refused so often within ten seconds is asked for without any pause. */
const mostRefusals = 50;

const nothing = (): void => undefined;

/**
 * Notes of each request to lead the user's Service somewhere whether the route gave everything to
 * the canary when it was looked at before, and of each write of the route what the Deployment was.
 * To be called before the first process starts.
 */
export function followRequests(book: Book): void {
  const { clock, cluster, namespace } = book.world;
  const open = cluster.transport.bind(cluster);
  const route = `/apis/gateway.networking.k8s.io/v1/namespaces/${namespace}/httproutes/web`;
  const service = `/api/v1/namespaces/${namespace}/services/web`;
  const sets = `/apis/apps/v1/namespaces/${namespace}/replicasets/`;
  const deployment = `/apis/apps/v1/namespaces/${namespace}/deployments/web`;
  let gaveAll = false;
  let look: Look = { at: Number.NEGATIVE_INFINITY, replicas: 0 };
  const hear = ({ method, path, body }: KubernetesRequest) => {
    if (method === 'GET' && path === route) gaveAll = book.view.route()?.weight === 100;
    if (method === 'GET' && path === deployment)
      look = { at: clock.monotonic(), replicas: book.view.deployment()?.replicas ?? 0 };
    if (method === 'PATCH' && path === route) hearWrite(body, look, book);
    if (method === 'PATCH' && path.startsWith(sets))
      book.atWriteOfSet.set(path.slice(sets.length), adoptable(book));
    if (method !== 'PATCH' || path !== service) return;
    const pin = pinIn(body);
    if (pin === undefined) return;
    if (gaveAll) book.soundPins.add(pin);
    else book.soundPins.delete(pin);
  };
  const refusals = new Map<string, number>();
  const hearRefusal = ({ method, path }: KubernetesRequest) => {
    const key = `${Math.floor(clock.monotonic() / 10_000)} ${method} ${path}`;
    const count = (refusals.get(key) ?? 0) + 1;
    refusals.set(key, count);
    if (count === mostRefusals) say(book, 'S10 in vain', `${method} ${path}`);
  };
  const hearWriter = oneWriter(book);
  const transport: typeof open = (options) => {
    const inner = open(options);
    // People have a name, and our processes none.
    const writer = options?.userAgent === undefined ? Symbol() : undefined;
    return {
      ...inner,
      request: (request, signal) => {
        hear(request);
        if (writer !== undefined && isWrite(request)) hearWriter(writer);
        const answer = inner.request(request, signal);
        answer.then(({ status }) => status < 400 || hearRefusal(request), nothing);
        return answer;
      },
    };
  };
  Object.assign(cluster, { transport });
}

/** Who writes has a term, which is over when another has one: nobody writes again after that. */
function oneWriter(book: Book): (writer: symbol) => void {
  const earlier = new Set<symbol>();
  let last: symbol | undefined;
  return (writer) => {
    if (earlier.has(writer)) say(book, 'I13 one writer', 'a process writes whose term is over');
    if (last !== undefined && last !== writer) earlier.add(last);
    last = writer;
  };
}

/** The last time that one of our processes asked for the Deployment alone, and what was so then. */
interface Look {
  readonly at: number;
  readonly replicas: number;
}

/** A raise may rest upon what was found out this long ago, ms. */
const lately = 1000;

function hearWrite(body: unknown, look: Look, { view, world, replicasAtWrite }: Book): void {
  const { metadata } = body as { readonly metadata?: { readonly resourceVersion?: string } };
  const deployment = view.deployment();
  const version = metadata?.resourceVersion ?? '';
  if (deployment === undefined) return;
  const isLate = world.clock.monotonic() - look.at > lately;
  const { replicas } = deployment;
  replicasAtWrite.set(version, isLate ? replicas : Math.min(replicas, look.replicas));
}

/**
 * The Deployment was there when this was asked for, and is gone: it is late, nobody can keep it
 * from landing, and no pod is left to be reached.
 */
export const isWrittenInTime = (before: RouteTruth, { view, replicasAtWrite }: Book): boolean =>
  view.deployment() === undefined && replicasAtWrite.has(before.resourceVersion);

/** What the template asks for serves beside the canary. */
export const isBackToStable = ({ view }: Book): boolean =>
  view.sets().some((set) => {
    const isOld = set.owned && set.state === undefined && set.replicas > 0;
    return isOld && set.version === view.deployment()?.version;
  });

/** What an adoption goes by, as it is now. */
export function adoptable({ view }: Book): AtWrite {
  const { version, replicas = 0 } = view.deployment() ?? {};
  return { version, replicas, weight: view.route()?.weight ?? 0 };
}

/** The template was the canary's when its adoption was asked for, and is the stable one by now. */
export const isAdoptedTooLate = ({ name, version }: SetTruth, book: Book): boolean =>
  isBackToStable(book) && book.atWriteOfSet.get(name)?.version === version;

/**
 * Replicas that a raise must be sized for: those that the Deployment has, or had when it was asked
 * for or just before. While it is under way somebody may want more.
 */
export const replicasToServe = (before: RouteTruth, book: Book): number =>
  leastReplicas(book.replicasAtWrite.get(before.resourceVersion), book);

/** As above, of a ReplicaSet that gets fewer pods. */
export const replicasOfSet = ({ name }: SetTruth, book: Book): number =>
  leastReplicas(book.atWriteOfSet.get(name)?.replicas, book);

function leastReplicas(atWrite: number | undefined, { view }: Book): number {
  const replicas = view.deployment()?.replicas ?? 1;
  return Math.min(replicas, atWrite ?? replicas);
}

function pinIn(body: unknown): string | undefined {
  const { spec } = body as { readonly spec?: { readonly selector?: Record<string, unknown> } };
  const pin = spec?.selector?.['pod-template-hash'];
  return typeof pin === 'string' ? pin : undefined;
}

/**
 * The route gave everything to where the Service leads when that was asked for, and while it was
 * under way for many seconds somebody's hand or a rejection has lowered that: it is late, and the
 * next pass takes it back.
 */
export function isLedInGoodFaith({ soundPins, view }: Book): boolean {
  const pin = view.service('web')?.pin;
  return pin !== undefined && soundPins.has(pin);
}
