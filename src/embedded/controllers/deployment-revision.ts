import { canonicalJson } from '../json.ts';
import { shortHash } from '../naming.ts';
import type { Resource, StringMap } from '../resource.ts';
import { ApiFailure } from '../status.ts';
import { type ControllerContext, managerOptions, targetOf } from './context.ts';
import {
  desiredAnnotation,
  findNew,
  maxAnnotation,
  maxSurge,
  newSetSize,
  revisionAnnotation,
  revisionHistoryAnnotation,
  revisionOf,
} from './deployment-replica-sets.ts';
import { hasDeadline, progressing, reasons, setCondition } from './deployment-status.ts';
import {
  annotation,
  asJson,
  asReplicaSet,
  asStored,
  bareTemplate,
  type Deployment,
  type DeploymentStatus,
  equalTemplates,
  hashLabel,
  type ReplicaSet,
  withAnnotations,
} from './objects.ts';
import { controlledBy } from './ownership.ts';

// Never copied from a Deployment to its ReplicaSets.
const ownAnnotations = new Set([
  'kubectl.kubernetes.io/last-applied-configuration',
  revisionAnnotation,
  revisionHistoryAnnotation,
  desiredAnnotation,
  maxAnnotation,
  'deprecated.deployment.rollback.to',
]);

export type StatusChange = {
  readonly status?: DeploymentStatus;
  readonly annotations?: StringMap;
};

type UpdateStatus = (d: Deployment, change: StatusChange) => Deployment;

type Parts = {
  readonly context: ControllerContext;
  readonly sets: Resource;
  readonly updateStatus: UpdateStatus;
};

export type Found = { readonly deployment: Deployment; readonly newSet: ReplicaSet | undefined };

/** Annotations that the new ReplicaSet should carry besides those it has. */
function wantedAnnotations(d: Deployment, rs: ReplicaSet | undefined, revision: number): StringMap {
  const wanted: Record<string, string> = {};
  for (const [key, value] of Object.entries(d.metadata.annotations ?? {}))
    if (!ownAnnotations.has(key) && rs?.metadata.annotations?.[key] !== value) wanted[key] = value;
  const old = rs === undefined ? undefined : annotation(rs, revisionAnnotation);
  if (rs !== undefined && revisionOf(rs) >= revision) return wanted;
  wanted[revisionAnnotation] = String(revision);
  if (old !== undefined) {
    // A ReplicaSet that comes back keeps the numbers under which it served before.
    const history =
      (rs === undefined ? undefined : annotation(rs, revisionHistoryAnnotation)) ?? '';
    wanted[revisionHistoryAnnotation] = [...history.split(',').filter((r) => r !== ''), old].join(
      ',',
    );
  }
  return wanted;
}

/**
 * The ReplicaSet with the Deployment's template, brought up to date, or created where that is
 * asked for.
 */
export function syncNewSet(
  parts: Parts,
  d: Deployment,
  all: readonly ReplicaSet[],
  create: boolean,
): Found {
  const existing = findNew(d, all);
  const revision = Math.max(0, ...all.filter((rs) => rs !== existing).map(revisionOf)) + 1;
  if (existing !== undefined) return updateExisting(parts, d, existing, revision);
  return create ? createNewSet(parts, d, all, revision) : { deployment: d, newSet: undefined };
}

