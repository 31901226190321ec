import type { Verdict } from '../../src/analysis/verdict.ts';
import { instant, type Millis, millis, percent, ratio } from '../../src/lib/units.ts';
import type { RolloutSpec } from '../../src/rollout/rollout-spec.ts';
import type { Snapshot } from '../../src/rollout/snapshot.ts';
import { defaultLimits, type RolloutState } from '../../src/rollout/state.ts';
import type {
  DeploymentView,
  PodView,
  ReplicaSetView,
  RouteMark,
  RouteMarkKind,
  RouteView,
  ServiceView,
} from '../../src/rollout/views.ts';

// A rollout that is healthy and in the middle of its second step, one field of which a test
// changes.

export const uid = '0a1b2c3d-0000-4000-8000-000000000001';
export const stableHash = 'aaaaaaaaaa';
export const canaryHash = 'bbbbbbbbbb';
export const at = (seconds: number) => instant(1_800_000_000_000 + seconds * 1000);

const object = (name: string) => ({
  namespace: 'shop',
  name,
  uid: `uid-${name}`,
  resourceVersion: '7',
  annotations: {},
});

export const aSpec = (change: Partial<RolloutSpec> = {}): RolloutSpec => ({
  steps: [1, 5, 10, 25, 50].map(percent),
  profile: 'default',
  checks: ['errors'],
  minStep: millis(15_000),
  maxStep: millis(7_200_000),
  bake: millis(15_000),
  onReject: 'keep',
  notify: [],
  flinch: true,
  ...change,
});

export const aDeployment = (change: Partial<DeploymentView> = {}): DeploymentView => ({
  ...object('web'),
  uid,
  annotations: { 'haldane.dev/enabled': 'true', 'haldane.dev/rollout': canaryHash },
  generation: 4,
  observedGeneration: 4,
  deleting: false,
  replicas: 4,
  paused: true,
  progressDeadlineSeconds: 600,
  minReadySeconds: 0,
  strategy: 'RollingUpdate',
  maxSurge: 1,
  selector: { matchLabels: { app: 'web' } },
  templateHash: canaryHash,
  templateLabels: { app: 'web' },
  images: { web: 'shop/web:v2' },
  available: 4,
  updated: 0,
  conditions: [{ type: 'Progressing', status: 'Unknown', reason: 'DeploymentPaused' }],
  ...change,
});

export const aReplicaSet = (
  hash: string,
  change: Partial<ReplicaSetView> = {},
): ReplicaSetView => ({
  ...object(`web-${hash}`),
  createdAt: '2027-01-01T00:00:00Z',
  controllerUid: uid,
  ownerUids: [uid],
  labels: {},
  podHash: hash,
  templateHash: hash,
  images: { web: hash === stableHash ? 'shop/web:v1' : 'shop/web:v2' },
  replicas: 4,
  statusReplicas: 4,
  available: 4,
  deleting: false,
  ...change,
});

export const aPod = (hash: string, index: number, change: Partial<PodView> = {}): PodView => ({
  ...object(`web-${hash}-${index}`),
  podHash: hash,
  labels: { app: 'web' },
  ready: true,
  deleting: false,
  restarts: 0,
  startedAt: at(-3600),
  until: undefined,
  ends: [],
  trouble: undefined,
  unschedulable: undefined,
  ...change,
});

export const aService = (name: string, change: Partial<ServiceView> = {}): ServiceView => ({
  ...object(name),
  selector: { app: 'web', 'pod-template-hash': stableHash },
  ports: [80],
  ownerUids: [],
  ...change,
});

export const aRoute = ({ weight = percent(5), ...change }: Partial<RouteView> = {}): RouteView => ({
  ...object('web'),
  kind: 'httproute',
  generation: 5,
  accepted: true,
  refusal: undefined,
  problem: undefined,
  canaryService: `web-canary-${canaryHash}`,
  weight,
  leastWeight: weight,
  record: {
    deploymentUid: uid,
    revision: canaryHash,
    service: 'web',
    canaryService: `web-canary-${canaryHash}`,
    mark: undefined,
  },
  ...change,
});

export const aMark = (kind: RouteMarkKind, revision = canaryHash): RouteMark => ({
  kind,
  revision,
  rule: 'evidenceWorse',
  because: 'worse',
  at: at(-1),
});

export const aState = (change: Partial<RolloutState> = {}): RolloutState => ({
  deploymentUid: uid,
  revision: canaryHash,
  attempt: 1,
  startedAt: at(-60),
  replicasAtStart: 4,
  spec: aSpec(),
  step: {
    index: 1,
    fromIndex: 0,
    from: percent(1),
    to: percent(5),
    raisedAt: at(-21),
    inForceAt: at(-20),
  },
  pause: null,
  requestId: null,
  bounds: {},
  evidence: null,
  stream: null,
  exposedRequests: 100,
  failedRequests: 0,
  outcome: null,
  delivered: [],
  summary: {
    phase: 'progressing',
    rule: 'gathering',
    because: 'gathering evidence',
    weight: percent(5),
    step: 2,
    checks: [],
    updatedAt: at(-20),
  },
  ...change,
});

const judgement = {
  checks: [],
  evidence: 0.5,
  threshold: 100,
  exposedRequests: 100,
  failedRequests: 0,
  blame: { check: 'errors', canary: ratio(0), stable: ratio(0), evidence: 0.5, threshold: 100 },
};

export const pass: Verdict = { kind: 'pass', because: 'safe', ...judgement };
export const fail: Verdict = { kind: 'fail', check: 'errors', because: 'worse', ...judgement };
export const inconclusive = (
  reason: Extract<Verdict, { kind: 'inconclusive' }>['reason'],
): Verdict => ({ kind: 'inconclusive', reason, because: 'because', ...judgement });

const span = (value: number) => value as Millis;

export function aSnapshot(change: Partial<Snapshot> = {}): Snapshot {
  const stablePods = [0, 1, 2, 3].map((i) => aPod(stableHash, i));
  const canaryPods = [aPod(canaryHash, 0)];
  const stable = aReplicaSet(stableHash);
  return {
    now: at(0),
    limits: { ...defaultLimits, checkpoint: span(60_000) },
    optedIn: true,
    problems: [],
    problemsSince: undefined,
    spec: aSpec(),
    pauseMode: 'on-change',
    deployment: aDeployment(),
    rejections: [],
    request: undefined,
    stable,
    canary: aReplicaSet(canaryHash, {
      controllerUid: undefined,
      replicas: 1,
      statusReplicas: 1,
      available: 1,
      labels: { 'haldane.dev/canary-for': uid },
    }),
    adopted: false,
    adoptedSince: undefined,
    leftovers: [],
    twins: [],
    active: [stable],
    service: aService('web'),
    canaryServiceName: `web-canary-${canaryHash}`,
    canaryService: aService(`web-canary-${canaryHash}`, { ownerUids: [uid] }),
    listedService: aService(`web-canary-${canaryHash}`, { ownerUids: [uid] }),
    leftoverServices: [],
    route: aRoute(),
    routeAcceptedSince: at(-20),
    routeRefusedSince: undefined,
    pods: { stable: stablePods, canary: canaryPods },
    endpoints: {
      stable: new Set(stablePods.map((pod) => pod.uid)),
      canary: new Set(canaryPods.map((pod) => pod.uid)),
    },
    endpointsSettledSince: at(-40),
    canaryUnavailableSince: undefined,
    state: aState(),
    verdict: inconclusive('not-enough-evidence'),
    flinch: undefined,
    settledNotices: new Set(),
    lastRecordedAt: at(-20),
    recordedNotices: [],
    ...change,
  };
}
