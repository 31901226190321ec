import { parseRfc3339 } from '../lib/units.ts';
import type { AutoscalerMetric, AutoscalerView } from '../rollout/autoscaler.ts';
import type {
  ConditionView,
  DeploymentView,
  EndpointSliceView,
  ObjectView,
  PodTrouble,
  PodView,
  ReplicaSetView,
  ServiceView,
} from '../rollout/views.ts';
import { podLife } from './pod-life.ts';
import { isRecord, type JsonRecord, listAt, type RawObject, recordAt } from './raw-object.ts';
import { templateHash } from './template.ts';

// Raw JSON to slim views. Fresh objects on purpose: nothing of the page they came from stays in
// memory.

const ours = 'haldane.dev/';
export const revisionAnnotation = 'deployment.kubernetes.io/revision';
const podHashLabel = 'pod-template-hash';
export const canaryForLabel = 'haldane.dev/canary-for';
export const stateAnnotation = 'haldane.dev/state';

export function deploymentView(raw: RawObject): DeploymentView {
  const spec = recordAt(raw, 'spec');
  const status = recordAt(raw, 'status');
  const replicas = numberAt(spec, 'replicas', 1);
  const template = recordAt(spec, 'template');
  const strategy = recordAt(spec, 'strategy');
  const deadline = spec['progressDeadlineSeconds'];
  return {
    ...objectView(raw),
    generation: raw.metadata.generation ?? 0,
    observedGeneration: numberAt(status, 'observedGeneration', 0),
    deleting: raw.metadata.deletionTimestamp !== undefined,
    replicas,
    paused: spec['paused'] === true,
    progressDeadlineSeconds: typeof deadline === 'number' ? deadline : undefined,
    minReadySeconds: numberAt(spec, 'minReadySeconds', 0),
    strategy: strategy['type'] === 'Recreate' ? 'Recreate' : 'RollingUpdate',
    maxSurge: surge(recordAt(strategy, 'rollingUpdate')['maxSurge'], replicas),
    selector: recordAt(spec, 'selector'),
    templateHash: templateHash(template),
    templateLabels: stringsAt(recordAt(template, 'metadata'), 'labels'),
    images: imagesOf(template),
    available: numberAt(status, 'availableReplicas', 0),
    updated: numberAt(status, 'updatedReplicas', 0),
    conditions: listAt(status, 'conditions').map(conditionView),
  };
}

export function replicaSetView(raw: RawObject): ReplicaSetView {
  const spec = recordAt(raw, 'spec');
  const status = recordAt(raw, 'status');
  const template = recordAt(spec, 'template');
  const owner = (raw.metadata.ownerReferences ?? []).find((ref) => ref.controller === true);
  const selected = stringsAt(recordAt(spec, 'selector'), 'matchLabels');
  const kept = pick(raw.metadata.labels ?? {}, (key) => key.startsWith(ours));
  return {
    ...objectView(raw),
    createdAt: raw.metadata.creationTimestamp ?? '',
    controllerUid: owner?.uid,
    ownerUids: (raw.metadata.ownerReferences ?? []).map((ref) => ref.uid),
    labels: kept,
    podHash: selected[podHashLabel] ?? '',
    templateHash: templateHash(template),
    images: imagesOf(template),
    replicas: numberAt(spec, 'replicas', 1),
    statusReplicas: numberAt(status, 'replicas', 0),
    available: numberAt(status, 'availableReplicas', 0),
    deleting: raw.metadata.deletionTimestamp !== undefined,
  };
}

export function serviceView(raw: RawObject): ServiceView {
  const spec = recordAt(raw, 'spec');
  return {
    ...objectView(raw),
    selector: stringsAt(spec, 'selector'),
    ports: listAt(spec, 'ports').map((port) => numberAt(port, 'port', 0)),
    ownerUids: (raw.metadata.ownerReferences ?? []).map((ref) => ref.uid),
  };
}

export function endpointSliceView(raw: RawObject): EndpointSliceView {
  const ready = listAt(raw, 'endpoints').flatMap((endpoint) => {
    const conditions = recordAt(endpoint, 'conditions');
    const target = recordAt(endpoint, 'targetRef');
    // A missing `ready` means ready (EndpointConditions); one that terminates is not ready.
    return conditions['ready'] !== false && typeof target['uid'] === 'string'
      ? [target['uid']]
      : [];
  });
  return {
    ...objectView(raw),
    service: raw.metadata.labels?.['kubernetes.io/service-name'] ?? '',
    readyPodUids: ready,
  };
}

export function podView(raw: RawObject): PodView {
  const status = recordAt(raw, 'status');
  const conditions = listAt(status, 'conditions').map(conditionView);
  const containers = [
    ...listAt(status, 'initContainerStatuses'),
    ...listAt(status, 'containerStatuses'),
  ];
  const scheduled = conditions.find((c) => c.type === 'PodScheduled');
  return {
    ...objectView(raw),
    podHash: raw.metadata.labels?.[podHashLabel],
    labels: raw.metadata.labels ?? {},
    ready: conditions.some((c) => c.type === 'Ready' && c.status === 'True'),
    deleting: raw.metadata.deletionTimestamp !== undefined,
    restarts: containers.reduce(
      (sum, container) => sum + numberAt(container, 'restartCount', 0),
      0,
    ),
    ...podLife(raw),
    trouble: containers.map(troubleOf).find((found) => found !== undefined),
    unschedulable:
      scheduled?.status === 'False' ? (scheduled.message ?? scheduled.reason) : undefined,
  };
}

