import { adjust, adjustItems, fill } from './filling.ts';
import { asString, isObject, type JsonObject } from './json.ts';

/** Defaults of a pod or pod template. Equal templates stay equal: filling twice changes nothing. */
export function defaultPodSpec(given: JsonObject): JsonObject {
  let spec = fill(given, {
    restartPolicy: 'Always',
    dnsPolicy: 'ClusterFirst',
    schedulerName: 'default-scheduler',
    securityContext: {},
    terminationGracePeriodSeconds: 30,
  });
  if (spec.serviceAccountName !== undefined)
    spec = fill(spec, { serviceAccount: spec.serviceAccountName });
  spec = adjustItems(spec, 'initContainers', container);
  spec = adjustItems(spec, 'volumes', volume);
  return adjustItems(spec, 'containers', container);
}

function container(given: JsonObject): JsonObject {
  let result = fill(given, {
    imagePullPolicy: pullPolicy(asString(given.image)),
    resources: {},
    terminationMessagePath: '/dev/termination-log',
    terminationMessagePolicy: 'File',
  });
  result = adjustItems(result, 'ports', (port) => fill(port, { protocol: 'TCP' }));
  result = adjustItems(result, 'env', (entry) =>
    adjust(entry, 'valueFrom', (from) =>
      isObject(from)
        ? adjust(from, 'fieldRef', (ref) => (isObject(ref) ? fill(ref, { apiVersion: 'v1' }) : ref))
        : from,
    ),
  );
  for (const probe of ['readinessProbe', 'livenessProbe', 'startupProbe'])
    result = adjust(result, probe, (p) => (isObject(p) ? probeDefaults(p) : p));
  return result;
}

function pullPolicy(image: string): string {
  const last = image.split('/').at(-1) ?? '';
  return image.includes('@') || (last.includes(':') && !last.endsWith(':latest'))
    ? 'IfNotPresent'
    : 'Always';
}

function probeDefaults(probe: JsonObject): JsonObject {
  const filled = fill(probe, {
    timeoutSeconds: 1,
    periodSeconds: 10,
    successThreshold: 1,
    failureThreshold: 3,
  });
  return adjust(filled, 'httpGet', (get) =>
    isObject(get) ? fill(get, { path: '/', scheme: 'HTTP' }) : get,
  );
}

function volume(given: JsonObject): JsonObject {
  let result = given;
  for (const kind of ['configMap', 'secret', 'projected', 'downwardAPI'])
    result = adjust(result, kind, (v) => (isObject(v) ? fill(v, { defaultMode: 420 }) : v));
  return result;
}
