import { type Instant, instant, parseRfc3339 } from '../../lib/units.ts';
import {
  asArray,
  asObject,
  asString,
  equalJson,
  type Json,
  type JsonObject,
  without,
} from '../json.ts';
import type { KubernetesObject, ObjectMeta, OwnerReference, StringMap } from '../resource.ts';

export type Condition = {
  readonly type: string;
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason?: string;
  readonly message?: string;
  readonly lastTransitionTime?: string;
  readonly lastUpdateTime?: string;
};

export type PodTemplate = { readonly metadata?: JsonObject; readonly spec: JsonObject };

export type DeploymentSpec = {
  readonly replicas: number;
  readonly paused?: boolean;
  readonly selector: JsonObject;
  readonly template: PodTemplate;
  readonly strategy: {
    readonly type: string;
    readonly rollingUpdate?: { readonly maxSurge: Json; readonly maxUnavailable: Json };
  };
  readonly minReadySeconds?: number;
  readonly revisionHistoryLimit?: number;
  readonly progressDeadlineSeconds?: number;
};

export type DeploymentStatus = {
  readonly observedGeneration?: number;
  readonly replicas?: number;
  readonly updatedReplicas?: number;
  readonly readyReplicas?: number;
  readonly availableReplicas?: number;
  readonly unavailableReplicas?: number;
  readonly terminatingReplicas?: number;
  readonly collisionCount?: number;
  readonly conditions?: readonly Condition[];
};

export type Deployment = {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: ObjectMeta;
  readonly spec: DeploymentSpec;
  readonly status: DeploymentStatus;
};

export type ReplicaSet = {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: ObjectMeta;
  readonly spec: {
    readonly replicas: number;
    readonly minReadySeconds?: number;
    readonly selector: JsonObject;
    readonly template: PodTemplate;
  };
  readonly status: {
    readonly replicas: number;
    readonly readyReplicas?: number;
    readonly availableReplicas?: number;
    readonly terminatingReplicas?: number;
    readonly observedGeneration?: number;
  };
};

export const hashLabel = 'pod-template-hash';

export const asDeployment = (object: KubernetesObject): Deployment =>
  (object.status === undefined ? { ...object, status: {} } : object) as unknown as Deployment;
export const asReplicaSet = (object: KubernetesObject): ReplicaSet =>
  object as unknown as ReplicaSet;
export const asStored = (object: Deployment | ReplicaSet): KubernetesObject => object;
export const asJson = (object: unknown): JsonObject => object as JsonObject;

/** The one owner that manages an object. */
export const controllerOf = ({
  metadata,
}: {
  readonly metadata: ObjectMeta;
}): OwnerReference | undefined =>
  metadata.ownerReferences?.find((owner) => owner.controller === true);

/** The same pods would come of both templates: everything but the hash label is equal. */
export function equalTemplates(a: PodTemplate, b: PodTemplate): boolean {
  return a === b || (equalJson(a.spec, b.spec) && equalJson(bareTemplate(a), bareTemplate(b)));
}

export function bareTemplate(template: PodTemplate): JsonObject {
  const metadata = asObject(template.metadata);
  const labels = without(asObject(metadata.labels), hashLabel);
  const { labels: _labels, ...rest } = metadata;
  return {
    spec: template.spec,
    metadata: Object.keys(labels).length === 0 ? rest : { ...rest, labels },
  };
}

export const annotation = (
  object: { readonly metadata: ObjectMeta },
  key: string,
): string | undefined => object.metadata.annotations?.[key];

export function withAnnotations<T extends { readonly metadata: ObjectMeta }>(
  object: T,
  annotations: StringMap,
): T {
  return {
    ...object,
    metadata: {
      ...object.metadata,
      annotations: { ...object.metadata.annotations, ...annotations },
    },
  };
}

export const conditionsOf = (object: KubernetesObject): readonly Condition[] =>
  asArray(asObject(object.status).conditions) as unknown as readonly Condition[];

export const isTrue = (object: KubernetesObject, type: string): boolean =>
  conditionsOf(object).some((condition) => condition.type === type && condition.status === 'True');

export const momentOf = (text: string | undefined): Instant =>
  parseRfc3339(text ?? '') ?? instant(0);

export const podPhase = (pod: KubernetesObject): string => asString(asObject(pod.status).phase);
export const isPodReady = (pod: KubernetesObject): boolean => isTrue(pod, 'Ready');
/** Neither ended nor on its way out. */
export const isPodActive = (pod: KubernetesObject): boolean =>
  podPhase(pod) !== 'Succeeded' &&
  podPhase(pod) !== 'Failed' &&
  pod.metadata.deletionTimestamp === undefined;

/** Ready for at least `minReadySeconds`. */
export function isPodAvailable(
  pod: KubernetesObject,
  minReadySeconds: number,
  now: Instant,
): boolean {
  const ready = conditionsOf(pod).find((condition) => condition.type === 'Ready');
  if (ready?.status !== 'True') return false;
  return (
    minReadySeconds === 0 || momentOf(ready.lastTransitionTime) + minReadySeconds * 1000 <= now
  );
}

/** Oldest first; equal times by name. */
export const byCreation = (
  a: { readonly metadata: ObjectMeta },
  b: { readonly metadata: ObjectMeta },
): number =>
  compareText(a.metadata.creationTimestamp, b.metadata.creationTimestamp) ||
  compareText(a.metadata.name, b.metadata.name);

export const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** `key` is `namespace/name`. */
export const keyOf = ({ metadata }: { readonly metadata: ObjectMeta }): string =>
  `${metadata.namespace ?? ''}/${metadata.name}`;
export function splitKey(key: string): { readonly namespace: string; readonly name: string } {
  const at = key.indexOf('/');
  return { namespace: key.slice(0, at), name: key.slice(at + 1) };
}
