import type { EmbeddedCluster } from '../../src/embedded/cluster.ts';
import type { KubernetesObject } from '../../src/embedded/resource.ts';
import type { RolloutState } from '../../src/rollout/state.ts';

// What an oracle reads from raw objects, by the names that users see and by nothing of the
// controller's own tables.

export interface Ref {
  readonly name: string;
  readonly weight?: number;
}
interface Labels {
  readonly [key: string]: string;
}

/** What is stored never changes, and is looked at again at many commits. */
function remembered<O extends object, T>(read: (object: O) => T): (object: O) => T {
  const known = new WeakMap<O, { readonly truth: T }>();
  return (object) => {
    const found = known.get(object);
    if (found !== undefined) return found.truth;
    const truth = read(object);
    known.set(object, { truth });
    return truth;
  };
}

/** One HTTPRoute: who gets which share, and our record on it. */
export interface RouteTruth {
  readonly rules: readonly { readonly backendRefs: readonly Ref[] }[];
  readonly refs: readonly Ref[];
  readonly total: number;
  /** Percent of requests that the canary gets, of the rules that list it the largest. */
  readonly weight: number;
  /** And the smallest. */
  readonly leastWeight: number;
  readonly canaryService: string | undefined;
  readonly record:
    | {
        readonly revision: string;
        readonly mark?: { readonly kind: string; readonly revision: string };
      }
    | undefined;
  /** The gateway says why it does not take it. */
  readonly refused: boolean;
  readonly writtenBy: string;
  readonly resourceVersion: string;
}

interface RouteStatus {
  readonly parents?: readonly {
    readonly conditions: readonly { readonly status: string }[];
  }[];
}

const recordPrefix = 'haldane.dev/canary-';

export const routeTruth = remembered((object: KubernetesObject): RouteTruth => {
  const { rules } = object.spec as unknown as Pick<RouteTruth, 'rules'>;
  const { parents = [] } = (object.status ?? {}) as RouteStatus;
  const refs = rules[0]?.backendRefs ?? [];
  const shares = rules.flatMap(({ backendRefs }) => shareOf(backendRefs) ?? []);
  const canary = rules.flatMap(({ backendRefs }) => backendRefs).find(isCanary);
  const { annotations = {} } = object.metadata;
  const text =
    annotations[Object.keys(annotations).find((key) => key.startsWith(recordPrefix)) ?? ''];
  return {
    rules,
    refs,
    total: totalOf(refs),
    weight: Math.max(0, ...shares),
    leastWeight: shares.length === 0 ? 0 : Math.min(...shares),
    canaryService: canary?.name,
    record: text === undefined ? undefined : (JSON.parse(text) as RouteTruth['record']),
    refused: parents.some(({ conditions }) => conditions.some((one) => one.status === 'False')),
    writtenBy: writerOf(object),
    resourceVersion: object.metadata.resourceVersion ?? '',
  };
});

/** Percent of what one rule gives; undefined where it lists no canary. */
function shareOf(refs: readonly Ref[]): number | undefined {
  const canary = refs.find(isCanary);
  const total = totalOf(refs);
  if (canary === undefined) return undefined;
  return total === 0 ? 0 : ((canary.weight ?? 1) / total) * 100;
}

const totalOf = (refs: readonly Ref[]): number =>
  refs.reduce((sum, { weight = 1 }) => sum + weight, 0);

const isCanary = ({ name }: Ref): boolean => name.includes('-canary-');

/**
 * The rules as their author has them: without canaries, and with the weights that `before` them
 * were there.
 */
export const ownRules = (
  rules: RouteTruth['rules'],
  before: RouteTruth['rules'],
): RouteTruth['rules'] =>
  rules.map((rule, index) => {
    if (!rule.backendRefs.some(isCanary)) return rule;
    const known = before[index]?.backendRefs ?? [];
    const backendRefs = rule.backendRefs
      .filter((ref) => !isCanary(ref))
      .map((ref) => ({ ...ref, ...weightIn(known, ref) }));
    return { ...rule, backendRefs };
  });

