import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { resources } from '../../../src/kubernetes/resources.ts';
import { readText, root } from '../../tidy/repository.ts';

interface PolicyRule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
  readonly resourceNames?: readonly string[];
}

interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly rules?: readonly PolicyRule[];
  readonly [field: string]: unknown;
}

const folders = ['install', 'install-before-1.36', 'monitoring', 'examples'];
const filesOf = (folder: string): readonly string[] =>
  readdirSync(join(root, 'manifests', folder))
    .filter((name) => name.endsWith('.yaml'))
    .map((name) => `manifests/${folder}/${name}`);

function documents(path: string): readonly Manifest[] {
  return parseAllDocuments(readText(path)).map((document) => {
    if (!('errors' in document)) throw new Error(`${path} is empty`);
    expect(document.errors, path).toEqual([]);
    expect(document.warnings, path).toEqual([]);
    return document.toJS() as Manifest;
  });
}

const isObject = (path: string): boolean => !/\/(kustomization|haldane)\.yaml$/.test(path);
const installed = filesOf('install').filter(isObject).flatMap(documents);
const only = (kind: string): Manifest => {
  const found = installed.filter((one) => one.kind === kind);
  expect(found, kind).toHaveLength(1);
  return found[0] as Manifest;
};

describe.each(folders)('manifests/%s', (folder) => {
  test('parses, and every object has a kind and a name', () => {
    for (const one of filesOf(folder).filter(isObject).flatMap(documents)) {
      expect(one).toMatchObject({ apiVersion: expect.any(String), kind: expect.any(String) });
      expect(one.metadata.name).toMatch(/^[a-z0-9.-]+$/);
    }
  });

  test('its kustomization names every file, and no other', () => {
    const [kustomization] = documents(`manifests/${folder}/kustomization.yaml`);
    const all = (kustomization?.['resources'] ?? []) as string[];
    const named = all.filter((name) => !name.includes('/'));
    const present = filesOf(folder).filter(isObject);
    expect(named.map((name) => `manifests/${folder}/${name}`).sort()).toEqual([...present].sort());
  });
});

describe('what the controller may do', () => {
  /** Every single permission. A new one is a decision: it is written here too. */
  const allowed = [
    'apps/deployments: get list watch patch',
    'apps/deployments/status: patch',
    'apps/replicasets: get list watch create patch delete',
    '/services: get list watch create patch delete',
    '/pods: get list watch',
    'discovery.k8s.io/endpointslices: get list watch',
    'autoscaling/horizontalpodautoscalers: get list watch',
    'gateway.networking.k8s.io/httproutes: get list watch patch',
    '/events: create patch',
    'in haldane: coordination.k8s.io/leases: create',
    'in haldane: coordination.k8s.io/leases haldane: get patch',
  ];
  const granted = installed.flatMap((one) =>
    (one.rules ?? []).flatMap((rule) =>
      rule.apiGroups.flatMap((group) =>
        rule.resources.map((resource) => {
          const where = one.kind === 'Role' ? `in ${one.metadata.namespace}: ` : '';
          const names = rule.resourceNames === undefined ? '' : ` ${rule.resourceNames.join(' ')}`;
          return `${where}${group}/${resource}${names}: ${rule.verbs.join(' ')}`;
        }),
      ),
    ),
  );

  test('is exactly this', () => {
    expect([...granted].sort()).toEqual([...allowed].sort());
  });

  test('has no wildcard, no Secret, no ConfigMap and no way to more', () => {
    expect(granted.join('\n')).not.toMatch(
      /\*|secrets|configmaps|escalate|impersonate|bind|pods\/exec|serviceaccounts|update/,
    );
  });

  test('covers every kind that the code names', () => {
    for (const { group, plural } of Object.values(resources)) {
      expect(
        granted.some((rule) => rule.includes(`${group}/${plural}`)),
        plural,
      ).toBe(true);
    }
  });

  test('is bound to the one ServiceAccount', () => {
    const account = only('ServiceAccount').metadata;
    for (const kind of ['ClusterRoleBinding', 'RoleBinding']) {
      const subject = { kind: 'ServiceAccount', name: account.name, namespace: account.namespace };
      expect(only(kind)['subjects']).toEqual([subject]);
    }
  });
});

describe('the controller itself', () => {
  const deployment = only('Deployment') as unknown as {
    spec: {
      template: {
        spec: {
          serviceAccountName: string;
          securityContext: object;
          containers: {
            name: string;
            args: string[];
            ports: { name: string; containerPort: number }[];
            securityContext: object;
            resources: { requests: object; limits: object };
          }[];
        };
      };
    };
  };
  const pod = deployment.spec.template.spec;
  const [container] = pod.containers;

  test('runs as the restricted Pod Security Standard asks', () => {
    expect(pod.securityContext).toMatchObject({
      runAsNonRoot: true,
      seccompProfile: { type: 'RuntimeDefault' },
    });
    expect(container?.securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    });
    expect(only('Namespace').metadata).toMatchObject({
      labels: { 'pod-security.kubernetes.io/enforce': 'restricted' },
    });
  });

  test('has probes, requests and a memory limit', () => {
    expect(container).toMatchObject({
      startupProbe: { httpGet: { path: '/healthz', port: 'metrics' } },
      livenessProbe: { httpGet: { path: '/healthz', port: 'metrics' } },
      readinessProbe: { httpGet: { path: '/readyz', port: 'metrics' } },
      resources: { requests: { cpu: expect.any(String) }, limits: { memory: expect.any(String) } },
    });
  });

  test('ports, Service and network policy agree', () => {
    const ports = container?.ports.map(({ containerPort }) => containerPort);
    expect(ports).toEqual([8081]);
    const service = only('Service') as unknown as { spec: { ports: { port: number }[] } };
    expect(service.spec.ports.map(({ port }) => port)).toEqual(ports);
    const policy = only('NetworkPolicy') as unknown as {
      spec: { ingress: { ports: { port: number }[] }[] };
    };
    expect(policy.spec.ingress[0]?.ports.map(({ port }) => port)).toEqual(ports);
  });

  test('reads the configuration that is mounted', () => {
    expect(container?.args).toEqual(['controller', '--config', '/etc/haldane/haldane.yaml']);
    expect(pod.serviceAccountName).toBe(only('ServiceAccount').metadata.name);
  });

  test('the image is tagged with the version of the package', () => {
    const { version } = JSON.parse(readText('package.json')) as { version: string };
    expect(container).toMatchObject({ image: `haldane:${version}` });
    expect(readText('manifests/install/kustomization.yaml')).toContain(`newTag: ${version}\n`);
  });
});