function updateExisting(
  { context, sets, updateStatus }: Parts,
  d: Deployment,
  rs: ReplicaSet,
  revision: number,
): Found {
  const annotations = wantedAnnotations(d, rs, revision);
  const { minReadySeconds } = d.spec;
  if (
    Object.keys(annotations).length > 0 ||
    (rs.spec.minReadySeconds ?? 0) !== (minReadySeconds ?? 0)
  ) {
    const { minReadySeconds: _old, ...spec } = rs.spec;
    const changed = withAnnotations(
      { ...rs, spec: minReadySeconds === undefined ? spec : { ...spec, minReadySeconds } },
      annotations,
    );
    const stored = context.server.objects.update(
      targetOf(sets, asStored(rs)),
      asJson(changed),
      managerOptions,
    );
    return { deployment: d, newSet: asReplicaSet(stored) };
  }
  const known = annotation(rs, revisionAnnotation);
  const renumbered = known !== undefined && annotation(d, revisionAnnotation) !== known;
  const unnoticed = hasDeadline(d) && progressing(d.status) === undefined;
  if (!renumbered && !unnoticed) return { deployment: d, newSet: rs };
  const deployment = updateStatus(d, {
    ...(renumbered ? { annotations: { [revisionAnnotation]: known } } : {}),
    ...(unnoticed
      ? {
          status: noted(
            d,
            reasons.found,
            `Found new replica set "${rs.metadata.name}"`,
            context.server.objects.now(),
          ),
        }
      : {}),
  });
  return { deployment, newSet: rs };
}

const noted = (d: Deployment, reason: string, message: string, now: string): DeploymentStatus => ({
  ...d.status,
  conditions: setCondition(
    d.status.conditions ?? [],
    { type: 'Progressing', status: 'True', reason, message },
    now,
  ),
});

function createNewSet(
  { context, sets, updateStatus }: Parts,
  d: Deployment,
  all: readonly ReplicaSet[],
  revision: number,
): Found {
  const { server, events } = context;
  const hash = shortHash(
    canonicalJson(bareTemplate(d.spec.template)) + String(d.status.collisionCount ?? ''),
  );
  const replicas = newSetSize(d, all, 0);
  const body = newSetBody(d, hash, replicas, wantedAnnotations(d, undefined, revision));
  let created: ReplicaSet;
  try {
    created = asReplicaSet(
      server.objects.create(sets, d.metadata.namespace ?? '', asJson(body), managerOptions),
    );
  } catch (error) {
    if (!(error instanceof ApiFailure) || error.reason !== 'AlreadyExists') throw error;
    const other = server.objects.find({
      resource: sets,
      namespace: d.metadata.namespace ?? '',
      name: body.metadata.name,
    });
    if (other !== undefined && !equalTemplates(asReplicaSet(other).spec.template, d.spec.template))
      updateStatus(d, {
        status: { ...d.status, collisionCount: (d.status.collisionCount ?? 0) + 1 },
      });
    throw error;
  }
  if (replicas > 0)
    events.record(
      asStored(d),
      'ScalingReplicaSet',
      `Scaled up replica set ${body.metadata.name} from 0 to ${replicas}`,
      'deployment-controller',
    );
  const deployment = updateStatus(d, {
    annotations: { [revisionAnnotation]: String(revision) },
    ...(hasDeadline(d)
      ? {
          status: noted(
            d,
            reasons.created,
            `Created new replica set "${body.metadata.name}"`,
            server.objects.now(),
          ),
        }
      : {}),
  });
  return { deployment, newSet: created };
}

function newSetBody(d: Deployment, hash: string, replicas: number, annotations: StringMap) {
  const metadata = d.spec.template.metadata ?? {};
  const labels = { ...(metadata.labels as StringMap | undefined), [hashLabel]: hash };
  const { selector, minReadySeconds } = d.spec;
  return {
    metadata: {
      name: `${d.metadata.name}-${hash}`,
      labels,
      ownerReferences: [controlledBy(asStored(d))],
      annotations: {
        ...annotations,
        [desiredAnnotation]: String(d.spec.replicas),
        [maxAnnotation]: String(d.spec.replicas + maxSurge(d)),
      },
    },
    spec: {
      replicas,
      ...(minReadySeconds === undefined ? {} : { minReadySeconds }),
      selector: {
        ...selector,
        matchLabels: { ...(selector.matchLabels as StringMap | undefined), [hashLabel]: hash },
      },
      template: { ...d.spec.template, metadata: { ...metadata, labels } },
    },
  };
}
