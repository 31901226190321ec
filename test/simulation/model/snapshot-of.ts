import type { Verdict } from '../../../src/analysis/verdict.ts';
import { instant, type Percent, percent } from '../../../src/lib/units.ts';
import type { Snapshot } from '../../../src/rollout/snapshot.ts';
import { noticeId, type RolloutState } from '../../../src/rollout/state.ts';
import type { PodView, ReplicaSetView, RouteMark } from '../../../src/rollout/views.ts';
import {
  aDeployment,
  aPod,
  aReplicaSet,
  aRoute,
  aService,
  aSnapshot,
  aSpec,
  aState,
  fail,
  inconclusive,
  pass,
  uid,
} from '../../builders/snapshot.ts';
import {
  type Cluster,
  canaryIndex,
  nativeHash,
  ourHash,
  oursAt,
  type Recorded,
  stableIndex,
  stateAt,
  steps,
  targetOf,
  templates,
} from './cluster-state.ts';

// What the controller would observe of an abstract cluster. Parts that never change are made once.

export const requestId = 'request-1';
const now = instant(1_800_000_000_000);
/** Longer ago than any limit, and not long ago at all. */
const long = instant(now - 86_400_000);
const spec = aSpec({
  steps: steps.map(percent),
  minStep: 0 as never,
  bake: 0 as never,
});
const base = aSnapshot({ now });
const outcome = {
  kind: 'superseded',
  rule: 'templateChanged',
  because: 'another template',
  at: long,
  weight: percent(0),
  step: 0,
} as const;
const pod = { name: 'sick', uid: 'uid-sick', restarts: 0 };
const restartedPod = { name: 'sick', uid: 'uid-sick', exposedRequests: 0, failedRequests: 0 };
const hashOf = (template: number): string => templates[template] ?? '';

const verdicts: Readonly<Record<Cluster['verdict'], Verdict>> = {
  none: inconclusive('not-enough-evidence'),
  pass,
  fail,
  guard: inconclusive('stale-data'),
};

export function stateOf(recorded: Recorded, template: number): RolloutState {
  const { index, fromIndex, from, inForce, paused, taken, attempt, delivered, ended } = recorded;
  const state = aState({
    ...(recorded.restarted ? { restartedPod } : {}),
    revision: hashOf(template),
    attempt,
    startedAt: long,
    spec,
    step: {
      index,
      fromIndex,
      from: percent(from),
      to: percent(targetOf(recorded)),
      raisedAt: long,
      inForceAt: inForce ? long : null,
    },
    pause: paused ? { by: 'somebody', at: long, because: 'asked' } : null,
    requestId: taken ? requestId : null,
    exposedRequests: 0,
    outcome: ended ? outcome : null,
  });
  return delivered === 0 ? state : { ...state, delivered: noticesOf(state) };
}

const noticesOf = (state: RolloutState): string[] => [
  noticeId(state, 'promotion'),
  noticeId(state, 'rollback'),
];

/** The other way round: what a record of this state leaves behind. */
export function recordedOf(state: RolloutState, delivered: number): Recorded {
  const { index, fromIndex, from, inForceAt } = state.step;
  return {
    index,
    fromIndex,
    from,
    inForce: inForceAt !== null,
    paused: state.pause !== null,
    taken: state.requestId === requestId,
    attempt: Math.min(state.attempt, 2),
    delivered: delivered === 1 ? 2 : delivered,
    ended: state.outcome !== null,
    restarted: state.restartedPod !== undefined,
  };
}

/** Every raise that the model begins with was recorded long ago. */
export const isNewRaise = ({ step }: RolloutState): boolean => step.raisedAt !== long;

const pods = new Map<string, PodView>();
function podsOf(podHash: string, ready: number, broken: boolean): readonly PodView[] {
  const count = broken ? ready + 1 : ready;
  return Array.from({ length: count }, (_, i) => {
    const key = `${podHash} ${i} ${i < ready}`;
    const trouble = { kind: 'crashed', message: 'exit code 1' } as const;
    const known = pods.get(key) ?? aPod(podHash, i, i < ready ? {} : { ready: false, trouble });
    pods.set(key, known);
    return known;
  });
}

const nativeSet = (template: number, replicas: number): ReplicaSetView =>
  aReplicaSet(nativeHash(template), {
    templateHash: hashOf(template),
    replicas,
    statusReplicas: replicas,
    available: replicas,
  });

function ourSet(c: Cluster, template: number): ReplicaSetView {
  const set = oursAt(c, template);
  const bare = set?.kind === 'bare';
  return aReplicaSet(ourHash(template), {
    templateHash: hashOf(template),
    // The revision is the hash of the template, and ours is its pods' hash as well.
    podHash: hashOf(template),
    controllerUid: set?.kind === 'adopted' ? uid : undefined,
    labels: bare ? { 'haldane.dev/canary-for': uid } : {},
    replicas: set?.replicas ?? 0,
    statusReplicas: set?.replicas ?? 0,
    available: set?.available ?? 0,
  });
}

