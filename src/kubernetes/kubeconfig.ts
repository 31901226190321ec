import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { KubeConfig, type User } from '@kubernetes/client-node';
import { parse } from 'yaml';
import { isRecord } from './raw-object.ts';

/**
 * Loads a kubeconfig: the named file, else what `kubectl` would take ($KUBECONFIG, ~/.kube/config),
 * else the Pod's own ServiceAccount. Blocking; called at start and after a 401.
 */
export function loadKubeConfig(options: {
  readonly file?: string | undefined;
  readonly context?: string | undefined;
}): KubeConfig {
  const config = new KubeConfig();
  if (options.file === undefined) config.loadFromDefault();
  else config.loadFromFile(options.file);
  const file = options.file ?? process.env['KUBECONFIG']?.split(':')[0];
  if (file !== undefined && file !== '') config.users = config.users.map(withTokenFile(file));
  if (options.context !== undefined) config.setCurrentContext(options.context);
  return config;
}

/**
 * client-node 2.0.1 does not read `tokenFile` of a kubeconfig; its in-cluster provider re-reads
 * such a file.
 */
function withTokenFile(file: string): (user: User) => User {
  const document = parse(readFileSync(file, 'utf8')) as unknown;
  const users: readonly unknown[] =
    isRecord(document) && Array.isArray(document['users']) ? document['users'] : [];
  const tokenFiles = new Map<unknown, string>();
  for (const entry of users) {
    if (!isRecord(entry) || !isRecord(entry['user'])) continue;
    const { tokenFile } = entry['user'];
    if (typeof tokenFile === 'string')
      tokenFiles.set(entry['name'], resolve(dirname(file), tokenFile));
  }
  return (user) => {
    const tokenFile = tokenFiles.get(user.name);
    if (tokenFile === undefined || user.token !== undefined) return user;
    return { ...user, authProvider: { name: 'tokenFile', config: { tokenFile } } };
  };
}
