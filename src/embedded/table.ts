import { type Instant, parseRfc3339 } from '../lib/units.ts';
import {
  asArray,
  asNumber,
  asObject,
  asString,
  type Json,
  type JsonObject,
  valueAt,
} from './json.ts';
import { type KubernetesObject, type Resource } from './resource.ts';
import { selectorText } from './strategy.ts';

type Column = {
  readonly name: string;
  readonly type?: string;
  readonly wide?: boolean;
  readonly cell: (object: JsonObject, now: Instant) => Json;
};

const at =
  (...path: string[]) =>
  (object: JsonObject): Json =>
    valueAt(object, path) ?? '';
const count =
  (...path: string[]) =>
  (object: JsonObject): Json =>
    asNumber(valueAt(object, path));

const name: Column = { name: 'Name', cell: at('metadata', 'name') };
const age: Column = {
  name: 'Age',
  cell: (o, now) => since(asString(asObject(o.metadata).creationTimestamp), now),
};
const numeric = (title: string, ...path: string[]): Column => ({
  name: title,
  type: 'integer',
  cell: count(...path),
});

const templateColumns: readonly Column[] = [
  {
    name: 'Containers',
    wide: true,
    cell: (o) =>
      containers(o)
        .map((c) => asString(c.name))
        .join(','),
  },
  {
    name: 'Images',
    wide: true,
    cell: (o) =>
      containers(o)
        .map((c) => asString(c.image))
        .join(','),
  },
  {
    name: 'Selector',
    wide: true,
    cell: (o) => selectorText(asObject(valueAt(o, ['spec', 'selector']))),
  },
];

const containers = (o: JsonObject) =>
  asArray(valueAt(o, ['spec', 'template', 'spec', 'containers'])).map(asObject);
const keyValues = (map: Json | undefined) =>
  Object.entries(asObject(map))
    .map(([k, v]) => `${k}=${String(v)}`)
    .join(',') || '<none>';
const joined = (list: Json | undefined) => asArray(list).map(String).join(',');

const columns: Readonly<Record<string, readonly Column[]>> = {
  Deployment: [
    name,
    {
      name: 'Ready',
      cell: (o) =>
        ratioText(valueAt(o, ['status', 'readyReplicas']), valueAt(o, ['spec', 'replicas'])),
    },
    numeric('Up-to-date', 'status', 'updatedReplicas'),
    numeric('Available', 'status', 'availableReplicas'),
    age,
    ...templateColumns,
  ],
  ReplicaSet: [
    name,
    numeric('Desired', 'spec', 'replicas'),
    numeric('Current', 'status', 'replicas'),
    numeric('Ready', 'status', 'readyReplicas'),
    age,
    ...templateColumns,
  ],
  Pod: [
    name,
    {
      name: 'Ready',
      cell: (o) =>
        ratioText(
          statuses(o).filter((s) => s.ready === true).length,
          asArray(valueAt(o, ['spec', 'containers'])).length,
        ),
    },
    { name: 'Status', cell: podStatus },
    {
      name: 'Restarts',
      cell: (o) => String(statuses(o).reduce((sum, s) => sum + asNumber(s.restartCount), 0)),
    },
    age,
    { name: 'IP', wide: true, cell: (o) => asString(valueAt(o, ['status', 'podIP'])) || '<none>' },
    {
      name: 'Node',
      wide: true,
      cell: (o) => asString(valueAt(o, ['spec', 'nodeName'])) || '<none>',
    },
    { name: 'Nominated Node', wide: true, cell: () => '<none>' },
    { name: 'Readiness Gates', wide: true, cell: () => '<none>' },
  ],
  Service: [
    name,
    { name: 'Type', cell: at('spec', 'type') },
    { name: 'Cluster-IP', cell: (o) => asString(valueAt(o, ['spec', 'clusterIP'])) || '<none>' },
    { name: 'External-IP', cell: () => '<none>' },
    {
      name: 'Port(s)',
      cell: (o) =>
        asArray(valueAt(o, ['spec', 'ports']))
          .map(asObject)
          .map((p) => `${asNumber(p.port)}/${asString(p.protocol)}`)
          .join(',') || '<none>',
    },
    age,
    { name: 'Selector', wide: true, cell: (o) => keyValues(valueAt(o, ['spec', 'selector'])) },
  ],
  EndpointSlice: [
    name,
    { name: 'AddressType', cell: at('addressType') },
    {
      name: 'Ports',
      cell: (o) =>
        asArray(o.ports)
          .map((p) => String(asObject(p).port))
          .join(',') || '<unset>',
    },
    {
      name: 'Endpoints',
      cell: (o) =>
        asArray(o.endpoints)
          .flatMap((e) => asArray(asObject(e).addresses))
          .join(',') || '<unset>',
    },
    age,
  ],
  Event: [
    {
      name: 'Last Seen',
      cell: (o, now) =>
        since(
          asString(o.lastTimestamp) || asString(o.eventTime) || asString(o.firstTimestamp),
          now,
        ),
    },
    { name: 'Type', cell: at('type') },
    { name: 'Reason', cell: at('reason') },
    {
      name: 'Object',
      cell: (o) => pathText(o, 'involvedObject').replace(/^[^/]*/, (kind) => kind.toLowerCase()),
    },
    { name: 'Subobject', wide: true, cell: at('involvedObject', 'fieldPath') },
    {
      name: 'Source',
      wide: true,
      cell: (o) => asString(valueAt(o, ['source', 'component'])) || asString(o.reportingComponent),
    },
    { name: 'Message', cell: (o) => asString(o.message).trim() },
    {
      name: 'First Seen',
      wide: true,
      cell: (o, now) => since(asString(o.firstTimestamp) || asString(o.eventTime), now),
    },
    { name: 'Count', wide: true, cell: (o) => String(asNumber(o.count, 1)) },
    { name: 'Name', wide: true, cell: at('metadata', 'name') },
  ],
  Lease: [name, { name: 'Holder', cell: at('spec', 'holderIdentity') }, age],
  ConfigMap: [
    name,
    { name: 'Data', type: 'integer', cell: (o) => Object.keys(asObject(o.data)).length },
    age,
  ],
  ServiceAccount: [name, age],
  Namespace: [name, { name: 'Status', cell: at('status', 'phase') }, age],
  Node: [
    name,
    { name: 'Status', cell: () => 'Ready' },
    { name: 'Roles', cell: () => '<none>' },
    age,
    { name: 'Version', cell: at('status', 'nodeInfo', 'kubeletVersion') },
  ],
  HorizontalPodAutoscaler: [
    name,
    {
      name: 'Reference',
      cell: (o) => pathText(o, 'spec', 'scaleTargetRef'),
    },
    { name: 'Targets', cell: () => '<unknown>' },
    { name: 'MinPods', cell: (o) => String(asNumber(valueAt(o, ['spec', 'minReplicas']))) },
    { name: 'MaxPods', cell: (o) => String(asNumber(valueAt(o, ['spec', 'maxReplicas']))) },
    numeric('Replicas', 'status', 'currentReplicas'),
    age,
  ],
  HTTPRoute: [
    name,
    { name: 'Hostnames', cell: (o) => JSON.stringify(asArray(valueAt(o, ['spec', 'hostnames']))) },
    age,
  ],
  Gateway: [
    name,
    { name: 'Class', cell: at('spec', 'gatewayClassName') },
    {
      name: 'Address',
      cell: (o) =>
        joined(asArray(valueAt(o, ['status', 'addresses'])).map((a) => asObject(a).value ?? '')),
    },
    {
      name: 'Programmed',
      cell: (o) =>
        asString(
          asArray(valueAt(o, ['status', 'conditions']))
            .map(asObject)
            .find((c) => c.type === 'Programmed')?.status,
        ) || 'Unknown',
    },
    age,
  ],
};