const weightIn = (known: readonly Ref[], { name }: Ref): Partial<Ref> => {
  const weight = known.find((ref) => ref.name === name)?.weight;
  return weight === undefined ? {} : { weight };
};

/** Who has changed the object last. */
export function writerOf({ metadata }: KubernetesObject): string {
  const { managedFields = [] } = metadata as unknown as {
    readonly managedFields?: readonly { readonly manager: string }[];
  };
  return managedFields.at(-1)?.manager ?? '';
}

export interface SetTruth {
  readonly name: string;
  readonly hash: string;
  readonly version: string;
  readonly replicas: number;
  readonly available: number;
  /** Carries our label, so that no Deployment has adopted it. */
  readonly bare: boolean;
  /** The Deployment controls it. */
  readonly owned: boolean;
  readonly deleting: boolean;
  readonly state: StateTruth | 'unreadable' | undefined;
}

/** What is recorded of a rollout, as its text says it; the evidence is packed, and none of ours. */
export type StateTruth = Omit<RolloutState, 'evidence'>;

interface RawSet {
  readonly spec: {
    readonly replicas: number;
    readonly selector: { readonly matchLabels: Labels };
    readonly template: RawTemplate;
  };
  readonly status?: { readonly availableReplicas?: number };
}
interface RawTemplate {
  readonly spec: { readonly containers: readonly { readonly image: string }[] };
}

/** The tag of the first container's image. */
export const versionOf = (template: unknown): string =>
  (template as RawTemplate).spec.containers[0]?.image.split(':').at(-1) ?? '';

/** Status changes often, and the state that stays the same is costly to read. */
const lastStates = new Map<string, { text: string; uid: string; state: SetTruth['state'] }>();

function stateIn(text: string, { name, uid }: { name: string; uid: string }): SetTruth['state'] {
  const last = lastStates.get(name);
  if (last?.text === text && last.uid === uid) return last.state;
  const state = stateOf(text, uid);
  lastStates.set(name, { text, uid, state });
  return state;
}

/** Of another Deployment it says nothing. */
function stateOf(text: string, deploymentUid: string): SetTruth['state'] {
  try {
    const state = JSON.parse(text) as StateTruth;
    return state.deploymentUid === deploymentUid ? state : undefined;
  } catch {
    return 'unreadable';
  }
}

export const setTruth = remembered((object: KubernetesObject): SetTruth => {
  const { spec, status } = object as unknown as RawSet;
  const { annotations = {}, labels = {}, name, deletionTimestamp } = object.metadata;
  const owners = object.metadata.ownerReferences ?? [];
  const text = annotations['haldane.dev/state'];
  return {
    name,
    hash: spec.selector.matchLabels['pod-template-hash'] ?? '',
    version: versionOf(spec.template),
    replicas: spec.replicas,
    available: status?.availableReplicas ?? 0,
    bare: labels['haldane.dev/canary-for'] !== undefined,
    owned: owners.some(({ controller }) => controller === true),
    deleting: deletionTimestamp !== undefined,
    state: text === undefined ? undefined : stateIn(text, { name, uid: owners[0]?.uid ?? '' }),
  };
});

/** The store gives the same list as long as nothing in it changes. */
const setTruths = remembered((sets: readonly KubernetesObject[]) => sets.map(setTruth));

export interface DeploymentTruth {
  readonly annotations: Labels;
  readonly enabled: boolean;
  readonly replicas: number;
  readonly paused: boolean;
  readonly version: string;
  readonly rejected: readonly {
    readonly revision: string;
    readonly attempt: number;
    readonly rule: string;
  }[];
  readonly request:
    | { readonly verb: string; readonly id: string; readonly revision: string }
    | undefined;
  readonly progressing: { readonly status: string; readonly reason?: string } | undefined;
}

interface RawDeployment {
  readonly spec: {
    readonly replicas: number;
    readonly paused?: boolean;
    readonly template: RawTemplate;
  };
  readonly status?: {
    readonly conditions?: readonly {
      readonly type: string;
      readonly status: string;
      readonly reason?: string;
    }[];
  };
}

