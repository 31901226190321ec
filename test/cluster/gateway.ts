import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Api, KubernetesObject } from './api.ts';
import { clusterWide } from './resources.ts';

interface Definition extends KubernetesObject {
  readonly status?: {
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
  };
}

export const gatewayClass = 'traefik';

/** Installs the Gateway API definitions and waits until the API server serves them. */
export async function installDefinitions(api: Api, folder: string): Promise<void> {
  const files = (await readdir(folder)).filter((name) => name.endsWith('.yaml'));
  const kind = 'customresourcedefinitions';
  const names = await Promise.all(
    files.map(async (file) => {
      const text = await readFile(join(folder, file), 'utf8');
      const name = /^ {2}name: (\S+)$/m.exec(text)?.[1] ?? '';
      // The policy among them guards upgrades, and a cluster of one version has none.
      if (!text.includes('kind: CustomResourceDefinition')) return undefined;
      await api.patch(clusterWide(kind, name), 'apply', text);
      return name;
    }),
  );
  for (const name of names) {
    if (name === undefined) continue;
    await api.until<Definition>(
      clusterWide(kind, name),
      (seen) =>
        seen?.status?.conditions?.some((c) => c.type === 'Established' && c.status === 'True') ===
        true,
      { what: `definition ${name}`, every: 50 },
    );
  }
}

/** One class for all Gateways of the suite; Traefik takes it by its controller's name. */
export async function installGatewayClass(api: Api): Promise<void> {
  await api.patch(clusterWide('gatewayclasses', gatewayClass), 'apply', {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'GatewayClass',
    metadata: { name: gatewayClass },
    spec: { controllerName: 'traefik.io/gateway-controller' },
  });
}