/** Ready pods that the user's Service leads to. */
export function endpointsOf(c: Cluster): readonly PodView[] {
  const all = templates.flatMap((_, i) => [...nativePods(c, i), ...ourPods(c, i)]);
  return all.filter(({ podHash, ready }) => ready && (c.pin === '' || c.pin === pinOf(podHash)));
}

/** Our pods' hashes are the revisions; the model names them apart from native ones. */
const pinOf = (podHash: string | undefined): string =>
  podHash?.startsWith('native-') === true ? podHash : `ours-${podHash}`;

const nativePods = (c: Cluster, template: number): readonly PodView[] =>
  c.native[template] === 'full' && c.stableReady
    ? podsOf(nativeHash(template), c.replicas, false)
    : [];

export const ourPods = (c: Cluster, template: number): readonly PodView[] => {
  const set = oursAt(c, template);
  return set === undefined
    ? []
    : podsOf(hashOf(template), set.available, set.trouble === 'broken' && set.replicas > 0);
};

const uids = (list: readonly PodView[]) =>
  new Set(list.filter(({ ready }) => ready).map((pod) => pod.uid));

const unpinned = aService('web', { selector: { app: 'web' } });
const pinned = (podHash: string) =>
  aService('web', {
    selector: { app: 'web', 'pod-template-hash': podHash },
    annotations: { 'haldane.dev/pinned-for': uid },
  });

export function snapshotOf(c: Cluster): Snapshot {
  const canary = canaryIndex(c);
  const set = oursAt(c, canary);
  const roles = rolesOf(c, canary);
  const recorded = stateAt(c, canary);
  const revision = canary >= 0 ? canary : c.record >= 0 ? c.record : c.template;
  const serviceName = `web-canary-${hashOf(revision)}`;
  const hasService = (c.services & (1 << revision)) !== 0;
  const canaryPods = canary < 0 ? [] : ourPods(c, canary);
  const state = recorded === undefined ? undefined : stateOf(seenRestart(c, recorded), canary);
  const stored = recorded?.delivered === 2 && state !== undefined ? noticesOf(state) : [];
  return {
    ...base,
    ...roles,
    optedIn: c.optedIn,
    spec,
    pauseMode: c.mode,
    deployment: deploymentOf(c),
    rejections: templates.flatMap((hash, i) =>
      (c.rejected & (1 << i)) === 0
        ? []
        : [{ revision: hash, attempt: 1, rule: 'evidenceWorse', because: 'worse' }],
    ),
    request: requestOf(c),
    adopted: set !== undefined && set.kind !== 'bare',
    adoptedSince: set !== undefined && set.kind !== 'bare' ? long : undefined,
    service: c.pin === '' ? unpinned : pinned(selectorOf(c)),
    canaryServiceName: serviceName,
    canaryService: hasService ? aService(serviceName, { ownerUids: [uid] }) : undefined,
    listedService:
      c.record >= 0 && (c.services & (1 << c.record)) !== 0
        ? aService(`web-canary-${hashOf(c.record)}`, { ownerUids: [uid] })
        : undefined,
    leftoverServices: templates.flatMap((hash, i) => {
      const isUsed = (canary >= 0 && i === canary) || i === c.record;
      return (c.services & (1 << i)) === 0 || isUsed ? [] : [aService(`web-canary-${hash}`)];
    }),
    ...routeOf(c),
    pods: { stable: stablePodsOf(c), canary: canaryPods },
    endpoints: {
      stable: uids(endpointsOf(c)),
      canary: hasService ? uids(canaryPods) : new Set(),
    },
    endpointsSettledSince: c.drained ? long : undefined,
    canaryUnavailableSince: set?.trouble === 'late' ? long : undefined,
    state: set?.state === 'unreadable' ? 'unreadable' : state,
    verdict: state === undefined ? undefined : verdicts[c.verdict],
    flinch: flinchOf(c),
    sickPod: c.flinch === 'sick' ? { pod, because: 'one pod fails alone' } : undefined,
    settledNotices: new Set(state?.delivered ?? []),
    recordedNotices: stored,
    lastRecordedAt: now,
  };
}

const selectorOf = ({ pin }: Cluster): string =>
  pin.startsWith('native-') ? pin : pin.slice('ours-'.length);

const stablePodsOf = (c: Cluster): readonly PodView[] => {
  const stable = stableIndex(c);
  return stable < 0 ? [] : nativePods(c, stable);
};

