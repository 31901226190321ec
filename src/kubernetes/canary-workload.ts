import type { DeploymentView, ReplicaSetView, ServiceView } from '../rollout/views.ts';
import { canaryForLabel, stateAnnotation } from './objects.ts';
import { type RawObject, recordAt } from './raw-object.ts';
import { withHash } from './template.ts';

// Bodies of the two objects that a rollout adds. Both are owned by the Deployment without
// `controller: true`:
// the garbage collector removes them with it, the Deployment controller leaves them alone
// (mechanism study, claims 3–4).

/**
 * `<app>-canary-<hash>`, one per revision, so that series of two revisions never mix; at most 63
 * characters.
 */
export function canaryServiceName(deployment: string, revision: string): string {
  const suffix = `-canary-${revision}`;
  return `${trimmed(deployment, 63 - suffix.length)}${suffix}`;
}

/**
 * `<app>-<hash>`: another name than a native one, so that a manual resume finds no collision (T9).
 */
export function canaryReplicaSetName(deployment: string, revision: string): string {
  const suffix = `-${revision}`;
  return `${trimmed(deployment, 253 - suffix.length)}${suffix}`;
}

const trimmed = (name: string, length: number) => name.slice(0, length).replace(/[-.]+$/, '');

/**
 * A bare ReplicaSet with the Deployment's template, copied raw, at 0 replicas. Its own labels match
 * no Deployment
 * selector (I5), which is what keeps it from being adopted.
 */
export function canaryReplicaSet(deployment: RawObject, revision: string, state: string): object {
  const spec = recordAt(deployment, 'spec');
  const selector = recordAt(spec, 'selector');
  return {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: {
      name: canaryReplicaSetName(deployment.metadata.name, revision),
      namespace: deployment.metadata.namespace,
      labels: { [canaryForLabel]: deployment.metadata.uid },
      annotations: { [stateAnnotation]: state },
      ownerReferences: [ownerReference(deployment.metadata.name, deployment.metadata.uid ?? '')],
    },
    spec: {
      replicas: 0,
      // T7: adoption would copy it later and make pods unavailable for that time.
      ...(spec['minReadySeconds'] === undefined
        ? {}
        : { minReadySeconds: spec['minReadySeconds'] }),
      selector: {
        ...selector,
        matchLabels: { ...recordAt(selector, 'matchLabels'), 'pod-template-hash': revision },
      },
      template: withHash(spec['template'], revision),
    },
  };
}

/**
 * A ReplicaSet that the Deployment adopts at once and scales itself: for a Deployment that nothing
 * serves (T4, T6).
 */
export function firstReplicaSet(deployment: RawObject, revision: string): object {
  const body = canaryReplicaSet(deployment, revision, '') as RawObject & { readonly spec: object };
  const template = recordAt(recordAt(deployment, 'spec'), 'template');
  return {
    ...body,
    metadata: {
      name: body.metadata.name,
      namespace: body.metadata.namespace,
      labels: {
        ...recordAt(recordAt(template, 'metadata'), 'labels'),
        'pod-template-hash': revision,
      },
    },
  };
}

/**
 * What a Service copies from the user's: everything that decides how it is reached, nothing that
 * names it.
 */
const copiedServiceFields = [
  'ipFamilies',
  'ipFamilyPolicy',
  'trafficDistribution',
  'internalTrafficPolicy',
  'sessionAffinity',
  'sessionAffinityConfig',
  'publishNotReadyAddresses',
] as const;

/**
 * The canary's own Service. User labels and annotations are not copied: they would attract monitors
 * and pruning (T19).
 */
export function canaryService(
  user: RawObject,
  deployment: DeploymentView,
  revision: string,
): object {
  const spec = recordAt(user, 'spec');
  const { 'pod-template-hash': _pin, ...selector } = recordAt(spec, 'selector');
  const ports = Array.isArray(spec['ports']) ? (spec['ports'] as Record<string, unknown>[]) : [];
  const copied = copiedServiceFields.filter((field) => spec[field] !== undefined);
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {
      name: canaryServiceName(deployment.name, revision),
      namespace: deployment.namespace,
      labels: { [canaryForLabel]: deployment.uid },
      ownerReferences: [ownerReference(deployment.name, deployment.uid)],
    },
    spec: {
      type: 'ClusterIP',
      ...Object.fromEntries(copied.map((field) => [field, spec[field]])),
      ...(spec['clusterIP'] === 'None' ? { clusterIP: 'None' } : {}),
      selector: { ...selector, 'pod-template-hash': revision },
      ports: ports.map(({ nodePort: _nodePort, ...port }) => port),
    },
  };
}

/** Without `controller` and `blockOwnerDeletion` (T23). */
const ownerReference = (name: string, uid: string) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  name,
  uid,
});

/**
 * The one patch that promotes: labels of the template make the Deployment adopt the ReplicaSet. The
 * annotations keep
 * its first sync from scaling it (T1) and give it the newest revision (T25).
 */
export function adoptionPatch(
  deployment: DeploymentView,
  canary: ReplicaSetView,
  revisionNumber: number,
  state: string,
): object {
  return {
    metadata: {
      labels: {
        ...deployment.templateLabels,
        'pod-template-hash': canary.podHash,
        [canaryForLabel]: null,
      },
      annotations: {
        'deployment.kubernetes.io/desired-replicas': String(deployment.replicas),
        'deployment.kubernetes.io/max-replicas': String(deployment.replicas + deployment.maxSurge),
        'deployment.kubernetes.io/revision': String(revisionNumber),
        [stateAnnotation]: state,
      },
    },
  };
}

/** Whether we generated the Service for this Deployment: by its owner, name and selector. */
export const isCanaryServiceOf = (
  service: ServiceView,
  { name, uid }: Pick<DeploymentView, 'name' | 'uid'>,
): boolean => {
  const revision = service.selector['pod-template-hash'];
  return (
    revision !== undefined &&
    service.ownerUids.includes(uid) &&
    service.name === canaryServiceName(name, revision)
  );
};
