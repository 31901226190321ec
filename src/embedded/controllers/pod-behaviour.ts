import { asArray, asObject, asString } from '../json.ts';
import type { KubernetesObject } from '../resource.ts';

/**
 * How a pod of the embedded cluster behaves. Read from the image tag, environment and
 * annotations.
 */
export type PodBehaviour = {
  readonly version: string;
  /** Share of requests answered with 500. */
  readonly errorRate: number;
  readonly latencyMillis: number;
  readonly latencyJitterMillis: number;
  readonly startDelayMillis: number;
  /** How long a stopping pod goes on serving. */
  readonly drainMillis: number;
  /** The container ends again and again. */
  readonly crashes: boolean;
  readonly imageMissing: boolean;
  readonly unready: boolean;
};

const prefix = 'sim.test/';
const flag = (text: string) => text === '1' || text === 'true';

/**
 * Environment of the first container (`VERSION`, `ERROR_RATE`, `LATENCY_MS`, `LATENCY_JITTER_MS`,
 * `START_DELAY_MS`, `DRAIN_MS`, `CRASH`, `UNREADY`), overridden live by pod annotations
 * `sim.test/error-rate` …
 * An image tag that begins with `missing` cannot be pulled.
 */
export function readBehaviour(pod: KubernetesObject): PodBehaviour {
  const container = asObject(asArray(asObject(pod.spec).containers)[0]);
  const env = new Map(
    asArray(container.env)
      .map(asObject)
      .map((entry) => [asString(entry.name), asString(entry.value)]),
  );
  const annotations = pod.metadata.annotations ?? {};
  const get = (key: string, otherwise: string) =>
    annotations[prefix + key.toLowerCase().replaceAll('_', '-')] ?? env.get(key) ?? otherwise;
  const image = asString(container.image);
  const tag = image.includes(':') ? (image.split(':').at(-1) ?? '') : 'latest';
  return {
    version: get('VERSION', tag),
    errorRate: Number(get('ERROR_RATE', '0')),
    latencyMillis: Number(get('LATENCY_MS', '0')),
    latencyJitterMillis: Number(get('LATENCY_JITTER_MS', '0')),
    startDelayMillis: Number(get('START_DELAY_MS', '200')),
    drainMillis: Number(get('DRAIN_MS', '1000')),
    crashes: flag(get('CRASH', '')),
    imageMissing: tag.startsWith('missing'),
    unready: flag(get('UNREADY', '')),
  };
}