export function autoscalerView(raw: RawObject): AutoscalerView {
  const spec = recordAt(raw, 'spec');
  const target = recordAt(spec, 'scaleTargetRef');
  return {
    name: raw.metadata.name,
    target: { kind: String(target['kind']), name: String(target['name']) },
    metrics: listAt(spec, 'metrics').map(autoscalerMetric),
    minReplicas: numberAt(spec, 'minReplicas', 1),
    maxReplicas: numberAt(spec, 'maxReplicas', 1),
  };
}

/** Each type keeps its details under its own name in camelCase (autoscaling/v2 MetricSpec). */
function autoscalerMetric(metric: JsonRecord): AutoscalerMetric {
  const type = String(metric['type']);
  const details = recordAt(metric, type.charAt(0).toLowerCase() + type.slice(1));
  const name = details['name'] ?? recordAt(details, 'metric')['name'];
  return { type, name: String(name), target: String(recordAt(details, 'target')['type']) };
}

/** Waiting reasons that time alone does not end. */
const imageReasons = new Set([
  'ErrImagePull',
  'ImagePullBackOff',
  'InvalidImageName',
  'ErrImageNeverPull',
]);
const configReasons = new Set([
  'CreateContainerConfigError',
  'CreateContainerError',
  'RunContainerError',
]);

/** What stops a container, from its state and its last termination; undefined while it is well. */
function troubleOf(container: JsonRecord): PodTrouble | undefined {
  const name = String(container['name']);
  const waiting = recordAt(recordAt(container, 'state'), 'waiting');
  const reason = typeof waiting['reason'] === 'string' ? waiting['reason'] : '';
  const said =
    typeof waiting['message'] === 'string' ? `: ${waiting['message'].slice(0, 200)}` : '';
  if (imageReasons.has(reason)) {
    return { kind: 'image-pull', message: `container ${name}: ${reason}${said}` };
  }
  if (configReasons.has(reason)) {
    return { kind: 'config', message: `container ${name}: ${reason}${said}` };
  }
  const ended =
    terminated(container, 'state') ??
    (numberAt(container, 'restartCount', 0) > 0 ? terminated(container, 'lastState') : undefined);
  if (ended?.['reason'] === 'OOMKilled') {
    return {
      kind: 'out-of-memory',
      message: `container ${name} was killed: out of memory (OOMKilled)`,
      ...endOf(ended),
    };
  }
  if (ended !== undefined || reason === 'CrashLoopBackOff') {
    const code = ended?.['exitCode'];
    const exit = typeof code === 'number' ? ` with exit code ${code}` : '';
    const loop = reason === 'CrashLoopBackOff' ? ', CrashLoopBackOff' : '';
    const message = `container ${name} crashed${exit}${loop}`;
    return { kind: 'crashed', message, ...endOf(ended) };
  }
  return undefined;
}

function endOf(ended: JsonRecord | undefined): Pick<PodTrouble, 'endedAt'> {
  const said = ended?.['finishedAt'];
  const endedAt = typeof said === 'string' ? parseRfc3339(said) : undefined;
  return endedAt === undefined ? {} : { endedAt };
}

/** A termination with a non-zero exit; a container that ended well has not crashed. */
function terminated(container: JsonRecord, where: 'state' | 'lastState'): JsonRecord | undefined {
  const ended = recordAt(container, where)['terminated'];
  return isRecord(ended) && ended['exitCode'] !== 0 ? ended : undefined;
}

export function objectView(raw: RawObject): ObjectView {
  return {
    namespace: raw.metadata.namespace ?? '',
    name: raw.metadata.name,
    uid: raw.metadata.uid ?? '',
    resourceVersion: raw.metadata.resourceVersion ?? '',
    annotations: pick(
      raw.metadata.annotations ?? {},
      (key) => key.startsWith(ours) || key === revisionAnnotation,
    ),
  };
}

function conditionView(condition: JsonRecord): ConditionView {
  const text = (key: string) => (typeof condition[key] === 'string' ? condition[key] : undefined);
  const [reason, message] = [text('reason'), text('message')];
  return {
    type: text('type') ?? '',
    status: text('status') ?? '',
    ...(reason === undefined ? {} : { reason }),
    ...(message === undefined ? {} : { message }),
  };
}

function imagesOf(template: JsonRecord): Readonly<Record<string, string>> {
  const containers = listAt(recordAt(template, 'spec'), 'containers');
  return Object.fromEntries(containers.map((c) => [String(c['name']), String(c['image'] ?? '')]));
}

/**
 * `maxSurge` as the Deployment controller resolves it: percent of replicas, rounded up; 25 % by
 * default.
 */
function surge(value: unknown, replicas: number): number {
  if (typeof value === 'number') return value;
  const share = typeof value === 'string' ? Number.parseInt(value, 10) : 25;
  return Math.ceil((replicas * (Number.isFinite(share) ? share : 25)) / 100);
}

const numberAt = (value: JsonRecord, key: string, otherwise: number): number =>
  typeof value[key] === 'number' ? value[key] : otherwise;
const stringsAt = (value: JsonRecord, key: string): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(recordAt(value, key)).filter(
      (entry): entry is [string, string] => typeof entry[1] === 'string',
    ),
  );
const pick = (values: Readonly<Record<string, string>>, keep: (key: string) => boolean) =>
  Object.fromEntries(Object.entries(values).filter(([key]) => keep(key)));
