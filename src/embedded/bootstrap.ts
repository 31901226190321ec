import type { ApiServer } from './api-server.ts';
import type { JsonObject } from './json.ts';

const options = { manager: 'embedded' };

/**
 * What every cluster has from the start: namespaces, the API's own Service, the all-powerful
 * role.
 */
export function bootstrap(server: ApiServer): void {
  const create = (groupVersion: string, plural: string, namespace: string, body: JsonObject) =>
    server.objects.create(server.resource(groupVersion, plural), namespace, body, options);
  for (const name of ['default', 'kube-system', 'kube-public', 'kube-node-lease'])
    create('v1', 'namespaces', '', { metadata: { name } });
  create('v1', 'services', 'default', {
    metadata: { name: 'kubernetes', labels: { component: 'apiserver', provider: 'kubernetes' } },
    spec: { clusterIP: '10.96.0.1', ports: [{ name: 'https', port: 443, targetPort: 6443 }] },
  });
  create('rbac.authorization.k8s.io/v1', 'clusterroles', '', {
    metadata: { name: 'cluster-admin' },
    rules: [
      { apiGroups: ['*'], resources: ['*'], verbs: ['*'] },
      { nonResourceURLs: ['*'], verbs: ['*'] },
    ],
  });
  create('rbac.authorization.k8s.io/v1', 'clusterrolebindings', '', {
    metadata: { name: 'cluster-admin' },
    roleRef: { kind: 'ClusterRole', name: 'cluster-admin' },
    subjects: [{ kind: 'Group', name: 'system:masters' }],
  });
}
