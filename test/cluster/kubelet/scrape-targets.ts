import { renameSync, writeFileSync } from 'node:fs';
import type { Pod } from './pod-object.ts';

/** Long enough that a burst of pod events is one write, short enough that nobody waits for it. */
const settle = 50;

/**
 * Tells Prometheus which pods there are, in a file, with the labels its own discovery of pods
 * would give. (Debian's Prometheus is built without that discovery.)
 */
export class ScrapeTargets {
  readonly #file: string;
  readonly #pods = new Map<string, Pod>();
  #scheduled = false;

  constructor(file: string) {
    this.#file = file;
  }

  see(pod: Pod): void {
    this.#pods.set(pod.metadata.uid, pod);
    this.#schedule();
  }

  forget(uid: string): void {
    this.#pods.delete(uid);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setTimeout(() => {
      this.#scheduled = false;
      const groups = [...this.#pods.values()].flatMap(targetGroup);
      // Renamed into place: Prometheus must never read half a file.
      writeFileSync(`${this.#file}.new`, JSON.stringify(groups));
      renameSync(`${this.#file}.new`, this.#file);
    }, settle);
  }
}

function targetGroup(pod: Pod) {
  const address = pod.status?.podIP;
  if (address === undefined) return [];
  const port = pod.spec.containers[0]?.ports?.[0]?.containerPort ?? 80;
  const { name, namespace = '', annotations, labels } = pod.metadata;
  const meta = '__meta_kubernetes_pod';
  return [
    {
      targets: [`${address}:${port}`],
      labels: {
        __meta_kubernetes_namespace: namespace,
        [`${meta}_name`]: name,
        [`${meta}_ip`]: address,
        [`${meta}_phase`]: pod.status?.phase ?? '',
        ...prefixed(`${meta}_annotation`, annotations),
        ...prefixed(`${meta}_label`, labels),
      },
    },
  ];
}

function prefixed(prefix: string, entries: Readonly<Record<string, string>> = {}) {
  return Object.fromEntries(
    Object.entries(entries).map(([key, value]) => [
      `${prefix}_${key.replaceAll(/[^A-Za-z0-9_]/g, '_')}`,
      value,
    ]),
  );
}
