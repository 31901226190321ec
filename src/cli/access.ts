import { userInfo } from 'node:os';
import { createClient, type KubernetesClient } from '../kubernetes/client.ts';
import { createCredentials } from '../kubernetes/credentials.ts';
import { createHttpTransport } from '../kubernetes/http-transport.ts';
import { loadKubeConfig } from '../kubernetes/kubeconfig.ts';
import type { KubernetesTransport } from '../kubernetes/transport.ts';
import { systemClock } from '../lib/clock.ts';
import { describeError } from '../lib/errors.ts';
import { version } from '../lib/version.ts';
import { usageError } from './outcome.ts';

/** How the command line says which cluster and namespace is meant, as kubectl does. */
export interface AccessFlags {
  readonly kubeconfig?: string | undefined;
  readonly context?: string | undefined;
  readonly namespace?: string | undefined;
}

/** What a command may use of the cluster. */
export interface Access {
  readonly client: KubernetesClient;
  /** For what is no object. */
  readonly transport: KubernetesTransport;
  readonly namespace: string;
  /** Who asks, as requests name them; the audit log knows the true identity. */
  readonly user: string;
}

/** Opens the cluster, runs `use` and closes it again. */
export async function withAccess<Result>(
  flags: AccessFlags,
  use: (access: Access) => Promise<Result>,
): Promise<Result> {
  const config = kubeConfigFor(flags);
  const contextNamespace = config.getContextObject(config.getCurrentContext())?.namespace;
  const credentials = createCredentials({ load: () => kubeConfigFor(flags), clock: systemClock });
  const transport = createHttpTransport({
    credentials,
    clock: systemClock,
    userAgent: `haldane-cli/${version}`,
  });
  try {
    return await use({
      client: createClient(transport),
      transport,
      namespace: flags.namespace ?? contextNamespace ?? 'default',
      user: plainName(process.env['USER'] ?? userInfo().username),
    });
  } finally {
    await transport.close();
  }
}

function kubeConfigFor({ kubeconfig, context }: AccessFlags) {
  try {
    const config = loadKubeConfig({ file: kubeconfig, context });
    if (config.getCurrentCluster() === null) {
      throw new Error(`no cluster for the context "${config.getCurrentContext()}"`);
    }
    return config;
  } catch (error) {
    throw usageError(
      `the kubeconfig cannot be used: ${describeError(error)}\n` +
        'Name one with --kubeconfig or $KUBECONFIG, and a context of it with --context.',
    );
  }
}

/** Only characters that a request may carry. */
export const plainName = (name: string): string =>
  name.replaceAll(/[^A-Za-z0-9._@-]/g, '-').slice(0, 64) || 'somebody';
