import type { MadeRaise, RouteMark } from '../rollout/views.ts';
import type { RawObject, RouteBinding } from './traffic-provider.ts';

export type Json = null | boolean | number | string | Json[] | { readonly [key: string]: Json };

/** The user's backendRefs of one rule, as they were before we split them. */
export interface SavedRule {
  readonly rule: number;
  readonly backendRefs: Json;
}

/** What we keep on the route itself, so that it can be restored by whoever comes next. */
export type SavedRoute = RouteBinding & {
  readonly saved: readonly SavedRule[];
  readonly mark?: RouteMark;
  readonly raise?: MadeRaise;
};

export const isRecord = (value: unknown): value is RawObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/**
 * One annotation a Deployment: two Deployments may share a route. A uid's first block is unique
 * enough in a namespace.
 */
export const recordKey = (deploymentUid: string): string =>
  `haldane.dev/canary-${deploymentUid.slice(0, 8)}`;

/** Our record for this Deployment; undefined when there is none or it is not ours to trust. */
export function readRecord(raw: RawObject, deploymentUid: string): SavedRoute | undefined {
  const metadata = raw['metadata'];
  const annotations = isRecord(metadata) ? metadata['annotations'] : undefined;
  const text = isRecord(annotations) ? annotations[recordKey(deploymentUid)] : undefined;
  if (typeof text !== 'string') return undefined;
  const value = parse(text);
  if (!isRecord(value) || value['deploymentUid'] !== deploymentUid) return undefined;
  const names = [value['revision'], value['service'], value['canaryService']];
  if (!names.every((name) => typeof name === 'string') || !Array.isArray(value['saved']))
    return undefined;
  return value as unknown as SavedRoute;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** uids of all Deployments that have a record on this route. */
export function recordedUids(raw: RawObject): readonly string[] {
  const metadata = raw['metadata'];
  const annotations =
    isRecord(metadata) && isRecord(metadata['annotations']) ? metadata['annotations'] : {};
  return Object.entries(annotations).flatMap(([key, text]) => {
    if (!key.startsWith('haldane.dev/canary-') || typeof text !== 'string') return [];
    const value = parse(text);
    return isRecord(value) && typeof value['deploymentUid'] === 'string'
      ? [value['deploymentUid']]
      : [];
  });
}

/** The records of all Deployments that can be read. */
export const recordsOf = (raw: RawObject): readonly SavedRoute[] =>
  recordedUids(raw).flatMap((uid) => readRecord(raw, uid) ?? []);
