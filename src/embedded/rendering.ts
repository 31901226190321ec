import { asString, type JsonObject } from './json.ts';
import type { KubernetesObject, Resource } from './resource.ts';

/**
 * An object as the clients of one API group see it: events are kept in core form and served in
 * two.
 */
export function render(resource: Resource, object: KubernetesObject): JsonObject {
  return resource.storedAs === undefined ? object : toNewEvent(object);
}

const defined = (fields: JsonObject): JsonObject =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));

function toNewEvent(event: JsonObject): JsonObject {
  const {
    involvedObject,
    message,
    source,
    firstTimestamp,
    lastTimestamp,
    count,
    reportingComponent,
    reportingInstance,
    apiVersion: _v,
    ...rest
  } = event;
  return defined({
    ...rest,
    apiVersion: 'events.k8s.io/v1',
    regarding: involvedObject,
    note: message,
    reportingController: asString(reportingComponent) || undefined,
    reportingInstance: asString(reportingInstance) || undefined,
    deprecatedSource: source,
    deprecatedFirstTimestamp: firstTimestamp,
    deprecatedLastTimestamp: lastTimestamp,
    deprecatedCount: count,
  });
}

/** An event of either group in its core form. */
export function toCoreEvent(event: JsonObject): JsonObject {
  const {
    regarding,
    note,
    deprecatedSource,
    deprecatedFirstTimestamp,
    deprecatedLastTimestamp,
    deprecatedCount,
    reportingController,
    apiVersion: _v,
    ...rest
  } = event;
  return defined({
    ...rest,
    apiVersion: 'v1',
    involvedObject: regarding,
    message: note,
    source: deprecatedSource ?? {},
    firstTimestamp: deprecatedFirstTimestamp,
    lastTimestamp: deprecatedLastTimestamp,
    count: deprecatedCount,
    reportingComponent: reportingController ?? '',
    reportingInstance: rest.reportingInstance ?? '',
  });
}
