import type { JsonObject } from '../../../src/embedded/json.ts';
import { mergePatch } from '../../../src/embedded/merge-patch.ts';

// Objects that are valid as they are; `change` is merged in.

const changed = (object: JsonObject, change: JsonObject): JsonObject =>
  mergePatch(object, change) as JsonObject;

export const aConfigMap = (name: string, change: JsonObject = {}): JsonObject =>
  changed({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data: { a: '1' } }, change);

export const aPodSpec = (image = 'shop/web:v1'): JsonObject => ({
  containers: [{ name: 'web', image }],
});

export const aDeployment = (name: string, change: JsonObject = {}): JsonObject =>
  changed(
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name },
      spec: {
        replicas: 2,
        selector: { matchLabels: { app: name } },
        template: { metadata: { labels: { app: name } }, spec: aPodSpec() },
      },
    },
    change,
  );

/** A ReplicaSet with the labels and the template of a Deployment of the same app. */
export const aReplicaSet = (name: string, app: string, change: JsonObject = {}): JsonObject =>
  changed(
    {
      apiVersion: 'apps/v1',
      kind: 'ReplicaSet',
      metadata: { name },
      spec: {
        replicas: 0,
        selector: { matchLabels: { app, set: name } },
        template: { metadata: { labels: { app, set: name } }, spec: aPodSpec() },
      },
    },
    change,
  );

export const aPod = (name: string, change: JsonObject = {}): JsonObject =>
  changed(
    { apiVersion: 'v1', kind: 'Pod', metadata: { name, labels: { app: name } }, spec: aPodSpec() },
    change,
  );

export const aService = (name: string, change: JsonObject = {}): JsonObject =>
  changed(
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name },
      spec: { selector: { app: name }, ports: [{ port: 80, targetPort: 8080 }] },
    },
    change,
  );

export const aRoute = (
  name: string,
  backendRefs: readonly JsonObject[],
  change: JsonObject = {},
): JsonObject =>
  changed(
    {
      apiVersion: 'gateway.networking.k8s.io/v1',
      kind: 'HTTPRoute',
      metadata: { name },
      spec: {
        parentRefs: [{ name: 'web' }],
        hostnames: [`${name}.test`],
        rules: [{ backendRefs }],
      },
    },
    change,
  );

export const aLease = (name: string, change: JsonObject = {}): JsonObject =>
  changed(
    {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { name },
      spec: {
        holderIdentity: 'a',
        leaseDurationSeconds: 15,
        renewTime: '2026-01-01T00:00:00.000000Z',
      },
    },
    change,
  );