export const deploymentTruth = remembered((object: KubernetesObject): DeploymentTruth => {
  const { spec, status } = object as unknown as RawDeployment;
  const annotations = object.metadata.annotations ?? {};
  return {
    annotations,
    enabled: annotations['haldane.dev/enabled'] === 'true',
    replicas: spec.replicas,
    paused: spec.paused === true,
    version: versionOf(spec.template),
    rejected: listOf(annotations['haldane.dev/rejected']),
    request: requestIn(annotations['haldane.dev/request']),
    progressing: status?.conditions?.find(({ type }) => type === 'Progressing'),
  };
});

function listOf(text: string | undefined): DeploymentTruth['rejected'] {
  if (text === undefined) return [];
  return JSON.parse(text) as DeploymentTruth['rejected'];
}

/** `VERB REVISION … id=ID`: the verb comes first and the id is a pair. */
function requestIn(text: string | undefined): DeploymentTruth['request'] {
  if (text === undefined) return undefined;
  const [verb = ''] = text.split(/\s+/);
  const field = (name: string) => new RegExp(`\\b${name}=(\\S+)`).exec(text)?.[1] ?? '';
  return { verb, id: field('id'), revision: field('revision') };
}

/** The objects of one namespace, as they are at this commit. */
export interface View {
  deployment(): DeploymentTruth | undefined;
  sets(): readonly SetTruth[];
  route(): RouteTruth | undefined;
  /** Names of the ready pods that the EndpointSlices of a Service list. */
  ready(service: string): readonly string[];
  podHash(name: string): string;
  readyPods(hash: string): number;
  service(name: string): { readonly pin: string | undefined } | undefined;
}

export function viewOf(cluster: EmbeddedCluster, namespace: string, name: string): View {
  const one = (groupVersion: string, plural: string, object: string) =>
    cluster.find(groupVersion, plural, namespace, object);
  const all = (groupVersion: string, plural: string) =>
    cluster.list(groupVersion, plural, namespace);
  const pods = () =>
    all('v1', 'pods') as unknown as readonly {
      readonly metadata: { readonly labels?: Labels; readonly deletionTimestamp?: string };
      readonly status?: {
        readonly conditions?: readonly { readonly type: string; readonly status: string }[];
      };
    }[];
  return {
    deployment: () => map(one('apps/v1', 'deployments', name), deploymentTruth),
    sets: () => setTruths(all('apps/v1', 'replicasets')),
    route: () => map(one('gateway.networking.k8s.io/v1', 'httproutes', name), routeTruth),
    ready: (service) =>
      all('discovery.k8s.io/v1', 'endpointslices')
        .filter(({ metadata }) => metadata.labels?.['kubernetes.io/service-name'] === service)
        .flatMap(readyIn),
    podHash: (pod) => one('v1', 'pods', pod)?.metadata.labels?.['pod-template-hash'] ?? '',
    readyPods: (hash) =>
      pods().filter(
        ({ metadata, status }) =>
          metadata.labels?.['pod-template-hash'] === hash &&
          metadata.deletionTimestamp === undefined &&
          status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True') === true,
      ).length,
    service: (service) =>
      map(one('v1', 'services', service), ({ spec }) => ({
        pin: (spec as { readonly selector?: Labels }).selector?.['pod-template-hash'],
      })),
  };
}

const map = <T, R>(value: T | undefined, project: (value: T) => R): R | undefined =>
  value === undefined ? undefined : project(value);

interface Slice {
  readonly endpoints?: readonly {
    readonly conditions?: { readonly ready?: boolean };
    readonly targetRef?: { readonly name?: string };
  }[];
}

const readyIn = remembered((object: KubernetesObject): readonly string[] =>
  ((object as unknown as Slice).endpoints ?? [])
    .filter(({ conditions }) => conditions?.ready !== false)
    .map(({ targetRef }) => targetRef?.name ?? ''),
);
