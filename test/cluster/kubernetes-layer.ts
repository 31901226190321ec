import { createClient, type KubernetesClient } from '../../src/kubernetes/client.ts';
import { createCredentials } from '../../src/kubernetes/credentials.ts';
import { createHttpTransport, type HttpTransport } from '../../src/kubernetes/http-transport.ts';
import { loadKubeConfig } from '../../src/kubernetes/kubeconfig.ts';
import { systemClock } from '../../src/lib/clock.ts';

export interface KubernetesLayer {
  readonly transport: HttpTransport;
  readonly client: KubernetesClient;
}

/** The layer under test, as the holder of a kubeconfig file. */
export function openKubernetesLayer(kubeconfig: string): KubernetesLayer {
  const credentials = createCredentials({
    load: () => loadKubeConfig({ file: kubeconfig }),
    clock: systemClock,
  });
  const transport = createHttpTransport({ credentials, clock: systemClock });
  return { transport, client: createClient(transport) };
}