function rolesOf(c: Cluster, canary: number) {
  const full = c.replicas > 0 ? templates.map((_, i) => c.native[i] === 'full') : [];
  const active = templates.flatMap((_, i) => (full[i] === true ? [nativeSet(i, c.replicas)] : []));
  const wanted = canary >= 0 ? canary : c.template;
  const isTwin = c.native[wanted] === 'empty' || (c.native[wanted] === 'full' && c.replicas === 0);
  return {
    stable: active[0],
    canary: canary < 0 ? undefined : ourSet(c, canary),
    leftovers: templates.flatMap((_, i) =>
      i !== canary && oursAt(c, i)?.kind === 'bare' ? [ourSet(c, i)] : [],
    ),
    twins: isTwin ? [nativeSet(wanted, 0)] : [],
    active,
  };
}

function deploymentOf(c: Cluster) {
  const mark = `${hashOf(c.mark)}${c.markAttempt === 1 ? '' : ` attempt=${c.markAttempt}`}`;
  const annotations = {
    ...(c.optedIn ? { 'haldane.dev/enabled': 'true' } : {}),
    ...(c.mark < 0 ? {} : { 'haldane.dev/rollout': mark }),
    ...(c.rejected === 0 ? {} : { 'haldane.dev/rejected': '[]' }),
    ...(c.pausedAtRest ? { 'haldane.dev/original-progress-deadline': '600' } : {}),
    ...(c.request === undefined ? {} : { 'haldane.dev/request': 'one' }),
  };
  return aDeployment({
    annotations,
    replicas: c.replicas,
    paused: c.paused,
    templateHash: hashOf(c.template),
    available: stablePodsOf(c).length,
    conditions: [conditions[c.progressing](hashOf(c.succeeded))],
  });
}

const conditions = {
  native: () => ({ type: 'Progressing', status: 'True', reason: 'NewReplicaSetAvailable' }),
  paused: () => ({ type: 'Progressing', status: 'Unknown', reason: 'DeploymentPaused' }),
  rejected: () => ({ type: 'Progressing', status: 'False', reason: 'ProgressDeadlineExceeded' }),
  succeeded: (message: string) => ({
    type: 'Progressing',
    status: 'True',
    reason: 'NewReplicaSetAvailable',
    message,
  }),
} as const;

const requestOf = ({ request }: Cluster): Snapshot['request'] =>
  request === undefined
    ? undefined
    : {
        verb: request.verb,
        revision: hashOf(request.of),
        step: request.step < 0 ? undefined : request.step,
        id: requestId,
        by: 'somebody',
      };

export function routeOf(c: Cluster): Partial<Snapshot> {
  const refusal = c.route.startsWith('refused') ? 'ResolvedRefs: no such Service' : undefined;
  const accepted = c.route === 'accepted' || c.route === 'in-force';
  const canaryService = c.record < 0 ? undefined : `web-canary-${hashOf(c.record)}`;
  const isSick = c.routeMark === 'sick' || c.routeMark === 'overdue';
  const isHand = c.routeMark === 'hand';
  const mark: RouteMark = {
    kind: isSick ? 'flinch' : isHand ? 'fenced' : (c.routeMark as 'rejected'),
    revision: hashOf(c.markOf),
    rule: isHand ? 'weightChangedByHand' : 'evidenceWorse',
    because: 'worse',
    at: ['sick', 'fenced', 'hand'].includes(c.routeMark) ? now : long,
    ...(isSick ? { pod } : {}),
    ...(c.markFrom < 0 ? {} : { from: percent(c.markFrom) }),
  };
  const recorded = stateAt(c, canaryIndex(c));
  const raise =
    c.made && recorded !== undefined
      ? { to: percent(targetOf(recorded)), recordedAt: long }
      : undefined;
  const record = {
    deploymentUid: uid,
    revision: hashOf(c.record),
    service: 'web',
    canaryService: canaryService ?? '',
    mark: c.routeMark === '' ? undefined : mark,
    raise,
  };
  return {
    route: aRoute({
      accepted,
      refusal,
      canaryService,
      weight: percent(c.weight),
      record: c.record < 0 ? undefined : record,
    }),
    routeAcceptedSince: accepted ? (c.route === 'in-force' ? long : now) : undefined,
    routeRefusedSince: c.route === 'refused-long' ? long : now,
  };
}

/** As the controller sees it: a pod that is gone begins the way back. */
function seenRestart(c: Cluster, recorded: Recorded): Recorded {
  const isSick = c.routeMark === 'sick' || c.routeMark === 'overdue';
  const restarted = recorded.restarted || (isSick && c.podRestarted);
  return restarted ? { ...recorded, restarted } : recorded;
}

function flinchOf({ flinch }: Cluster): Snapshot['flinch'] {
  if (flinch === 'lower') return { kind: 'lower', to: 5 as Percent, because: 'suspicious' };
  return flinch === 'return' ? { kind: 'return', because: 'over' } : undefined;
}