const ratioText = (part: Json | undefined, whole: Json | undefined) =>
  `${asNumber(part)}/${asNumber(whole)}`;

/** `Kind/name` of a reference. */
function pathText(o: JsonObject, ...path: string[]): string {
  const reference = asObject(valueAt(o, path));
  return `${asString(reference.kind)}/${asString(reference.name)}`;
}

const generic: readonly Column[] = [
  name,
  { name: 'Created At', type: 'date', cell: at('metadata', 'creationTimestamp') },
];
const customColumns: readonly Column[] = [name, age];

const statuses = (o: JsonObject) =>
  asArray(valueAt(o, ['status', 'containerStatuses'])).map(asObject);

function podStatus(o: JsonObject): Json {
  if (asObject(o.metadata).deletionTimestamp !== undefined) return 'Terminating';
  for (const status of statuses(o)) {
    const reason =
      valueAt(status, ['state', 'waiting', 'reason']) ??
      valueAt(status, ['state', 'terminated', 'reason']);
    if (typeof reason === 'string' && reason !== '') return reason;
  }
  return asString(valueAt(o, ['status', 'reason'])) || asString(valueAt(o, ['status', 'phase']));
}

function since(text: string, now: Instant): string {
  const then = parseRfc3339(text);
  if (then === undefined) return '<unknown>';
  return briefSpan(Math.max(0, Math.floor((now - then) / 1000)));
}

/** `45s`, `3m20s`, `17m`, `5h12m`, `3d4h`: a span as kubectl writes it. */
export function briefSpan(seconds: number): string {
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  const days = Math.floor(hours / 24);
  const pair = (big: number, unit: string, small: number, smallUnit: string) =>
    small === 0 ? `${big}${unit}` : `${big}${unit}${small}${smallUnit}`;
  if (seconds < 120) return `${seconds}s`;
  if (minutes < 10) return pair(minutes, 'm', seconds % 60, 's');
  if (minutes < 180) return `${minutes}m`;
  if (hours < 8) return pair(hours, 'h', minutes % 60, 'm');
  if (hours < 48) return `${hours}h`;
  if (days < 8) return pair(days, 'd', hours % 24, 'h');
  return days < 730 ? `${days}d` : pair(Math.floor(days / 365), 'y', days % 365, 'd');
}

export type TableOptions = { readonly includeObject: string; readonly now: Instant };

/** The `Table` form that `kubectl get` prints. */
export function tableBody(
  resource: Resource,
  objects: readonly KubernetesObject[],
  metadata: JsonObject,
  options: TableOptions,
): JsonObject {
  const shown = columns[resource.kind] ?? (resource.custom ? customColumns : generic);
  return {
    kind: 'Table',
    apiVersion: 'meta.k8s.io/v1',
    metadata,
    columnDefinitions: shown.map((column) => ({
      name: column.name,
      type: column.type ?? 'string',
      format: column === name ? 'name' : '',
      description: column.name,
      priority: column.wide === true ? 1 : 0,
    })),
    rows: objects.map((object) => ({
      cells: shown.map((column) => column.cell(object as JsonObject, options.now)),
      ...rowObject(object, options.includeObject),
    })),
  };
}

function rowObject(object: KubernetesObject, include: string): JsonObject {
  if (include === 'None') return {};
  if (include === 'Object') return { object: object };
  return {
    object: {
      kind: 'PartialObjectMetadata',
      apiVersion: 'meta.k8s.io/v1',
      metadata: object.metadata as JsonObject,
    },
  };
}
